"""A network as ONNX, for who answers without torch; and its weights as safetensors."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from runcard.errors import ParityError
from runcard.packaging.bundle import INPUT

EXAMPLE_ROWS = 2  # with one, the exporter would take the number of rows for a constant


def to_onnx(model: nn.Module, input_shape: tuple[int, ...], *, ids: bool = False) -> bytes:
    """The network's graph with its weights inside; the number of rows is free.

    Args:
        model: In evaluation mode, on the CPU.
        input_shape: Of one row, without the rows' dimension.
        ids: Whether rows are token ids, whole numbers.

    Raises:
        ParityError: If ONNX cannot express the network.
    """
    example = torch.zeros(EXAMPLE_ROWS, *input_shape, dtype=torch.int64 if ids else torch.float32)
    try:
        with _quietly():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                input_names=[INPUT],
                output_names=["output"],
                external_data=False,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ParityError(f"ONNX cannot express this network ({_reason(error)})") from error
    assert program is not None
    model_proto = program.model_proto
    _forget_origins(model_proto)
    graph: bytes = model_proto.SerializeToString()
    return graph


def to_safetensors(model: nn.Module) -> bytes:
    """The weights alone, by name; one that two layers share is there twice, for safetensors takes no second view."""
    return save({name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()})


def _forget_origins(message: Any) -> None:
    """Take out of a graph where on this machine each part of it was written, which nobody needs to answer with it."""
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                _forget_origins(each)


def _reason(error: BaseException) -> str:
    """What led to an error of the exporter, whose own words are the steps that it takes."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's words on what it would also know, could not simplify, and calls by old names."""
    silent = io.StringIO()
    levels = {logger: logger.level for logger in map(logging.getLogger, ("torch.onnx", "torch.fx", "onnxscript"))}
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
