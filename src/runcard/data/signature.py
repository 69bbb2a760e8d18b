"""What a model takes and gives: name, kind, shape and range of each feature, and the classes of the target.

Training and serving both read it, so it imports NumPy only. All that is learned here is learned from training rows.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runcard.card.sections.formats import PLAIN_SPELLING, NumberFormat, Spelling
from runcard.data.moments import extremes
from runcard.data.withheld import SaltedSet, Withheld

Kind = Literal["number", "boolean", "category", "text", "image", "vector", "sequence"]
TaskName = Literal["classification", "regression"]
TaskOrAuto = Literal["auto", "classification", "regression"]
Array = NDArray[Any]

# A feature's values, one entry a row. number, boolean: (rows,) float64, missing is NaN; category, text: (rows,)
# object, text or None; image: (rows, channels, height, width) float32; vector: (rows, width) float64; sequence:
# (rows, steps, channels) float64. Any number of a vector or a sequence may be missing; of an image all or none.
Columns = Mapping[str, Array]
# What a feature says of its texts.
SPELLED = ("format", "null_values")
# What most features have nothing of, and JSON then does not hold.
RARE = (*SPELLED, "withheld")
# Kinds whose values are arrays, and of what type; on disk they may be of another.
FORMS: dict[str, type[np.floating[Any]]] = {"image": np.float32, "vector": np.float64, "sequence": np.float64}


@dataclass(frozen=True)
class Feature:
    """One input.

    Attributes:
        name: The field's name in a table or a request.
        kind: How its values are written and turned into numbers.
        shape: ``(channels, height, width)`` of an image, ``(width,)`` of a vector, ``(steps, channels)`` of a
            sequence, ``()`` otherwise.
        low: Smallest value seen in training, of an array's numbers the smallest of all; None for categories
            and text.
        high: Largest value seen in training, likewise.
        categories: The texts seen in training, sorted; empty for other kinds.
        missing: Whether training rows lacked it.
        format: How texts write its numbers, as the number 1234.5; empty: plainly.
        null_values: Texts that mean missing in it, beside those that do in every feature.
        withheld: Categories that are known too, and not listed; only a bundle's features have them.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    missing: bool = False
    format: str = ""
    null_values: tuple[str, ...] = ()
    withheld: Withheld | None = None

    @cached_property
    def known(self) -> Container[str | None]:
        """The categories, and None: what is missing is not unheard of."""
        if self.withheld is None:
            return frozenset({*self.categories, None})
        return SaltedSet({*self.categories, *self.withheld.digests, None}, self.withheld.salt)


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        name: The column that holds the truth.
        task: Whether the answer is a class or a number.
        classes: The classes in the order of the model's outputs; empty for regression.
        low: Smallest value seen in training; None for classes.
        high: Largest value seen in training; None for classes.
    """

    name: str
    task: TaskName
    classes: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Signature:
    """All inputs, in order, and the answer."""

    features: tuple[Feature, ...]
    target: Target

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; how values are written only of features that do not write them plainly."""
        content = asdict(self)
        for feature in content["features"]:
            for name in RARE:
                if not feature[name]:
                    del feature[name]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Signature:
        """The signature that ``to_dict`` wrote, also after a trip through JSON."""
        features = tuple(_restored(item) for item in content["features"])
        target = content["target"]
        return cls(features, Target(**{**target, "classes": tuple(target["classes"])}))


@dataclass(frozen=True)
class Rows:
    """Rows as a source reads them, before anything is learned.

    Attributes:
        columns: The features' values, in the forms that ``Columns`` names once they are picked.
        kinds: Each feature's kind, in order.
        target: The truth: text (object) for classes, float64 for numbers.
        target_name: The column it came from.
        task: What the target is good for.
        classes: The classes in their fixed order; empty for regression.
        fingerprint: SHA-256 of what was read.
        notes: What a user should know, such as columns that were left out.
        mapped: Whether the columns lie on disk, and may be larger than the memory.
        taken_for: Each column of a table but the target → its kind, given or guessed, or ``ignore``; empty where
            the kinds follow from the data alone.
        spellings: Each column of a table, the target too, that writes its values not plainly → how.
        dropped: Why rows were left out → how many.
        places: Where each row stood among all that were read, from 0; None: none was left out.
    """

    columns: dict[str, Array]
    kinds: dict[str, Kind]
    target: Array
    target_name: str
    task: TaskName
    classes: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...] = field(default=())
    mapped: bool = False
    taken_for: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, Spelling] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    places: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.target)

    def pick(self, rows: NDArray[np.int64]) -> dict[str, Array]:
        """The columns of some rows, in memory; see ``Columns`` for the forms."""
        picked = {name: values[rows] for name, values in self.columns.items()}
        forms = {name: FORMS[kind] for name, kind in self.kinds.items() if kind in FORMS}
        return picked | {name: picked[name].astype(form, copy=False) for name, form in forms.items()}


def describe(rows: Rows, train: NDArray[np.int64]) -> Signature:
    """Learn the signature from the training rows.

    Args:
        rows: All rows.
        train: The indices of the training rows.
    """
    features = tuple(
        replace(_feature(name, kind, rows.columns[name], train), **asdict(rows.spellings.get(name, PLAIN_SPELLING)))
        for name, kind in rows.kinds.items()
    )
    if rows.task == "classification":
        return Signature(features, Target(rows.target_name, rows.task, classes=rows.classes))
    seen = rows.target[train]
    return Signature(features, Target(rows.target_name, rows.task, low=float(seen.min()), high=float(seen.max())))


def surprises(signature: Signature, columns: Columns) -> dict[str, tuple[NDArray[np.bool_], str]]:
    """Rows whose values were never seen in training.

    Returns:
        For each feature that has any: which rows, ``(rows,)``, and what is unusual about them.
    """
    found: dict[str, tuple[NDArray[np.bool_], str]] = {}
    for feature in signature.features:
        rows: NDArray[np.bool_]
        values = columns[feature.name]
        if feature.kind == "text":  # none is like another
            continue
        if feature.kind == "category":
            known = feature.known
            rows = np.fromiter((value not in known for value in values), dtype=bool, count=len(values))
            what = "not among the categories seen in training"
        elif feature.low is None or feature.high is None:
            rows = any_of_row(~np.isnan(values))
            what = "where training had none"
        else:
            outside = np.logical_or(values < feature.low, values > feature.high)  # NaN is neither
            rows = any_of_row(outside)
            what = f"outside {feature.low:.10g}…{feature.high:.10g} seen in training"
        if rows.any():
            found[feature.name] = (rows, what)
    return found


def category_count(feature: Feature) -> int:
    """How many categories were seen in training, also of those that are not listed."""
    return len(feature.categories) + (len(feature.withheld.digests) if feature.withheld else 0)


def any_of_row(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows have a mark, ``(rows,)``."""
    if marks.ndim == 1:
        return marks
    # Most often there is none, and NumPy finds that sooner than which rows.
    return np.asarray(marks.any(axis=tuple(range(1, marks.ndim)))) if marks.any() else np.zeros(len(marks), bool)


def _restored(item: Mapping[str, Any]) -> Feature:
    lists = ("shape", "categories", "null_values")
    values: dict[str, Any] = {name: tuple(value) if name in lists else value for name, value in item.items()}
    if values.get("withheld"):
        values["withheld"] = Withheld.from_dict(values["withheld"])
    feature = Feature(**values)
    if feature.format:
        NumberFormat.of(feature.format)  # a ValueError, as of other damage
    return feature


def _feature(name: str, kind: Kind, values: Array, train: NDArray[np.int64]) -> Feature:
    if kind in FORMS:
        low, high, missing = extremes(values, train)
        return Feature(name, kind, values.shape[1:], low, high, missing=missing)
    values = values[train]
    if kind == "text":
        return Feature(name, kind, missing=any(value is None for value in values))
    if kind == "category":
        present = {value for value in values if value is not None}
        return Feature(name, kind, categories=tuple(sorted(present)), missing=len(values) > 0 and None in set(values))
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (None, None)
    return Feature(name, kind, values.shape[1:], low, high, missing=bool(np.isnan(values).any()))
