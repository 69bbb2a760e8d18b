"""Transformer encoder."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from runcard.errors import CardError
from runcard.models import shapes


class Transformer(nn.Module):
    """Every step looks at every other; the average over the steps gives the answer.

    Args:
        input_shape: ``(steps, features)``, or ``(channels, height, width)``, which is read line by line.
        outputs: Number of outputs, 1 or more.
        width: Numbers that stand for a step inside; a multiple of ``heads``.
        heads: Attentions beside each other in a layer.
        layers: Layers of attention and perceptron, 1 or more.
        feedforward: Hidden units of each layer's perceptron.
        dropout: Share silenced in training, 0 to below 1.
        positions: How a step knows its place: ``learned`` or ``sinusoidal``.

    Raises:
        CardError: If a row is neither a sequence nor an image, or the heads do not divide the width.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        width: int,
        heads: int,
        layers: int,
        feedforward: int,
        dropout: float,
        positions: str,
    ) -> None:
        super().__init__()
        steps, features = shapes.sequence(input_shape, "a transformer")
        if width % heads:
            raise CardError(f"model.heads: {heads} heads do not divide a width of {width}")
        self.embed = nn.Linear(features, width)
        if positions == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(steps, width))
        else:  # no weights, so no file of weights holds them
            self.register_buffer("positions", sinusoids(steps, width), persistent=False)
        # Normed before each part: trains without a warm-up, where normed after it often does not.
        layer = nn.TransformerEncoderLayer(
            width, heads, feedforward, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)
        for weight in self.layers.parameters():
            if weight.dim() > 1:  # torch copies one layer, and equal layers would begin by learning the same
                nn.init.xavier_uniform_(weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, steps, features)`` or ``(batch, channels, height, width)`` → ``(batch, outputs)``."""
        placed = self.dropout(self.embed(shapes.steps(inputs)) + self.positions)
        result: Tensor = self.head(self.layers(placed).mean(dim=1))
        return result


def sinusoids(steps: int, width: int) -> Tensor:
    """Sines and cosines of the step, from one radian a step down to a ten-thousandth: ``(steps, width)``."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
