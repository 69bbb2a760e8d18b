"""What a sweep may vary: a key or a group, and the values it may take, in Hydra's sweep syntax.

choice(a,b) or a,b      these values; a value may be a list or a mapping
range(1,10,3)           1, 4, 7: as Python's range, the end is left out
interval(0,1)           any number between, ends included; int(interval(1,9)): whole numbers
tag(log, interval(...)) the same, each power of ten as likely as any other
glob(*)                 of a group: every choice whose name fits
choice(a,b) if c=d      these values, in trials in which c is d; see ``conditions.py``
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hydra.core.override_parser import types as hydra

from runcard.advice import advise

# Keys, each with the values of which it must have one.
When = tuple[tuple[str, tuple[Any, ...]], ...]
# More values than this are no list that anyone would try one by one.
MAX_VALUES = 10_000
TOO_MANY = f"names more than {MAX_VALUES} values"
# Hydra has cut off what is behind the point before we see a number.
CUT = re.compile(r"^[^=]*=\s*(tag\s*\(\s*log\s*,\s*)?int\s*\(")
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Dimension:
    """One key that a sweep varies.

    Attributes:
        key: The group or the dotted key.
        text: As it was written.
        values: All values in the order written; empty for an interval.
        low: The smallest value of a range or interval.
        high: The largest, included.
        step: Between the values of a range; None for an interval.
        log: Whether to draw evenly on a logarithmic scale.
        glob: Patterns that a group's choices must fit; see ``filled``.
        when: Other keys of the space, each with the values of which it must have one, or this key is not tried.
    """

    key: str
    text: str
    values: tuple[Any, ...] = ()
    low: float | int | None = None
    high: float | int | None = None
    step: float | int | None = None
    log: bool = False
    glob: hydra.Glob | None = None
    when: When = ()

    @property
    def finite(self) -> bool:
        """Whether all values can be tried."""
        return bool(self.values)

    @property
    def corners(self) -> tuple[Any, ...]:
        """The values that decide whether a card takes all: every choice, or both ends of numbers of one type."""
        if self.low is None:
            return _ends(self.values) if all(type(value) in (int, float) for value in self.values) else self.values
        return (self.low,) if self.low == self.high else (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Whether a value is one that the sweep may try."""
        if self.values:
            return is_among(value, self.values)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = isinstance(self.low, int)
        return number and self.low <= value <= self.high and (not whole or value == int(value))

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether this key is tried at a point that has these values; a condition on a key without one is not met."""
        return all(key in values and is_among(values[key], named) for key, named in self.when)

    def filled(self, choices: Sequence[str] | None) -> Dimension:
        """The dimension of a group, with the choices that its pattern fits.

        Args:
            choices: Of the group; None: the key is no group.

        Raises:
            SpaceError: If none does.
        """
        if self.glob is None:
            return self
        if choices is None:
            raise SpaceError(f"{self.key} is no group, and a glob stands for the choices of one")
        found = tuple(self.glob.filter(list(choices)))
        if not found:
            raise SpaceError("fits none of the group's choices", f"There are: {', '.join(choices)}.")
        return replace(self, values=found, glob=None)


class SpaceError(Exception):
    """A text that is no override or names no values; turned into a ``Mistake`` by who knows the place."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


def is_among(value: Any, values: Iterable[Any]) -> bool:
    """Whether a value is one of several; true is not 1."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in values)


def _ends(values: tuple[float, ...]) -> tuple[float, ...]:
    """The smallest and the largest, of whole numbers and of others."""
    kinds = ([value for value in values if isinstance(value, kind)] for kind in (int, float))
    return tuple(dict.fromkeys(end for kind in kinds if kind for end in (min(kind), max(kind))))


def choices(key: str, text: str, values: Iterable[Any]) -> Dimension:
    """The dimension of listed values.

    Raises:
        SpaceError: If there are none, or one twice.
    """
    listed = tuple(values)
    if not listed:
        raise SpaceError("names no value to try")
    if len(listed) > MAX_VALUES:
        raise SpaceError(TOO_MANY, "Choose int(interval(low,high)) instead.")
    # As Optuna compares them: 0, 0.0 and false are one value to it.
    count = Counter(_written(value) if isinstance(value, list | dict) else value for value in listed)
    doubled = [_written(value) for value, times in count.items() if times > 1]
    if doubled:
        raise SpaceError(f"names a value twice: {', '.join(doubled)}")
    return Dimension(key, text, listed)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def dimension_of(override: hydra.Override, values: str, text: str = "", when: When = ()) -> Dimension:
    """What an override that Hydra calls a sweep names.

    Args:
        override: As Hydra reads it.
        values: Its text.
        text: The whole that was written, if there is a condition behind the values.
        when: The condition.

    Raises:
        SpaceError: If it names nothing, or what has no meaning here.
    """
    return replace(_dimension(override, values), text=text or values, when=when)


def _dimension(override: hydra.Override, text: str) -> Dimension:
    key, value = override.key_or_group, override.value()
    if CUT.match(text) and not all(float(number).is_integer() for number in NUMBER.findall(text)):
        raise SpaceError("must hold whole numbers; int(...) would cut off what is behind the point")
    if isinstance(value, hydra.Glob):
        return Dimension(key, text, glob=value)
    assert isinstance(value, hydra.Sweep)
    unknown = sorted(value.tags - {"log"})
    if unknown or (value.tags and not isinstance(value, hydra.IntervalSweep)):
        raise SpaceError(f"has the tag {', '.join(unknown or value.tags)}", "The one tag is log, and for intervals.")
    if isinstance(value, hydra.IntervalSweep):
        return _interval(key, text, value)
    if getattr(value, "shuffle", False):
        raise SpaceError("shuffle has no meaning here", f"Choose {advise('sweep=random')} for a random order.")
    if isinstance(value, hydra.RangeSweep):
        return _range(key, text, value)
    assert isinstance(value, hydra.ChoiceSweep)
    return choices(key, text, [_plain(item) for item in value.list])


def _interval(key: str, text: str, value: hydra.IntervalSweep) -> Dimension:
    low, high = value.start, value.end
    log = "log" in value.tags
    assert low is not None
    assert high is not None
    if not math.isfinite(high - low):
        raise SpaceError("must have finite ends, and a finite way between them")
    if low > high:
        raise SpaceError(f"ends at {high}, below its beginning {low}")
    if log and low <= 0:
        raise SpaceError(f"must begin above 0, not at {low}, to be drawn on a logarithmic scale")
    return Dimension(key, text, low=low, high=high, log=log)


def _range(key: str, text: str, value: hydra.RangeSweep) -> Dimension:
    assert value.start is not None
    assert value.stop is not None
    if not all(math.isfinite(number) for number in (value.start, value.stop, value.step)):
        raise SpaceError("must have finite ends and a finite step")
    if value.step == 0:
        raise SpaceError("must have a step that is not 0")
    if (value.stop - value.start) / value.step > MAX_VALUES:
        raise SpaceError(TOO_MANY, "Choose int(interval(low,high)) instead.")
    # As they are written: of binary numbers, 0.1 + 0.2 would be neither 0.3 nor below it.
    start, stop, step = (Decimal(repr(number)) for number in (value.start, value.stop, value.step))
    whole = all(isinstance(number, int) for number in (value.start, value.stop, value.step))
    count = max(0, math.ceil((stop - start) / step))
    values = tuple((int if whole else float)(start + place * step) for place in range(count))
    if not values:
        raise SpaceError("names no value to try: the end of a range is left out")
    return Dimension(key, text, values, min(values), max(values), abs(value.step))


def _plain(value: Any) -> Any:
    """Lists, mappings and texts without the marks of Hydra's parser."""
    if isinstance(value, hydra.Sweep | hydra.Glob):
        raise SpaceError("holds a range or an interval among its values", "Give it alone, or list values only.")
    if isinstance(value, hydra.QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value
