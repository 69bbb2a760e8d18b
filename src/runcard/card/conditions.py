"""Conditions of a space, written behind the values: ``model.channels=choice([16],[32]) if model=cnn,resnet``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from runcard.advice import advise
from runcard.card.space import Dimension, SpaceError, When, choices, dimension_of
from runcard.card.spelling import suggest
from runcard.card.wording import shown
from runcard.errors import Mistake

IF = " if "
AND = re.compile(r"\s+and\s+")


def _how_written() -> str:
    text, whole = advise('KEY="TEXT"'), advise("KEY=VALUES if KEY=VALUE,VALUE and KEY=VALUE")
    return f"One with a condition is written {whole}. A text is quoted: {text}."


def conditional(parser: OverridesParser, text: str) -> Dimension | None:
    """What a text with a condition names; None if it has none.

    Raises:
        SpaceError: If the values or the condition are not right.
    """
    head, found, tail = text.rpartition(IF)
    try:
        override = parser.parse_override(head.rstrip()) if found else None
    except (HydraException, RecursionError, ValueError):
        return None
    if override is None or not override.is_sweep_override() or override.package is not None:
        return None
    when = _when(parser, tail)
    if when is None and "=" in tail and head.rstrip().endswith(")"):
        raise SpaceError(f"has a condition that cannot be read: {tail.strip()}", _how_written())
    return None if when is None else dimension_of(override, head, text, when)


def _when(parser: OverridesParser, text: str) -> When | None:
    """Keys with the values that they must have; None if this is no condition.

    Raises:
        SpaceError: If a key stands twice.
    """
    found: dict[str, tuple[object, ...]] = {}
    for part in AND.split(text.strip()):
        try:
            override = parser.parse_override(part)
            value = override.value()
        except (HydraException, RecursionError, ValueError):
            return None
        if override.package is not None or override.type.name != "CHANGE":
            return None
        key = override.key_or_group
        named = dimension_of(override, part) if override.is_sweep_override() else choices(key, part, [value])
        if named.low is not None or not named.finite:
            return None
        if key in found:
            raise SpaceError(f"names {key} twice in its condition", "Write if KEY=VALUE,VALUE.")
        found[key] = named.values
    return tuple(found.items())


def wrong_conditions(space: Sequence[Dimension], fixed: Sequence[str]) -> Iterator[Mistake]:
    """What is wrong with the conditions of a space.

    Args:
        space: All dimensions.
        fixed: Keys and groups that the sweep sets to one value.
    """
    varied = {dimension.key: dimension for dimension in space}
    for dimension in space:
        for key, values in dimension.when:
            for message, hint in _wrong(key, values, varied, fixed):
                yield Mistake(dimension.text, f"its condition {message}", hint=hint)
    circle = [dimension.key for dimension in space if dimension not in ordered(space)]
    known = all(key in varied for dimension in space for key, _ in dimension.when)
    if circle and known:
        hint = "Leave one of the conditions out."
        yield Mistake("sweep.space", f"the conditions of {' and '.join(circle)} wait for each other", hint=hint)


def _wrong(
    key: str, values: Sequence[object], varied: dict[str, Dimension], fixed: Sequence[str]
) -> Iterator[tuple[str, str]]:
    controlling = varied.get(key)
    if controlling is None and key in fixed:
        yield f"names {key}, which has one value here", f"Vary {key} too, or leave the condition out."
    elif controlling is None:
        yield f"names {key}, which the sweep does not vary", suggest(key, varied)
    elif not controlling.finite:
        yield f"names {key}, which is an interval", "A condition is for a key with listed values."
    else:
        for value in values:
            if not controlling.holds(value):
                yield (
                    f"asks for {key}={shown(value)}, which is not tried",
                    suggest(str(value), map(str, controlling.values)),
                )


def ordered(space: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """The dimensions, each behind those that its condition names, else as they were; without any that never come."""
    left, done = list(space), dict[str, Dimension]()
    while ready := next((d for d in left if all(key in done for key, _ in d.when)), None):
        left.remove(ready)
        done[ready.key] = ready
    return tuple(done.values())
