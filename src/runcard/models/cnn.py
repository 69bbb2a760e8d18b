"""Small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from runcard.errors import CardError
from runcard.models import shapes


class Cnn(nn.Module):
    """Blocks of two 3×3 convolutions, batch norm and ReLU, each halving the image; then one hidden layer.

    Args:
        input_shape: ``(channels, height, width)``.
        outputs: Number of outputs, 1 or more.
        channels: Filters of each block, first to last.
        hidden: Units of the layer before the outputs.
        dropout: Share of those units silenced in training, 0 to below 1.

    Raises:
        CardError: If the input is no image, or is too small to be halved by every block.
    """

    def __init__(
        self, input_shape: tuple[int, ...], outputs: int, *, channels: Sequence[int], hidden: int, dropout: float
    ) -> None:
        super().__init__()
        depth, *size = shapes.image(input_shape, "a convolutional network")
        if min(size) < 2 ** len(channels):
            raise CardError(
                f"model.channels: {len(channels)} blocks need images of {2 ** len(channels)} pixels or more a side, "
                f"not {size[0]}×{size[1]}. Give fewer."
            )
        layers: list[nn.Module] = []
        for filters in channels:
            layers += [*_convolution(depth, filters), *_convolution(filters, filters), nn.MaxPool2d(2)]
            depth, size = filters, [side // 2 for side in size]
        layers += [nn.Flatten(), nn.Linear(depth * size[0] * size[1], hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` → ``(batch, outputs)``."""
        result: Tensor = self.layers(inputs)
        return result


def _convolution(before: int, after: int) -> list[nn.Module]:
    # Without bias: batch norm subtracts it again.
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
