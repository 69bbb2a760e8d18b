"""A network of the shop's own."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import nn


class Residual(nn.Module):
    """A perceptron whose layers add to what was found before them.

    Runcard gives ``input_shape`` and ``outputs``, which follow from the data. The other arguments are keys of the
    section ``model``, checked against these annotations.

    Args:
        input_shape: Shape of one row's input.
        outputs: How many numbers answer a row: one for each class, or a single one.
        width: Units of a layer.
        layers: Layers between input and answer.
        activation: Between the layers; ReLU if there is none.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        width: Annotated[int, Field(gt=0)] = 32,
        layers: Annotated[int, Field(gt=0)] = 2,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation or nn.ReLU()
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), width))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.answer = nn.Linear(width, outputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(batch, *input_shape)`` float32 to ``(batch, outputs)``: logits of the classes, or numbers."""
        found: torch.Tensor = self.activation(self.first(inputs))
        for layer in self.layers:
            found = found + self.activation(layer(found))
        answer: torch.Tensor = self.answer(found)
        return answer
