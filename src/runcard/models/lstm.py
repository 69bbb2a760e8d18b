"""Long short-term memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from runcard.models import shapes


class Lstm(nn.Module):
    """Reads a row step by step; the last state of the last layer gives the answer.

    Args:
        input_shape: ``(steps, features)``, or ``(channels, height, width)``, which is read line by line.
        outputs: Number of outputs, 1 or more.
        hidden: Units of each layer, in each direction.
        layers: Layers, each reading what the one before gave.
        dropout: Share silenced in training between layers and before the answer, 0 to below 1.
        bidirectional: Whether to read from the end as well.

    Raises:
        CardError: If a row is neither a sequence nor an image.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        super().__init__()
        _, features = shapes.sequence(input_shape, "an LSTM")
        self.directions = 2 if bidirectional else 1
        self.layers = nn.LSTM(
            features,
            hidden,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,  # torch warns where there is nothing between layers
            bidirectional=bidirectional,
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden * self.directions, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, steps, features)`` or ``(batch, channels, height, width)`` → ``(batch, outputs)``."""
        _, (states, _) = self.layers(shapes.steps(inputs))
        # The last layer's states come last, one a direction: that of the way back belongs to the first step.
        last = torch.cat([states[-place] for place in range(self.directions, 0, -1)], dim=1)
        result: Tensor = self.head(last)
        return result
