"""What a sweep varies, from a file and from the command line: put together, and judged as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runcard.advice import advise
from runcard.card.compose import divide
from runcard.card.groups import GROUPS
from runcard.card.origins import OVERRIDE, place_of
from runcard.card.overrides import Override, parse_sweep
from runcard.card.points import countable
from runcard.card.space import Dimension, SpaceError, choices
from runcard.errors import Mistake


def placed(mistakes: Sequence[Mistake], of_file: Sequence[Dimension], place: Callable[[str], str]) -> list[Mistake]:
    """Mistakes in a dimension that a file names, with the line where it stands; a tried value was not typed."""
    found = []
    for mistake in mistakes:
        where = mistake.where
        for dimension in of_file:
            of_it = mistake.key in (dimension.text, dimension.key) and not where
            line = place(f"sweep.space.{dimension.key}")
            tried = where.startswith(f"{OVERRIDE}{dimension.key}=")
            if (of_it or tried) and line and not line.startswith(OVERRIDE):
                where = f"{where.removeprefix(OVERRIDE)}, {line}" if tried else line
        found.append(replace(mistake, where=where))
    return found


def given_twice(many: Sequence[Dimension], others: Sequence[str]) -> list[Mistake]:
    """A key that is varied has no other word for it, nor has a key above or below it."""
    keys = [*(dimension.key for dimension in many), *others]
    found = []
    for place, dimension in enumerate(many):
        for other in [*keys[:place], *keys[place + 1 :]]:
            both_values = dimension.key not in GROUPS and other not in GROUPS
            near = is_or_is_below(other, [dimension.key]) or is_or_is_below(dimension.key, [other])
            if other == dimension.key or (both_values and near):
                found.append(Mistake(dimension.text, f"{other} is given twice", hint="Leave one of them out."))
    return found


def is_or_is_below(key: str, others: Sequence[str]) -> bool:
    """Whether a key is one of others, or a part of one of them."""
    return any(key == other or key.startswith(f"{other}.") for other in others)


def written(space: Mapping[str, Any], origins: dict[str, str], mistakes: list[Mistake]) -> list[Dimension]:
    """The dimensions that a file names."""
    found = []
    for key, value in space.items():
        place = place_of(origins, f"sweep.space.{key}")
        wrong: list[Mistake] = []
        try:
            if isinstance(value, list):
                found.append(choices(key, f"{key}={value}", value))
                continue
        except SpaceError as error:
            wrong.append(Mistake(key, error.message, hint=error.hint))
        else:
            one, many = parse_sweep([f"{key}={value}"], wrong)
            found += many
            fixed = advise(f"{key}={value}")
            hint = f"Write choice(a,b), range(a,b) or interval(a,b); or leave it out here and set {fixed}."
            wrong += [Mistake(key, f"names one value, {value}, and nothing to try", hint=hint) for _ in one]
        mistakes += [Mistake(f"sweep.space.{key}", item.message, place, item.hint) for item in wrong]
    return found


def together(
    dimensions: list[Dimension], options: Mapping[str, list[str]], mistakes: list[Mistake]
) -> tuple[Dimension, ...]:
    """The dimensions, each once, the groups' choices among those that exist."""
    found: dict[str, Dimension] = {}
    for dimension in dimensions:
        key = dimension.key
        try:
            found[key] = dimension.filled(options.get(key))
        except SpaceError as error:
            mistakes.append(Mistake(dimension.text, error.message, hint=error.hint))
            continue
        if key == "sweep" or key.startswith("sweep."):
            mistakes.append(Mistake(dimension.text, "a sweep is gone about in one way; give one value"))
        elif key in GROUPS:
            one_each = [Override(key, value, False, f"{key}={value}") for value in found[key].values]
            if not found[key].finite or not all(isinstance(value, str | None) for value in found[key].values):
                mistakes.append(Mistake(dimension.text, "names values, and a group has choices by name"))
            else:
                divide(one_each, dict(options), mistakes)
    return tuple(found.values())


def too_many(space: Sequence[Dimension]) -> Iterator[Mistake]:
    """A mistake, if nobody can count the points."""
    if not countable(space):
        yield Mistake("sweep.space", "has too many conditions that hang together", hint="Make several sweeps of it.")
