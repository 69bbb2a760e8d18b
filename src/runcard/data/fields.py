"""Rows as named fields, as JSON has them, ↔ columns. Shared by packaging and serving, so it imports NumPy only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.signature import Array, Columns, Feature, Signature, surprises

Fields = Mapping[str, Any]
# A code with leading zeros is a text.
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?")


def to_fields(signature: Signature, columns: Columns) -> list[dict[str, Any]]:
    """One mapping a row: numbers, true or false, texts, nested lists for images; None for what is missing."""
    lists = [_listed(feature, columns[feature.name]) for feature in signature.features]
    names = [feature.name for feature in signature.features]
    return [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]


def to_columns(signature: Signature, rows: Sequence[Fields]) -> dict[str, Array]:
    """Columns from rows whose fields are there and of the right kind; see ``Columns`` for the forms."""
    return {feature.name: _column(feature, [row[feature.name] for row in rows]) for feature in signature.features}


def warnings(signature: Signature, columns: Columns, count: int) -> list[list[str]]:
    """For each of ``count`` rows what is unusual about it: a value that is missing or was never seen in training."""
    found: list[list[str]] = [[] for _ in range(count)]
    unseen = surprises(signature, columns)
    for feature in signature.features:
        values = columns[feature.name]
        for row in np.flatnonzero(missing(values)):
            known = "" if feature.missing else ", which no training row lacked"
            found[row].append(f"{feature.name} is missing{known}")
        if feature.name in unseen:
            rows, what = unseen[feature.name]
            for row in np.flatnonzero(rows):
                found[row].append(_said(feature, values[row], what))
    return found


def missing(values: Array) -> NDArray[np.bool_]:
    """Which rows lack the value, ``(rows,)``."""
    if values.dtype == object:
        return np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    return np.asarray(np.isnan(values).any(axis=tuple(range(1, values.ndim))))


def number_text(value: float) -> str:
    """A category that is given as a number; 3.0 is written as 3."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def by_value(categories: Sequence[str]) -> dict[str, str]:
    """How to find a number or a truth value, written plainly, among categories; a text is found by itself.

    Returns:
        Plain text → the category, such as ``1`` → ``1.0``; empty if a category is neither, or two are the same.
    """
    found = {plain: text for text in categories if (plain := _plain(text))}
    return found if len(found) == len(categories) else {}


def _plain(text: str) -> str:
    if text.lower() in ("true", "false"):
        return text.lower()
    return number_text(float(text)) if NUMBER.fullmatch(text) else ""


def _said(feature: Feature, value: Any, what: str) -> str:
    if feature.kind == "category":
        return f"{feature.name} {value!r} was never seen in training"
    if feature.kind == "image":
        return f"{feature.name} has pixels {what}"
    return f"{feature.name} {value:.10g} is {what}"


def _listed(feature: Feature, values: Array) -> list[Any]:
    if feature.kind == "category":
        return list(values)
    gaps = missing(values)
    if feature.kind == "image":
        plain = values[:, 0] if feature.shape[0] == 1 else values  # one channel needs no brackets of its own
        return [None if gap else image.tolist() for gap, image in zip(gaps, plain, strict=True)]
    kind = bool if feature.kind == "boolean" else float
    return [None if gap else kind(value) for gap, value in zip(gaps, values, strict=True)]


def _column(feature: Feature, values: list[Any]) -> Array:
    if feature.kind == "category":
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    if feature.kind == "image":
        images = np.full((len(values), *feature.shape), np.nan, dtype=np.float32)
        for row, value in enumerate(values):
            if value is not None:
                images[row] = np.asarray(value, dtype=np.float32).reshape(feature.shape)
        return images
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
