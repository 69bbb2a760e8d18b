"""One linear layer."""

from __future__ import annotations

import math

from torch import Tensor, nn


class Linear(nn.Module):
    """Outputs are weighted sums of the inputs.

    Args:
        input_shape: Shape of one row's input, ``(width,)`` or ``(channels, height, width)``.
        outputs: Number of outputs, 1 or more.
    """

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, *input_shape)`` → ``(batch, outputs)``."""
        result: Tensor = self.layers(inputs)
        return result
