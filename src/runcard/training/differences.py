"""Where two runs of the same card part: their checkpoints compared bit for bit, or within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

Checkpoint = Mapping[str, Any]


def first_step(then: Checkpoint, now: Checkpoint, tolerance: float = 0.0) -> int | None:
    """The first minibatch whose loss is not the same, counted from 0; None if all are.

    Args:
        then: What the last checkpoint of a run holds.
        now: That of the other.
        tolerance: Largest relative difference that counts as the same; 0: the same bits.
    """
    losses, others = then["state"]["losses"].double(), now["state"]["losses"].double()
    shared = min(len(losses), len(others))
    a, b = losses[:shared], others[:shared]
    near = (a - b).abs() <= tolerance * torch.maximum(a.abs(), b.abs())
    found = torch.nonzero(~(near | (a == b) | (a.isnan() & b.isnan())))
    if len(found):
        return int(found[0])
    return shared if len(losses) != len(others) else None


def first_epoch(then: Checkpoint, now: Checkpoint, tolerance: float = 0.0) -> tuple[int, str] | None:
    """The first epoch whose numbers are not the same, and the first of them; None if all are."""
    histories = then["state"]["history"], now["state"]["history"]
    for epoch, (numbers, others) in enumerate(zip(*histories, strict=False)):
        for name in numbers.keys() | others.keys():
            if not near(numbers.get(name), others.get(name), tolerance):
                return epoch, name
    return None if len(histories[0]) == len(histories[1]) else (min(map(len, histories)), "epoch")


def tensors(then: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> Iterator[tuple[str, float]]:
    """The tensors whose bits are not the same, each with the largest distance; infinite if their shapes differ."""
    for name in sorted(then.keys() | now.keys()):
        a, b = then.get(name), now.get(name)
        if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
            yield name, math.inf
        elif not torch.equal(_bits(a), _bits(b)):
            yield name, float((a.double() - b.double()).abs().max())


def _bits(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def equal(one: Any, other: Any) -> bool:
    """Whether two nested plain values and tensors are the same to the last bit."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return not list(tensors({"": one}, {"": other}))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other) or (one != one and other != other)  # NaN is no other than NaN


def near(one: float | None, other: float | None, tolerance: float) -> bool:
    """Whether two numbers are the same, or differ by at most so much of the larger."""
    if one is None or other is None or tolerance == 0:
        return one == other
    return abs(one - other) <= tolerance * max(abs(one), abs(other))
