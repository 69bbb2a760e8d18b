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
    """Units of each hidden layer, first to last, 1 or more; more fit finer and overfit sooner."""
    dropout: Share
    """Share of units silenced in training, 0 to below 1; raise it when validation gets worse."""
    input_dropout: Share
    """Share of inputs silenced in training, 0 to below 1; for many inputs that say the same."""


class Cnn(Network):
    """A small convolutional network."""

    target_class: Literal["runcard.models.cnn.Cnn"] = Field(alias="_target_")
    channels: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Filters of each block, first to last, 1 or more; every block halves height and width."""
    hidden: Positive
    """Units of the layer before the answer, 1 or more; more fit finer and overfit sooner."""
    dropout: Share
    """Share of those units silenced in training, 0 to below 1."""


class ResNet(Network):
    """A residual network."""

    target_class: Literal["runcard.models.resnet.ResNet"] = Field(alias="_target_")
    channels: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Filters of each stage, first to last, 1 or more; every stage but the first halves height and width."""
    blocks: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Residual blocks of each stage, two convolutions each, 1 or more; one number for each of channels."""
    stem_stride: Literal[1, 2]
    """1, or 2 to halve the image at once: four times faster, for 64x64 pixels and more."""
    dropout: Share
    """Share of the averaged filters silenced in training, 0 to below 1."""
    zero_init: bool
    """true: every block begins as its shortcut alone, a steadier start."""


class Lstm(Network):
    """Long short-term memory."""

    target_class: Literal["runcard.models.lstm.Lstm"] = Field(alias="_target_")
    hidden: Positive
    """Units of each layer and direction, 1 or more; more remember more and overfit sooner."""
    layers: Positive
    """1 or more; each reads what the one before gave."""
    dropout: Share
    """Share silenced in training between layers and before the answer, 0 to below 1."""
    bidirectional: bool
    """true: also from the end, twice the time; false where the order of time must count."""


class Transformer(Network):
    """A transformer encoder."""

    target_class: Literal["runcard.models.transformer.Transformer"] = Field(alias="_target_")
    width: Positive
    """Numbers that stand for a step inside, 1 or more; a multiple of heads."""
    heads: Positive
    """Attentions beside each other in a layer, 1 or more."""
    layers: Positive
    """Layers of attention and perceptron, 1 or more; more see finer and want more rows."""
    feedforward: Positive
    """Hidden units of each layer's perceptron, 1 or more; 2 to 4 times width."""
    dropout: Share
    """Share silenced in training, 0 to below 1."""
    positions: Literal["learned", "sinusoidal"]
    """How a step knows its place: learned, or sinusoidal, which has no weights and suits long sequences."""


class MobileNet(Network):
    """MobileNetV2."""

    target_class: Literal["runcard.models.mobilenet.MobileNet"] = Field(alias="_target_")
    depth_multiplier: Annotated[float, Field(gt=0)]
    """Width of every layer, above 0; 1.0 is 2.2 million weights; ready-made ones ask for their own."""
    expand_ratio: Annotated[float, Field(ge=1)]
    """How many times wider a block is inside, 1 or more."""
    output_stride: Literal[8, 16, 32]
    """How many times smaller the last layer sees the image: 8, 16 or 32; 32 for 224 pixels."""
    min_size: Positive
    """Pixels, 1 or more; smaller images are enlarged to it; more than output_stride."""
    dropout: Share
    """Share of the averaged filters silenced in training, 0 to below 1."""
    pretrained: Text | None
    """First weights: a repository of the Hugging Face hub or a folder; null: random ones."""
    revision: Text | None
    """Version of them; null: the newest, and the run's card then says which."""

    def bare(self) -> MobileNet:
        """As ``Network.bare``."""
        return self.model_copy(update={"pretrained": None})


class Pretrained(Network):
    """An image or text classifier by name."""

    target_class: Literal["runcard.models.pretrained.Pretrained"] = Field(alias="_target_")
    name: Text
    """A repository of the Hugging Face hub, or a folder: config.json, *.safetensors, for text tokenizer.json."""
    revision: Text | None
    """Version of it; null: the newest, and the run's card then says which."""
    weights: bool
    """true: begin with its weights; false: with random ones."""
    freeze: bool
    """true: only the answer layer learns, fast and with few rows; false: all of it, with a small lr."""
    size: Positive | None
    """Pixels a side, or tokens of a text, 1 or more; null: as the network was made for, and no more than texts have."""
    config: dict[str, Any] | None
    """Its description; null: looked up by name, and kept in the run's card."""

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
