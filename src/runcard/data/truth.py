"""What a target must be to be learned from, whatever source it comes from."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from runcard.advice import advise
from runcard.errors import DataError


def checked_classes(target: str, names: Collection[str], count: int) -> tuple[str, ...]:
    """The classes in their fixed order: numbers by value, then texts.

    Args:
        target: The target's name.
        names: Its different values.
        count: How many rows there are.

    Raises:
        DataError: If there is one class only, or hardly two rows a class.
    """
    classes = tuple(sorted(names, key=_class_order))
    if len(classes) < 2:
        raise DataError(f"the target {target!r} is {classes[0]!r} in every row: there is nothing to tell apart")
    if len(classes) > count / 2:
        raise DataError(
            f"the target {target!r} has {len(classes)} classes in {count} rows: hardly two rows a class."
            + (
                f" If it is a number to predict, say {advise('problem.task=regression')}."
                if all(map(_is_number, classes))
                else ""
            )
        )
    return classes


def checked_numbers(target: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers to predict.

    Raises:
        DataError: If they are the same in every row.
    """
    if values.min() == values.max():
        raise DataError(f"the target {target!r} is {values[0]:g} in every row: there is nothing to predict")
    return values


def _class_order(name: str) -> tuple[int, float, str]:
    """Numbers by their value before texts by their letters: 2 comes before 10."""
    return (0, float(name), name) if _is_number(name) else (1, 0.0, name)


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False
