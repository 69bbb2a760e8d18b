"""The section ``model``: every network that a card can choose, with its keys and their ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runcard.card.parts import Part, Positive, Share


class Linear(Part):
    """One linear layer."""

    target_class: Literal["runcard.models.linear.Linear"] = Field(alias="_target_")


class Mlp(Part):
    """A multilayer perceptron."""

    target_class: Literal["runcard.models.mlp.Mlp"] = Field(alias="_target_")
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)]
    dropout: Share
    input_dropout: Share


class Cnn(Part):
    """A small convolutional network."""

    target_class: Literal["runcard.models.cnn.Cnn"] = Field(alias="_target_")
    channels: Annotated[tuple[Positive, ...], Field(min_length=1)]
    hidden: Positive
    dropout: Share


Network = Linear | Mlp | Cnn
