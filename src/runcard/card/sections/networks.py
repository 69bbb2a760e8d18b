"""The section ``model``: every network that a card can choose, with its keys and their ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runcard.card.sections.parts import OWN, SHIPPED, OwnPart, Part, Positive, Share, Text, kind_of_part


class Network(Part):
    """What every network has."""

    def bare(self) -> Network:
        """The same network without weights from elsewhere: for its shapes, or before its own are loaded."""
        return self


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


class MobileNet(Network):
    """MobileNetV2."""

    target_class: Literal["runcard.models.mobilenet.MobileNet"] = Field(alias="_target_")
    depth_multiplier: Annotated[float, Field(gt=0)]
    expand_ratio: Annotated[float, Field(ge=1)]
    output_stride: Literal[8, 16, 32]
    min_size: Positive
    dropout: Share
    pretrained: Text | None
    revision: Text | None

    def bare(self) -> MobileNet:
        """As ``Network.bare``."""
        return self.model_copy(update={"pretrained": None})


class Pretrained(Network):
    """An image or text classifier by name."""

    target_class: Literal["runcard.models.pretrained.Pretrained"] = Field(alias="_target_")
    name: Text
    revision: Text | None
    weights: bool
    freeze: bool
    size: Positive | None
    config: dict[str, Any] | None

    def bare(self) -> Pretrained:
        """As ``Network.bare``."""
        return self.model_copy(update={"weights": False})


class OwnNetwork(Network, OwnPart):
    """A network of the user's own: a ``torch.nn.Module`` that is given ``input_shape`` and ``outputs``."""


Shipped = Linear | Mlp | Cnn | ResNet | MobileNet | Pretrained | Lstm | Transformer
AnyNetwork = Annotated[
    Annotated[Shipped, Field(discriminator="target_class"), Tag(SHIPPED)] | Annotated[OwnNetwork, Tag(OWN)],
    Discriminator(kind_of_part),
]
