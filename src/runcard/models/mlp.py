"""Multilayer perceptron."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn


class Mlp(nn.Module):
    """Linear layers with ReLU and dropout between them.

    Args:
        input_shape: Shape of one row's input, ``(width,)`` or ``(channels, height, width)``; flattened.
        outputs: Number of outputs, 1 or more.
        hidden: Units of each hidden layer, first to last.
        dropout: Share of hidden units silenced in training, 0 to below 1.
        input_dropout: Share of inputs silenced in training, 0 to below 1.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        hidden: Sequence[int],
        dropout: float,
        input_dropout: float,
    ) -> None:
        super().__init__()
        widths = [math.prod(input_shape), *hidden]
        layers: list[nn.Module] = [nn.Flatten(), nn.Dropout(input_dropout)]
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, *input_shape)`` → ``(batch, outputs)``."""
        result: Tensor = self.layers(inputs)
        return result
