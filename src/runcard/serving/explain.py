"""Which features an answer hangs on: what becomes of it when one is as in other rows.

The effect of a feature is ``f(x) - mean over b of f(x with the feature of row b)``, b out of the bundle's examples:
so much of the answer goes when the feature is no longer what it is, all others staying as they are. Of an image, a
sequence or a vector each cell of a grid has an effect of its own (for images, occlusion: Zeiler and Fergus, 2014); of a
text each word, which is left out. Effects need not add up to the answer, for features act together.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.fields import to_columns
from runcard.data.signature import FORMS, Array, Columns, Feature
from runcard.packaging.bundle import Bundle

MOST_ROWS = 32  # others that a feature is taken from
# Numbers that the network is given for one grid, and rows of them, at the most; what is larger gets a coarser grid and
# fewer others, but not fewer than so many cells.
MOST_NUMBERS, LEAST_VARIANTS, MOST_VARIANTS = 2**24, 64, 2048
AT_ONCE = 2**21  # of these numbers, those that are in memory together, if one row does not hold more
MOST_CELLS = 16  # along an axis
MOST_WORDS = 200
METHOD = "An effect is how much less the answer would be, on average, if that field alone were as in other rows."


@dataclass(frozen=True)
class _Answered:
    """A row, the place of its class among the answers (None: a number), and its answer there."""

    columns: Columns
    place: int | None
    value: float


class Explainer:
    """Explains a bundle's answers.

    Args:
        bundle: What answers.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._size = sum(math.prod(feature.shape) for feature in bundle.signature.features)
        columns = to_columns(bundle.signature, bundle.examples)
        self._others = {name: values[:MOST_ROWS] for name, values in columns.items()}

    def explain(self, row: Columns) -> dict[str, Any]:
        """What the answer to one row hangs on.

        Returns:
            The answer (``class`` and its ``probability``, or ``value``), ``method``, and ``fields`` with the effect of
            each, the largest first; an array's with the effects of its cells, a text's with those of its words.
        """
        answers = self._bundle.answer(row)
        classes = self._bundle.signature.target.classes
        place = int(answers[0].argmax()) if classes else None
        answered = _Answered(row, place, float(answers[0] if place is None else answers[0, place]))
        if place is None:
            said: dict[str, Any] = {"value": answered.value}
        else:
            said = {"class": classes[place], "probability": answered.value}
        fields = [self._field(feature, answered) for feature in self._bundle.signature.features]
        fields.sort(key=lambda field: -abs(field["effect"]))
        return {**said, "method": METHOD, "fields": fields}

    def _field(self, feature: Feature, row: _Answered) -> dict[str, Any]:
        if feature.kind == "text":
            return {"field": feature.name, **self._words(feature, row)}
        others, variants = self._others[feature.name], MOST_NUMBERS // self._size
        (effect,) = self._effects(feature, row, [()], others[: max(1, variants)])
        if feature.kind not in FORMS:
            return {"field": feature.name, "effect": effect}
        grid = _grid(feature, min(MOST_VARIANTS, max(LEAST_VARIANTS, variants)))
        cells = list(_cells(feature, grid))
        count = max(1, min(len(others), variants // len(cells)))
        effects = self._effects(feature, row, cells, others[:count])
        return {"field": feature.name, "effect": effect, "cells": np.reshape(effects, grid).tolist()}

    def _effects(self, feature: Feature, row: _Answered, cells: list[tuple[slice, ...]], others: Array) -> list[float]:
        """Of each cell of the feature, taken from the others."""
        pairs = list(itertools.product(cells, range(len(others))))
        at_once = max(1, AT_ONCE // self._size)
        parts = []
        for start in range(0, len(pairs), at_once):
            some = pairs[start : start + at_once]
            values = np.repeat(row.columns[feature.name], len(some), axis=0)
            for number, (cell, other) in enumerate(some):
                values[(number, *cell)] = others[(other, *cell)]
            parts.append(self._lost(feature.name, values, row))
        found: list[float] = np.concatenate(parts).reshape(len(cells), -1).mean(axis=1).tolist()
        return found

    def _words(self, feature: Feature, row: _Answered) -> dict[str, Any]:
        text = row.columns[feature.name][0]
        spans = [found.span() for found in itertools.islice(re.finditer(r"\S+", text or ""), MOST_WORDS)]
        values = np.array(["", *(text[:start] + text[end:] for start, end in spans)], dtype=object)
        whole, *each = self._lost(feature.name, values, row).tolist()
        pairs = zip(spans, each, strict=True)
        return {"effect": whole, "words": [{"start": span[0], "end": span[1], "effect": lost} for span, lost in pairs]}

    def _lost(self, name: str, values: Array, row: _Answered) -> NDArray[np.float64]:
        """How much less the answer is with each of the values."""
        columns = {other: np.repeat(one, len(values), axis=0) for other, one in row.columns.items()}
        answers = self._bundle.answer(columns | {name: values})
        return row.value - (answers if row.place is None else answers[:, row.place])


def _axes(feature: Feature) -> tuple[int, ...]:
    """The axes that have cells: height and width of an image, whose channels change together."""
    return feature.shape[1:] if feature.kind == "image" else feature.shape


def _grid(feature: Feature, variants: int) -> tuple[int, ...]:
    """How many cells there are along each axis."""
    axes = _axes(feature)
    most = min(MOST_CELLS, int(variants ** (1 / len(axes)))) if len(axes) > 1 else variants
    return tuple(min(size, most) for size in axes)


def _cells(feature: Feature, grid: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    pairs = zip(_axes(feature), grid, strict=True)
    edges = [np.linspace(0, size, count + 1).round().astype(int) for size, count in pairs]
    channels = (slice(None),) if feature.kind == "image" else ()
    for places in itertools.product(*map(range, grid)):
        cell = (slice(ends[place], ends[place + 1]) for ends, place in zip(edges, places, strict=True))
        yield (*channels, *cell)
