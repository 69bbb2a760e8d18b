"""A bundle's network as torch answers with it: one that ONNX cannot express. Imported for no other bundle.

It is made again from the bundle's card, which names its class, and its weights. The card may name the user's own class
only if its package is trusted here too; nothing else that the card names is imported.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_weights
from torch import nn

from runcard.card.network import saved_network
from runcard.data.signature import Array, Signature
from runcard.data.transforms import Transforms
from runcard.errors import CardError
from runcard.models.make import make_network, threads


class TorchGraph:
    """Answers as ONNX Runtime's sessions do.

    Args:
        model: In evaluation mode.
        thread_count: Processor threads of one answer.
        device: Where it computes.
    """

    def __init__(self, model: nn.Module, thread_count: int, device: str) -> None:
        self._model, self._threads, self._device = model.to(device), thread_count, device

    def run(self, names: None, inputs: Mapping[str, Array]) -> list[NDArray[np.float32]]:
        """The raw outputs, ``(rows, outputs)``, to the one input there is."""
        (rows,) = inputs.values()
        with torch.inference_mode(), threads(self._threads):
            return [self._model(torch.from_numpy(rows).to(self._device)).cpu().numpy()]


def load_network(
    card: bytes,
    weights: bytes,
    signature: Signature,
    transforms: Transforms,
    *,
    thread_count: int = 1,
    provider: str = "cpu",
) -> TorchGraph:
    """A network ready to answer.

    Args:
        card: The bundle's ``card.yaml``.
        weights: Its ``model.safetensors``.
        signature: What the network takes and gives.
        transforms: How rows become its inputs.
        thread_count: Processor threads of one answer.
        provider: ``cpu`` or ``cuda``.

    Raises:
        CardError: If its class may not be named here, cannot be found or made, or there is no GPU.
    """
    if provider == "cuda" and not torch.cuda.is_available():
        raise CardError("serve.provider cuda: torch finds no NVIDIA GPU on this machine")
    with torch.random.fork_rng(devices=[]):  # its first weights are thrown away
        model = make_network(saved_network(card), signature, transforms, fresh=False)
    try:
        model.load_state_dict(load_weights(weights))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise CardError(f"the class in its card makes another network now: {str(error).splitlines()[0]}") from error
    return TorchGraph(model.eval(), thread_count, provider)
