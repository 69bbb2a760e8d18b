"""Any image classifier of the package transformers, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from runcard.models import hub, shapes
from runcard.models.adapt import Adapt

# Where a description states neither: what almost all ready-made weights were made with.
USUAL_SIZE, USUAL_CHANNELS = 224, 3


class Pretrained(nn.Module):
    """A network that someone else has trained, with an answering layer for this data.

    Args:
        input_shape: ``(channels, height, width)``; a single channel is repeated, and the size changed, as needed.
        outputs: Number of outputs, 1 or more.
        name: A repository of the hub, or a local folder.
        revision: Which version of it; None: the newest.
        weights: Whether to begin with its weights; else with random ones.
        freeze: Whether only the answering layer learns.
        size: Pixels a side that images are brought to; None: as the description says.
        config: The description, from ``settle``; None: it is looked up by name.

    Raises:
        CardError: If the input is no image or has other channels, transformers is not installed, or the network or
            its weights cannot be had.
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
    ) -> None:
        super().__init__()
        channels, height, width = shapes.image(input_shape, "an image classifier")
        values = dict(config if config is not None else hub.plain(hub.described(name, revision)))
        if size is not None and "image_size" in values:
            values["image_size"] = size
        described = hub.restored(values, num_labels=outputs)
        self.adapt = Adapt(
            channels,
            (height, width),
            wanted_channels=getattr(described, "num_channels", USUAL_CHANNELS),
            wanted_size=_size(size or getattr(described, "image_size", USUAL_SIZE)),
        )
        self.network = hub.loaded(described, name, revision) if weights else hub.made(described)
        self.freeze = freeze
        if freeze:
            hub.backbone(self.network).requires_grad_(False)

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

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` → ``(batch, outputs)``."""
        # Not before the first step: Lightning warns of a network that is in evaluation mode when it begins.
        if self.freeze and self.training:  # what does not learn drops nothing and counts no averages
            hub.backbone(self.network).eval()
        result: Tensor = self.network(pixel_values=self.adapt(inputs)).logits
        return result


def _size(stated: Any) -> tuple[int, int]:
    return (stated, stated) if isinstance(stated, int) else (stated[0], stated[1])
