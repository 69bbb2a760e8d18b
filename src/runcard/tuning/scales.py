"""Where the values of a key lie on an axis, from 0 to 1, whatever they are; and what of a wide range is drawn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runcard.leaves import shown
from runcard.tuning.ranking import Trial, is_number
from runcard.visible import one_line

# Longer names are cut in plots; tables have them whole.
MAX_LETTERS = 18
# On one axis; more names would lie upon each other.
MAX_TICKS = 8
# Parts of an axis; the second of two numbers that are closer stays without its name.
CLOSE = 0.05
# From this ratio on, numbers above 0 are laid out by their order of magnitude, if the middle one lies so low.
WIDE, LOW = 100.0, 0.2
# A value that is worse than the best by so many times what the middle one is, is drawn at the edge.
FAR = 1000.0


@dataclass(frozen=True)
class Scale:
    """One axis.

    Attributes:
        name: What lies on it.
        places: Trial number → place, from 0 to 1; who has no value is missing.
        ticks: Places and what they are called.
        numeric: Whether the order of places means something.
    """

    name: str
    places: dict[int, float]
    ticks: list[tuple[float, str]]
    numeric: bool


def label(value: Any) -> str:
    """A value as a plot names it."""
    text = one_line(shown(value))
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"


def key_label(key: str) -> str:
    """A key as a plot names it: a line for each part."""
    return ".\n".join(label(part) for part in key.split("."))


def scale_of(name: str, values: Mapping[int, Any]) -> Scale:
    """Lay out values, by trial number: numbers by size, all else by name."""
    if values and all(map(is_number, values.values())):
        return _numbers(name, {number: float(value) for number, value in values.items()})
    names = sorted({shown(value) for value in values.values()})
    places = {text: _share(place, 0, len(names) - 1) for place, text in enumerate(names)}
    ticks = [(places[text], label(text)) for text in names[:: math.ceil(len(names) / MAX_TICKS) or 1]]
    return Scale(name, {number: places[shown(value)] for number, value in values.items()}, ticks, numeric=False)


def values_of(key: str, trials: Iterable[Trial]) -> dict[int, Any]:
    """What a key was set to, by trial number; without trials in which it has no meaning."""
    return {trial["number"]: trial["params"][key] for trial in trials if key in trial["params"]}


def varied(trials: Sequence[Trial], importance: Mapping[str, float]) -> list[str]:
    """The keys that are not the same in all trials, the most important first, then as they come."""
    keys = dict.fromkeys([*importance, *(key for trial in trials for key in trial["params"])])
    return [key for key in keys if _varies(values_of(key, trials), len(trials))]


def window(values: Sequence[float], *, upward: bool) -> tuple[float, float]:
    """The range that is drawn: whole, unless something is so bad that the others could not be told apart.

    Args:
        values: At least one.
        upward: Whether more is better.
    """
    signed = np.clip(values, -1e100, 1e100) * (1.0 if upward else -1.0)
    best, worst = float(signed.max()), float(signed.min())
    usual = best - float(np.median(signed))
    if usual > 0 and best - worst > FAR * usual:
        worst = best - FAR * usual
    return (worst, best) if upward else (-best, -worst)


def _varies(values: Mapping[int, Any], trials: int) -> bool:
    return len({shown(value) for value in values.values()}) + (len(values) < trials) > 1


def _numbers(name: str, values: Mapping[int, float]) -> Scale:
    low, high = min(values.values()), max(values.values())
    middle = statistics.median_low(values.values())
    by_magnitude = low > 0 and high / low >= WIDE and _share(middle, low, high) < LOW

    def place(value: float) -> float:
        return _share(math.log(value), math.log(low), math.log(high)) if by_magnitude else _share(value, low, high)

    different = sorted(set(values.values()))
    if len(different) > MAX_TICKS - 2:
        between = np.geomspace(low, high, 5) if by_magnitude else np.linspace(low, high, 5)
        different = between.tolist()
    ticks = [(place(value), f"{value:.3g}") for value in different]
    return Scale(name, {number: place(value) for number, value in values.items()}, _apart(ticks), numeric=True)


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    kept = list(ticks[:1])
    for tick in ticks:
        if tick[0] - kept[-1][0] > CLOSE:
            kept.append(tick)
    return kept


def _share(value: float, low: float, high: float) -> float:
    """How far a value lies between two ends; the middle if they are the same."""
    # Halved, for the difference of two large numbers may be too large.
    return (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5
