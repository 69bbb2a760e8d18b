"""Vectors and sequences in requests: lists of numbers, of which some may be unknown."""

from __future__ import annotations

import itertools
from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.signature import Feature

# What training refuses too: it is a slip or a mark for missing.
LARGEST = 1e30
NUMBERS, LISTS = frozenset({int, float}), frozenset({list})
AXES = {"vector": "a list", "sequence": "nested lists, one a step, of as many numbers as there are channels"}


def read_list(value: Any, feature: Feature) -> NDArray[np.float64]:
    """A vector or a sequence as the model takes it, NaN for what is unknown.

    Args:
        value: A list of numbers and nulls, or nested ones, ``(steps, channels)``.
        feature: Its kind and shape.

    Raises:
        ValueError: If it is no such list or has another size.
    """
    if not isinstance(value, list):
        raise ValueError(f"must be {AXES[feature.kind]}")
    sent = shape_of(value)
    if sent != feature.shape:
        raise ValueError(f"must be {described(feature)}, not {size_text(sent)}")
    numbers = flattened(value, feature.shape, NUMBERS | {type(None)})
    if numbers is None:
        raise ValueError(f"must be {AXES[feature.kind]}, and hold numbers or null only")
    if not all(number is None or abs(number) <= LARGEST for number in numbers):
        raise ValueError(f"must hold numbers between -{LARGEST:g} and {LARGEST:g}")
    return np.array(numbers, dtype=np.float64).reshape(feature.shape)


def described(feature: Feature) -> str:
    """A vector's or a sequence's form, in a few words."""
    if feature.kind == "vector":
        return f"a list of {feature.shape[0]} numbers"
    return f"a list of {feature.shape[0]} steps, each a list of {feature.shape[1]} numbers"


def list_schema(shape: tuple[int, ...], item: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of nested lists of items."""
    for size in reversed(shape):
        item = {"type": "array", "items": item, "minItems": size, "maxItems": size}
    return item


def shape_of(value: list[Any]) -> tuple[int, ...]:
    """The shape of nested lists that are as long as their first ones."""
    sizes = []
    part: Any = value
    while isinstance(part, list):
        sizes.append(len(part))
        part = part[0] if part else None
    return tuple(sizes)


def flattened(value: list[Any], shape: tuple[int, ...], types: Set[type]) -> list[Any] | None:
    """The items of nested lists; None if the lists are not of this shape, or an item of no such type.

    To be called before NumPy is: from lists of texts it would make an array of the longest text's width.
    """
    items = value
    for size in shape[1:]:
        if not ({*map(type, items)} <= LISTS and {*map(len, items)} <= {size}):
            return None
        items = list(itertools.chain.from_iterable(items))
    return items if {*map(type, items)} <= types else None


def size_text(shape: tuple[int, ...]) -> str:
    """Such as 1×8×8."""
    return "×".join(map(str, shape))
