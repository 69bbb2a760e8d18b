"""Rows as named fields, as JSON has them, ↔ columns. Shared by packaging and serving, so it imports NumPy only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.signature import FORMS, Array, Columns, Feature, Signature, any_of_row, surprises
from runcard.data.withheld import SaltedDict

Fields = Mapping[str, Any]
WHOLE = re.compile(r"-?(0|[1-9]\d*)")
# A code with leading zeros is a text.
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?")

# How a row may be unusual, beside what ``surprises`` finds.
MISSING, NEVER_MISSING = "missing", "missing, which no training row lacked"


class DoubledNameError(Exception):
    """A name stands twice in an object of JSON; it is the argument."""


def check_pairs(pairs: Sequence[tuple[str, Any]]) -> None:
    """Refuse an object of JSON in which a name stands twice: parsers take one or the other of its values.

    Args:
        pairs: The object's names and values, as ``json`` hands them to an ``object_pairs_hook``.

    Raises:
        DoubledNameError: If one does.
    """
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise DoubledNameError(name)
        seen.add(name)


def to_fields(signature: Signature, columns: Columns) -> list[dict[str, Any]]:
    """One mapping a row: numbers, true or false, texts, lists for vectors, nested ones for sequences and images.

    What is missing is None: the field, or a number in the list of a vector or a sequence.
    """
    lists = [_listed(feature, columns[feature.name]) for feature in signature.features]
    names = [feature.name for feature in signature.features]
    return [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]


def to_columns(signature: Signature, rows: Sequence[Fields]) -> dict[str, Array]:
    """Columns from rows whose fields are there and of the right kind; see ``Columns`` for the forms."""
    names = [feature.name for feature in signature.features]
    return columns_of_lists(signature, {name: [row[name] for row in rows] for name in names})


def columns_of_lists(signature: Signature, lists: Mapping[str, list[Any]]) -> dict[str, Array]:
    """Columns from lists of values, as ``to_columns`` takes them of rows."""
    return {feature.name: _column(feature, lists[feature.name]) for feature in signature.features}


def warnings(signature: Signature, columns: Columns, count: int) -> list[list[str]]:
    """For each of ``count`` rows what is unusual about it: a value that is missing or was never seen in training."""
    found: list[list[str]] = [[] for _ in range(count)]
    odd = [feature for feature in signature.features if not all_usual(feature, columns[feature.name])]
    if not odd:
        return found
    unseen = surprises(Signature(tuple(odd), signature.target), columns)
    for feature in odd:
        values = columns[feature.name]
        gaps = missing(values)
        if gaps.any():
            known = "" if feature.missing else ", which no training row lacked"
            for row in np.flatnonzero(gaps):
                whole = values.ndim == 1 or np.isnan(values[row]).all()
                what = "is missing" if whole else "has numbers that are missing"
                found[row].append(f"{feature.name} {what}{known}")
        if feature.name in unseen:
            rows, what = unseen[feature.name]
            for row in np.flatnonzero(rows):
                found[row].append(_said(feature, values[row], what))
    return found


def oddities(signature: Signature, columns: Columns) -> dict[str, list[tuple[NDArray[np.bool_], str]]]:
    """For each feature that is unusual the rows, ``(rows,)``, in which it is, and how."""
    found: dict[str, list[tuple[NDArray[np.bool_], str]]] = {}
    unseen = surprises(signature, columns)
    for feature in signature.features:
        gaps = missing(columns[feature.name])
        kinds = [(gaps, MISSING if feature.missing else NEVER_MISSING)] if gaps.any() else []
        kinds += [unseen[feature.name]] if feature.name in unseen else []
        if kinds:
            found[feature.name] = kinds
    return found


def all_usual(feature: Feature, values: Array) -> bool:
    """Whether no value is missing, and all were seen in training or lie between those that were; soon told."""
    if not len(values) or feature.kind == "text":
        return feature.kind != "text"
    if feature.kind == "category":
        return all(value is not None and value in feature.known for value in values)
    # What is no number is neither above nor below.
    return feature.low is not None and bool(values.min() >= feature.low and values.max() <= feature.high)


def missing(values: Array) -> NDArray[np.bool_]:
    """Which rows lack the value, or a number of it, ``(rows,)``."""
    if values.dtype == object:
        return np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    return any_of_row(np.isnan(values))


def number_text(value: float) -> str:
    """A category that is given as a number; 3.0 is written as 3."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def by_value(feature: Feature) -> dict[str, str]:
    """How to find a number or a truth value, written plainly, among categories; a text is found by itself.

    Returns:
        Plain text → the category, or its digest, such as ``1`` → ``1.0``; empty if a category is neither, or two are
        the same. Ask it by ``get``.
    """
    found = {plain: text for text in feature.categories if (plain := plainly(text))}
    if len(found) < len(feature.categories):
        return {}
    if feature.withheld is None:
        return found
    others = dict(zip(feature.withheld.plain, feature.withheld.digests, strict=False))
    return SaltedDict({**found, **others}, feature.withheld.salt) if others else {}


def plainly(text: str) -> str:
    """A number or a truth value as all that mean it are written; empty if a text is neither."""
    if text.lower() in ("true", "false"):
        return text.lower()
    if WHOLE.fullmatch(text):  # with all its digits, of which a float holds sixteen
        return "0" if text == "-0" else text
    return number_text(float(text)) if NUMBER.fullmatch(text) else ""


def _said(feature: Feature, value: Any, what: str) -> str:
    if feature.kind == "category":
        return f"{feature.name} {value!r} was never seen in training"
    if feature.kind in FORMS:
        return f"{feature.name} has {'pixels' if feature.kind == 'image' else 'numbers'} {what}"
    return f"{feature.name} {value:.10g} is {what}"


def _listed(feature: Feature, values: Array) -> list[Any]:
    if feature.kind in ("category", "text"):
        return list(values)
    if feature.kind in FORMS:
        return _listed_arrays(feature, values)
    gaps = missing(values)
    kind = bool if feature.kind == "boolean" else float
    return [None if gap else kind(value) for gap, value in zip(gaps, values, strict=True)]


def _listed_arrays(feature: Feature, values: Array) -> list[Any]:
    axes = tuple(range(1, values.ndim))
    gaps = np.isnan(values)
    whole, some = np.asarray(gaps.all(axis=axes)), np.asarray(gaps.any(axis=axes))
    # One channel needs no brackets of its own; an image has no gaps within it.
    plain = values[:, 0] if feature.kind == "image" and feature.shape[0] == 1 else values
    lists: list[Any] = [None if gap else row.tolist() for gap, row in zip(whole, plain, strict=True)]
    for row in np.flatnonzero(some & ~whole):
        known = values[row].astype(object)
        known[gaps[row]] = None
        lists[row] = known.tolist()
    return lists


def _column(feature: Feature, values: list[Any]) -> Array:
    if feature.kind in ("category", "text"):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    if feature.kind in FORMS:
        form = FORMS[feature.kind]
        arrays = [np.asarray(np.nan if value is None else value, dtype=form) for value in values]
        filled = [
            array.reshape(feature.shape) if array.ndim else np.full(feature.shape, np.nan, dtype=form)
            for array in arrays
        ]
        return np.array(filled, dtype=form).reshape(len(values), *feature.shape)
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
