"""What BentoML's own guide leads to: a synchronous API around the same network in torch, all of BentoML on.

BUNDLE=FOLDER python -m bentoml serve bench.service.stock:Stock
"""

from __future__ import annotations

import os
from pathlib import Path

import bentoml
import torch
from safetensors.torch import load_file
from torch import nn


@bentoml.service(name="stock", workers=1)
class Stock:
    """Answers images of digits."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        weights = list(load_file(Path(os.environ["BUNDLE"]) / "model.safetensors").values())
        layers: list[nn.Module] = [nn.Flatten()]
        for weight, bias in zip(weights[::2], weights[1::2], strict=True):
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": bias})
            layers += [layer, nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1]).eval()

    @bentoml.api
    def predict(self, image: list[list[float]]) -> list[float]:
        """Probabilities of the classes."""
        with torch.inference_mode():
            outputs = self.model(torch.tensor(image).reshape(1, 64))
        found: list[float] = outputs.softmax(dim=1)[0].tolist()
        return found
