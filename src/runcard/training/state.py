"""Where training stands: all that is not in the weights and the optimizer, as plain values and tensors."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

Numbers = dict[str, float]


@dataclass
class State:
    """Where training stands.

    Attributes:
        epoch: The epoch that is under way, from 0.
        minibatch: How many minibatches of it are done.
        skipped: How many minibatches taught nothing, for their loss was no number.
        rate: The learning rate of the epoch's first step.
        losses: The loss of each minibatch so far, as float32; what was not learned from is NaN.
        history: What was logged, one mapping an epoch.
        best_epoch: The epoch that validated best; -1 before the first.
        best_numbers: What it logged.
        best_weights: Its weights, on the CPU.
        reached: The monitor's value that early stopping compares with; None before the first.
        waited: Epochs since then.
        stopped: Whether training is over.
    """

    epoch: int = 0
    minibatch: int = 0
    skipped: int = 0
    rate: float = 0.0
    losses: array[float] = field(default_factory=lambda: array("f"))
    history: list[Numbers] = field(default_factory=list)
    best_epoch: int = -1
    best_numbers: Numbers = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    reached: float | None = None
    waited: int = 0
    stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {"losses": torch.tensor(self.losses)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> State:
        """What ``to_dict`` gave."""
        plain = {item.name: content[item.name] for item in fields(cls)}
        return cls(**plain | {"losses": array("f", content["losses"].tolist())})


def random_states() -> dict[str, Any]:
    """The random number generators of Python, NumPy and torch, for a checkpoint."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    found: dict[str, Any] = {
        "python": [version, list(words), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    return found | ({"cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_initialized() else {})


def set_random_states(states: Mapping[str, Any]) -> None:
    """Go on with the numbers that would have come next."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
