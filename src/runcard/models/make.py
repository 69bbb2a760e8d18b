"""From a card and a signature to a network; light, so that who only answers rows loads no Lightning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from runcard.card.schema import Card
from runcard.card.targets import build
from runcard.data.signature import Signature
from runcard.data.transforms import Transforms


def make_model(card: Card, signature: Signature, transforms: Transforms) -> nn.Module:
    """The card's network with fresh weights, its shapes taken from the data's signature.

    Raises:
        CardError: If the network cannot take inputs of this shape.
    """
    shape = transforms.input_shape(signature)
    model = build(card.model, input_shape=shape, outputs=transforms.target.outputs)
    assert isinstance(model, nn.Module)
    return model


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads; bits depend on it, so what was set before comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
