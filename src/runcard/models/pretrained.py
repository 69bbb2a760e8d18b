"""Any image or text classifier of the package transformers, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from runcard.data.tokens import Tokenizer
from runcard.models import hub, shapes, texts
from runcard.models.adapt import Adapt

# Where a description states neither: what almost all ready-made weights were made with.
USUAL_SIZE, USUAL_CHANNELS = 224, 3


class Pretrained(nn.Module):
    """A network that someone else has trained, with an answering layer for this data.

    Args:
        input_shape: ``(channels, height, width)``; a single channel is repeated, and the size changed, as needed. Of
            texts the number of token ids, ``(length,)``.
        outputs: Number of outputs, 1 or more.
        name: A repository of the hub, or a local folder.
        revision: Which version of it; None: the newest.
        weights: Whether to begin with its weights; else with random ones.
        freeze: Whether only the answering layer learns.
        size: Pixels a side that images are brought to, or tokens that a text is cut to; None: as the description says.
        config: The description, from ``settle``; None: it is looked up by name.
        pad: Of texts the token that stands for nothing; None: inputs are images.

    Raises:
        CardError: If the input is neither text nor an image, or has other channels, transformers is not installed, or
            the network or its weights cannot be had.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        name: str,
        revision: str | None,
        weights: bool,
        freeze: bool,
        size: int | None,
        config: Mapping[str, Any] | None,
        pad: int | None = None,
    ) -> None:
        super().__init__()
        self.pad = pad
        if pad is None:
            shapes.image(input_shape, "an image classifier")
        values = dict(config if config is not None else hub.plain(hub.described(name, revision)))
        if pad is not None:
            values["pad_token_id"] = pad
        elif size is not None and "image_size" in values:
            values["image_size"] = size
        described = hub.restored(values, num_labels=outputs)
        if pad is None:
            self.adapt = _adapt(input_shape, size, described)
        auto = hub.IMAGES if pad is None else hub.TEXTS
        self.network = hub.loaded(described, name, revision, auto) if weights else hub.made(described, auto)
        self.freeze = freeze
        if freeze:
            self._freeze()

    @staticmethod
    def settle(
        name: str, revision: str | None, weights: bool, config: Mapping[str, Any] | None, **_: Any
    ) -> dict[str, Any]:
        """What the card leaves open: the version and the description, so that a run can be opened without the hub.

        Raises:
            CardError: If there is nothing of this name, or it cannot be had.
        """
        found = hub.pinned(name, revision) if weights else {}
        return found | ({} if config is not None else {"config": hub.plain(hub.described(name, revision))})

    @staticmethod
    def tokenizer(
        name: str, revision: str | None, size: int | None, config: Mapping[str, Any] | None, **_: Any
    ) -> Tokenizer:
        """What texts are cut up with for this network.

        Raises:
            CardError: If there is none, it is another network's, or the network does not read so many tokens.
        """
        described = hub.restored(config) if config is not None else hub.described(name, revision)
        return texts.tokenizer(hub.tokenizer(name, revision), described, name, size)

    def _freeze(self) -> None:
        backbone = hub.backbone(self.network)
        backbone.requires_grad_(False)
        pooler = getattr(backbone, "pooler", None)
        # Many weights for texts were made without a pooler, and one that begins at random has to learn.
        if self.pad is not None and isinstance(pooler, nn.Module):
            pooler.requires_grad_(True)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, channels, height, width)``, or token ids ``(batch, length)`` → ``(batch, outputs)``."""
        # Not before the first step: Lightning warns of a network that is in evaluation mode when it begins.
        if self.freeze and self.training:  # what does not learn drops nothing and counts no averages
            hub.backbone(self.network).eval()
        result: Tensor = self._answered(inputs).logits
        return result

    def _answered(self, inputs: Tensor) -> Any:
        if self.pad is None:
            return self.network(pixel_values=self.adapt(inputs))
        # The first token always counts: of a text without any, attention would have nothing to look at.
        first = torch.arange(inputs.shape[1], device=inputs.device) == 0
        mask = (inputs != self.pad) | first
        return self.network(input_ids=inputs, attention_mask=mask.long())


def _adapt(input_shape: tuple[int, ...], size: int | None, described: Any) -> Adapt:
    channels, height, width = input_shape
    return Adapt(
        channels,
        (height, width),
        wanted_channels=getattr(described, "num_channels", USUAL_CHANNELS),
        wanted_size=_size(size or getattr(described, "image_size", USUAL_SIZE)),
    )


def _size(stated: Any) -> tuple[int, int]:
    return (stated, stated) if isinstance(stated, int) else (stated[0], stated[1])
