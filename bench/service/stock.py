"""What BentoML's own guide leads to: a synchronous API around the same network in torch, all of BentoML on.

RUN=FOLDER python -m bentoml serve bench.service.stock:Stock
"""

from __future__ import annotations

import os

import bentoml
import torch

from runcard import load_run


@bentoml.service(name="stock", workers=1)
class Stock:
    """Answers images of digits."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = load_run(os.environ["RUN"]).model

    @bentoml.api  # type: ignore[untyped-decorator]  # BentoML says no types there
    def predict(self, image: list[list[float]]) -> list[float]:
        """Probabilities of the classes."""
        with torch.inference_mode():
            outputs = self.model(torch.tensor(image).reshape(1, 1, 8, 8))
        found: list[float] = outputs.softmax(dim=1)[0].tolist()
        return found
