"""Residual network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from runcard.errors import CardError
from runcard.models import shapes


class ResNet(nn.Module):
    """Stages of residual blocks after one convolution, averaged over the image; every stage but the first halves it.

    Args:
        input_shape: ``(channels, height, width)``.
        outputs: Number of outputs, 1 or more.
        channels: Filters of each stage, first to last.
        blocks: Residual blocks of each stage, as many numbers as ``channels``.
        stem_stride: Step of the first convolution: 1 keeps the image's size, 2 halves it.
        dropout: Share of the averaged filters silenced in training, 0 to below 1.
        zero_init: Whether every block begins as its shortcut alone.

    Raises:
        CardError: If the input is no image, is too small to be halved so often, or the two lists differ in length.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        channels: Sequence[int],
        blocks: Sequence[int],
        stem_stride: int,
        dropout: float,
        zero_init: bool,
    ) -> None:
        super().__init__()
        depth, height, width = shapes.image(input_shape, "a residual network")
        if len(blocks) != len(channels):
            raise CardError(f"model.blocks: {len(blocks)} numbers for the {len(channels)} stages of model.channels")
        # Two pixels or more must be left: batch norm cannot learn from one pixel of a batch that is one row.
        least = stem_stride * 2 ** (len(channels) - 1) + 1
        if min(height, width) < least:
            raise CardError(
                f"model.channels: {len(channels)} stages need images of {least} pixels or more a side, "
                f"not {height}×{width}. Give fewer."
            )
        layers: list[nn.Module] = [*_convolution(depth, channels[0], 3, stem_stride), nn.ReLU()]
        before = channels[0]
        for stage, (filters, count) in enumerate(zip(channels, blocks, strict=True)):
            for block in range(count):
                layers.append(Block(before, filters, stride=2 if stage and not block else 1))
                before = filters
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout))
        self.head = nn.Linear(before, outputs)
        self._start(zero_init)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` → ``(batch, outputs)``."""
        result: Tensor = self.head(self.layers(inputs))
        return result

    def _start(self, zero_init: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Block) and zero_init:
                nn.init.zeros_(module.last.weight)


class Block(nn.Module):
    """Two 3×3 convolutions, added to a shortcut.

    Args:
        before: Filters that come in.
        after: Filters that go out.
        stride: 1, or 2 to halve height and width.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        convolution, self.last = _convolution(after, after, 3, 1)
        self.inner = nn.Sequential(*_convolution(before, after, 3, stride), nn.ReLU(), convolution)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*_convolution(before, after, 1, stride))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, before, height, width)`` → ``(batch, after, height / stride, width / stride)``, rounded up."""
        return nn.functional.relu(self.last(self.inner(inputs)) + self.shortcut(inputs))


def _convolution(before: int, after: int, kernel: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    # Without bias: batch norm subtracts it again.
    return nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(after)
