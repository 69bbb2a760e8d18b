"""The section ``model``: every network that a card can choose, with its keys and their ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runcard.card.parts import Part, Positive, Share


class Network(Part):
    """What every network has."""


class Linear(Network):
    """One linear layer."""

    target_class: Literal["runcard.models.linear.Linear"] = Field(alias="_target_")


class Mlp(Network):
    """A multilayer perceptron."""

    target_class: Literal["runcard.models.mlp.Mlp"] = Field(alias="_target_")
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)]
    dropout: Share
    input_dropout: Share


class Cnn(Network):
    """A small convolutional network."""

    target_class: Literal["runcard.models.cnn.Cnn"] = Field(alias="_target_")
    channels: Annotated[tuple[Positive, ...], Field(min_length=1)]
    hidden: Positive
    dropout: Share


class ResNet(Network):
    """A residual network."""

    target_class: Literal["runcard.models.resnet.ResNet"] = Field(alias="_target_")
    channels: Annotated[tuple[Positive, ...], Field(min_length=1)]
    blocks: Annotated[tuple[Positive, ...], Field(min_length=1)]
    stem_stride: Literal[1, 2]
    dropout: Share
    zero_init: bool


class Lstm(Network):
    """Long short-term memory."""

    target_class: Literal["runcard.models.lstm.Lstm"] = Field(alias="_target_")
    hidden: Positive
    layers: Positive
    dropout: Share
    bidirectional: bool


class Transformer(Network):
    """A transformer encoder."""

    target_class: Literal["runcard.models.transformer.Transformer"] = Field(alias="_target_")
    width: Positive
    heads: Positive
    layers: Positive
    feedforward: Positive
    dropout: Share
    positions: Literal["learned", "sinusoidal"]


AnyNetwork = Linear | Mlp | Cnn | ResNet | Lstm | Transformer
