"""The points that a sweep tries first: dotted or nested keys of the space, each with a value that it may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runcard.card.points import Point
from runcard.card.space import Dimension
from runcard.card.spelling import suggest
from runcard.card.wording import shown
from runcard.errors import Mistake

NAMED_AGAIN = "Name it too, or leave this key out."


def first_points(
    points: Sequence[Mapping[str, Any]], space: Sequence[Dimension], where: str, mistakes: list[Mistake]
) -> list[Point]:
    """The points by the keys of the space; what is wrong with them is added to ``mistakes``.

    Args:
        points: As they were written.
        space: What is varied.
        where: The place where they were written.
        mistakes: What was found wrong.
    """
    by_key = {dimension.key: dimension for dimension in space}
    found = []
    for place, content in enumerate(points):
        leaves = list(_leaves(content, by_key, ""))
        point = dict(leaves)
        found.append(point)
        if len(point) < len(leaves):
            mistakes.append(Mistake(f"sweep.first.{place}", "names a key twice", where, "Leave one of them out."))
        mistakes += [Mistake(f"sweep.first.{place}", said, where, hint) for said, hint in _wrong(point, by_key)]
    return found


def _leaves(content: Mapping[str, Any], by_key: Mapping[str, Dimension], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        key = f"{prefix}{name}"
        taken = key in by_key and by_key[key].holds(value)
        if isinstance(value, dict) and value and not taken:
            yield from _leaves(value, by_key, f"{key}.")
        else:
            yield key, value


def _wrong(point: Point, by_key: Mapping[str, Dimension]) -> Iterator[tuple[str, str]]:
    if not point:
        yield "names no value", "Leave it out: a sampler chooses what is not named."
    for key, value in point.items():
        dimension = by_key.get(key)
        if dimension is None:
            yield f"names {key}, which the sweep does not vary", suggest(key, by_key)
        elif not dimension.holds(value):
            yield f"names {key}={shown(value)}, which is not among {dimension.text.partition('=')[2]}", ""
        elif not dimension.applies(point):
            needed = " and ".join(f"{other}={','.join(map(str, named))}" for other, named in dimension.when)
            yield f"names {key}, which is tried only if {needed}", NAMED_AGAIN
