"""From a card and a signature to a network; light, so that who only answers rows loads no Lightning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from runcard.card.naming.targets import build, named
from runcard.card.naming.uncalled import find_uncalled
from runcard.card.schema import Card
from runcard.card.sections.networks import Network
from runcard.data.signature import Signature
from runcard.data.transforms import Transforms
from runcard.errors import CardError, Mistake


def make_model(card: Card, signature: Signature, transforms: Transforms, *, fresh: bool = True) -> nn.Module:
    """The card's network, as ``make_network`` makes it."""
    return make_network(card.model, signature, transforms, fresh=fresh)


def make_network(section: Network, signature: Signature, transforms: Transforms, *, fresh: bool = True) -> nn.Module:
    """A network, its shapes taken from the data's signature.

    Args:
        section: The card's section ``model``.
        signature: What the network takes and gives.
        transforms: How rows become its inputs.
        fresh: Whether training is to begin with it, from ready-made weights where the card asks for them. False:
            its own will be loaded, or only its shapes matter; then nothing is read or downloaded.

    Raises:
        CardError: If the network cannot take inputs of this shape, or what it needs cannot be had.
    """
    shape = transforms.input_shape(signature)
    part = section if fresh else section.bare()
    # Who reads no text need not know of it.
    more = {} if transforms.text is None else {"pad": transforms.text.pad}
    model = build(part, section="model", input_shape=shape, outputs=transforms.target.outputs, **more)
    if not isinstance(model, nn.Module):
        raise CardError(f"model: {part.target_class} gives a {type(model).__name__}, and no torch.nn.Module")
    if uncalled := find_uncalled(type(model), "model"):  # a function's name does not say what it makes
        raise CardError(
            [
                Mistake(
                    "model",
                    f"{part.target_class} gives a {type(model).__name__}, which {uncalled[0]}",
                    hint=uncalled[1],
                )
            ]
        )
    return model


def settle_model(card: Card) -> dict[str, Any]:
    """What the network's keys leave open until someone looks, such as the version of ready-made weights.

    Raises:
        CardError: If what the card names cannot be had.
    """
    settle = getattr(named(card.model, "model"), "settle", None)
    return settle(**card.model.arguments()) if settle is not None else {}


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads; bits depend on it, so what was set before comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
