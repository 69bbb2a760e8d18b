"""A bundle's network as ONNX Runtime answers with it, without torch."""

from __future__ import annotations

import onnxruntime

from runcard.errors import CardError
from runcard.packaging.onnx_check import check_graph

GPU_HINT = "it takes an NVIDIA GPU, and onnxruntime-gpu in place of onnxruntime"
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def load_graph(graph: bytes, *, threads: int = 1, provider: str = "cpu") -> onnxruntime.InferenceSession:
    """A network ready to answer.

    Args:
        graph: ONNX.
        threads: Processor threads of one answer; on one, requests share the cores, and not one request.
        provider: ``cpu`` or ``cuda``.

    Raises:
        BundleError: If the graph reads what is not in it.
        CardError: If ONNX Runtime has no such provider here.
    """
    check_graph(graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.load_model_format", "ONNX")  # as it was checked
    session = onnxruntime.InferenceSession(graph, options, providers=_providers(provider))
    # A provider that cannot start is left aside by ONNX Runtime with a line in its log.
    if session.get_providers()[0] != PROVIDERS[provider]:
        raise CardError(f"serve.provider {provider}: ONNX Runtime cannot use it on this machine; {GPU_HINT}")
    return session


def _providers(name: str) -> list[str]:
    if PROVIDERS[name] not in onnxruntime.get_available_providers():
        raise CardError(f"serve.provider {name}: this ONNX Runtime has no {PROVIDERS[name]}; {GPU_HINT}")
    return list(dict.fromkeys([PROVIDERS[name], PROVIDERS["cpu"]]))  # what the first cannot compute
