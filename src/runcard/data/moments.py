"""What many rows have in common, learned a stretch of rows at a time: memory does not grow with their number.

Imports NumPy only. Stretches depend on nothing but how many numbers a row holds, so the same values give the same
bits, wherever they lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Numbers at once: 8 MB as float64. A row that holds more is a stretch of its own.
STRETCH = 2**20


def stretches(rows: NDArray[np.int64], width: int, numbers: int) -> Iterator[NDArray[np.int64]]:
    """Cut row numbers into consecutive stretches.

    Args:
        rows: Row numbers.
        width: How many numbers a row holds.
        numbers: The most that a stretch holds of them; but at least one row.
    """
    step = max(1, numbers // max(1, width))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def extremes(values: Array, rows: NDArray[np.int64]) -> tuple[float | None, float | None, bool]:
    """The smallest and the largest number of some rows, None if there is none, and whether one is missing.

    Args:
        values: ``(rows, ...)`` numbers; missing is NaN.
        rows: The rows to look at.
    """
    low, high, missing = np.inf, -np.inf, False
    for part in stretches(rows, _width(values), STRETCH):
        numbers = values[part]
        missing = missing or bool(np.isnan(numbers).any())
        # A stretch without any number gives NaN, which neither of them prefers.
        low = min(low, float(np.fmin.reduce(numbers, axis=None)))
        high = max(high, float(np.fmax.reduce(numbers, axis=None)))
    return (low, high, missing) if low <= high else (None, None, missing)


def mean_and_std(
    values: Array, rows: NDArray[np.int64], columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of some rows, in float64, by Chan's rule for merging parts.

    Args:
        values: ``(rows, ...)`` numbers; what is missing is NaN, and left out.
        rows: The rows to learn from.
        columns: The length of the last axis, to have both of each of its columns; 1: of all numbers.

    Returns:
        Both ``(columns,)``. The deviation is 0 where a number never changed, or was never there.
    """
    width, none = _width(values), np.zeros(columns)
    seen = _Seen(none, none, none, none + np.inf, none - np.inf)
    for part in stretches(rows, width, STRETCH):
        places = _look(values[part].reshape(len(part), width))
        piece = _merged(*(each.reshape(-1, columns) for each in places))
        seen = _merged(*(np.stack(both) for both in zip(seen, piece, strict=True)))
    # Rounding gives a constant a deviation that is not 0.
    std = np.sqrt(seen.squares / np.maximum(seen.rows, 1))
    return seen.mean, np.where(seen.low < seen.high, std, 0.0)


class _Seen(NamedTuple):
    """What is known of some numbers, column by column.

    Attributes:
        rows: How many there are.
        mean: Their mean; 0 if there are none.
        squares: The sum of their squared distances from it.
        low: The smallest.
        high: The largest.
    """

    rows: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def _look(values: Array) -> _Seen:
    numbers = values.astype(np.float64)
    low, high = np.fmin.reduce(numbers, axis=0), np.fmax.reduce(numbers, axis=0)
    gaps = np.isnan(numbers)
    numbers[gaps] = 0.0
    count = (~gaps).sum(axis=0).astype(np.float64)
    mean = numbers.sum(axis=0) / np.maximum(count, 1)
    numbers -= mean
    numbers[gaps] = 0.0
    return _Seen(count, mean, np.square(numbers, out=numbers).sum(axis=0), low, high)


def _merged(count: Array, mean: Array, squares: Array, low: Array, high: Array) -> _Seen:
    """Several sets of numbers as one; each argument is ``(sets, columns)``."""
    total = count.sum(axis=0)
    middle = (count * mean).sum(axis=0) / np.maximum(total, 1)
    squares = (squares + count * (mean - middle) ** 2).sum(axis=0)
    return _Seen(total, middle, squares, np.fmin.reduce(low, axis=0), np.fmax.reduce(high, axis=0))


def _width(values: Array) -> int:
    return int(np.prod(values.shape[1:], dtype=np.int64))
