"""Images as a ready-made network expects them."""

from __future__ import annotations

from torch import Tensor, nn

from runcard.advice import advise
from runcard.errors import CardError


class Adapt(nn.Module):
    """Repeats a single channel and changes the size; has no weights.

    Args:
        channels: Of the images.
        size: Height and width of the images.
        wanted_channels: That the network takes.
        wanted_size: That the network takes.

    Raises:
        CardError: If the channels differ and there is not just one to be repeated.
    """

    def __init__(
        self, channels: int, size: tuple[int, int], *, wanted_channels: int, wanted_size: tuple[int, int]
    ) -> None:
        super().__init__()
        if channels not in (1, wanted_channels):
            raise CardError(
                f"model: this network takes images of {wanted_channels} channels, and this data's have {channels}. "
                f"Choose {advise('model=resnet')}, which takes any number."
            )
        self.repeat = wanted_channels if channels != wanted_channels else 0
        self.size = wanted_size if size != wanted_size else None

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` → ``(batch, wanted_channels, *wanted_size)``."""
        if self.size is not None:
            inputs = nn.functional.interpolate(inputs, size=self.size, mode="bilinear", align_corners=False)
        return inputs.expand(-1, self.repeat, -1, -1) if self.repeat else inputs
