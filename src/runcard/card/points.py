"""The points of a space with conditions: listed, counted, and chosen so that each value is met once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runcard.card.space import Dimension, is_among

Point = dict[str, Any]
# Of values of keys that conditions name, together: a space with more is no longer counted.
MAX_COUNTED = 100_000


def combined(space: Sequence[Dimension], values: Sequence[Sequence[Any]], point: Mapping[str, Any]) -> Iterator[Point]:
    """Every combination of some values of each dimension, the last key fastest; a key that does not apply is left out.

    Args:
        space: The dimensions, each behind those that its condition names.
        values: Of each dimension.
        point: What is chosen already.
    """
    if not space:
        yield dict(point)
    elif not space[0].applies(point):
        yield from combined(space[1:], values[1:], point)
    else:
        for value in values[0]:
            yield from combined(space[1:], values[1:], {**point, space[0].key: value})


def named_in_conditions(space: Sequence[Dimension]) -> dict[str, list[Any]]:
    """Key → the values of it that conditions ask for."""
    named: dict[str, list[Any]] = {}
    for key, values in itertools.chain.from_iterable(dimension.when for dimension in space):
        found = named.setdefault(key, [])
        found += [value for value in values if not is_among(value, found)]
    return named


def corners(space: Sequence[Dimension]) -> list[list[Any]]:
    """Of each dimension the values that decide whether a card takes all, and those that conditions ask for."""
    named = named_in_conditions(space)
    return [[*d.corners, *(value for value in named.get(d.key, []) if not is_among(value, d.corners))] for d in space]


def meeting(space: Sequence[Dimension], place: int) -> Iterator[Point]:
    """Points that meet each corner of one dimension; none if its condition is never met."""
    named, ends = named_in_conditions(space), corners(space)
    needed = _needed(space, space[place].key)
    values = [
        end if here == place else named[d.key] if d.key in needed else end[:1]
        for here, (d, end) in enumerate(zip(space, ends, strict=True))
    ]
    return (point for point in combined(space, values, {}) if space[place].key in point)


def _needed(space: Sequence[Dimension], key: str) -> set[str]:
    """The keys that the condition of a key names, and those that their conditions name."""
    by_key, needed, wanted = {dimension.key: dimension for dimension in space}, set[str](), [key]
    while wanted:
        for other, _ in by_key[wanted.pop()].when:
            if other not in needed:
                needed.add(other)
                wanted.append(other)
    return needed


def count(space: Sequence[Dimension]) -> float:
    """How many points there are; infinite if there is an interval, or too many conditions hang together."""
    named = named_in_conditions(space)
    return math.prod(_count(part, named, {}) for part in _parts(space)) if countable(space) else math.inf


def countable(space: Sequence[Dimension]) -> bool:
    """Whether so few conditions hang together that their points can be counted."""
    named = named_in_conditions(space)
    return all(math.prod(len(named.get(d.key, ())) + 1 for d in part) <= MAX_COUNTED for part in _parts(space))


def _count(space: Sequence[Dimension], named: Mapping[str, Sequence[Any]], point: Mapping[str, Any]) -> float:
    if not space:
        return 1
    first, rest = space[0], space[1:]
    if not first.applies(point):
        return _count(rest, named, point)
    asked = named.get(first.key, ())
    # All values that no condition asks for have as many points below them.
    others = len(first.values) - len(asked) if first.finite else math.inf
    below = sum(_count(rest, named, {**point, first.key: value}) for value in asked)
    return below + (others * _count(rest, named, point) if others else 0)


def _parts(space: Sequence[Dimension]) -> list[list[Dimension]]:
    """The space divided into parts of which no condition names a key of another."""
    parts: list[list[Dimension]] = []
    for dimension in space:
        keys = {key for key, _ in dimension.when}
        joined = [part for part in parts if keys & {one.key for one in part}]
        parts = [part for part in parts if part not in joined]
        parts.append([*itertools.chain.from_iterable(joined), dimension])
    return parts
