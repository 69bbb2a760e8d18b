"""Columns of a table → arrays in the forms that each kind of feature has."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars import selectors

from runcard.card.sections.formats import PLAIN_NUMBERS, PLAIN_SPELLING, NumberFormat, Spelling
from runcard.data.fields import by_value, number_text
from runcard.data.signature import FORMS, Array, Feature, Kind, Signature
from runcard.data.spelling import read_numbers, unified, without_nulls
from runcard.errors import DataError

# What is larger is a slip or a mark for missing, and its square would soon not be a number.
LARGEST = 1e30
TRUTH = {**dict.fromkeys(("true", "yes", "t", "y", "on"), "1"), **dict.fromkeys(("false", "no", "f", "n", "off"), "0")}
NOT_A_NUMBER = ["nan", "+nan", "-nan"]


class NumberError(DataError):
    """A value of a column is no number, or too large to be computed with.

    Attributes:
        reason: What of the column is wrong, without its name.
        is_large: Whether the value is a number.
    """

    def __init__(self, column: str, reason: str, advice: str = "", *quoted: str, is_large: bool = False) -> None:
        self.reason, self.is_large = reason, is_large
        super().__init__(f"column {column!r} {reason}{advice}", *quoted)


def as_written(signature: Signature) -> list[str]:
    """The columns to leave as they are written in a CSV of rows to answer: all that the model knows.

    What a value means then depends neither on the rows beside it nor on where a batch of them ends.
    """
    return [feature.name for feature in signature.features]


def columns_of(frame: pl.DataFrame, signature: Signature, before: int = 0) -> dict[str, Array]:
    """The signature's features, from a table that has at least these columns.

    Args:
        frame: The table.
        signature: What the features are.
        before: How many rows stand before these in their file; an error names the row of the file.

    Raises:
        DataError: If a column is missing or holds values of another kind.
    """
    absent = [feature.name for feature in signature.features if feature.name not in frame.columns]
    if absent:
        listed = ", ".join(map(repr, absent[:5])) + (" …" if len(absent) > 5 else "")
        raise DataError(f"the rows lack {len(absent)} of the model's {len(signature.features)} columns: {listed}")
    return {feature.name: _feature_values(frame[feature.name], feature, before) for feature in signature.features}


def _feature_values(column: pl.Series, feature: Feature, before: int) -> Array:
    if feature.kind in FORMS:
        return _array_values(column, feature, before)
    values = values_of(column, feature.kind, before, Spelling(feature.format, feature.null_values))
    if feature.kind == "category" and column.dtype != pl.String:
        # A file of texts may have been learned from, and a table of numbers is to be answered.
        names = by_value(feature)
        values = np.array([names.get(value, value) for value in values], dtype=object)
    return values


def without(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """A table without a column; polars would take ``*`` for all of them."""
    return frame.drop(selectors.by_name(name))


def number_values(
    column: pl.Series, before: int = 0, spelling: Spelling = PLAIN_SPELLING, numbers: pl.Series | None = None
) -> NDArray[np.float64]:
    """``(rows,)`` float64 with NaN for missing.

    Args:
        column: The values.
        before: How many rows stand before them.
        spelling: How texts of them are written.
        numbers: What ``numbers_of`` gives of them, if that is known; else it is looked up.

    Raises:
        DataError: If a value is no number, or infinite.
    """
    if column.dtype.is_temporal():
        quoted = _quoted(column)
        shown = f"; {quoted} is none" if quoted else ""
        raise NumberError(column.name, f"must hold numbers, not dates or times{shown}", "", quoted)
    numbers = numbers_of(column, spelling) if numbers is None else numbers
    wrong = wrong_numbers(column, numbers, spelling)
    if wrong.any():
        quoted = _quoted(column.filter(wrong))
        written = f" that are written like {spelling.format!r}" if spelling.format else ""
        row = before + wrong.to_list().index(True) + 1
        reason = f"must hold numbers{written}; {quoted} is none (row {row})"
        advice = ". Mend the rows; before training, data.kinds can name another kind for the column."
        raise NumberError(column.name, reason, advice, quoted)
    values = numbers.fill_null(float("nan")).to_numpy()
    large = np.flatnonzero(np.abs(values) > LARGEST)
    if len(large):
        row = large[0]
        text = "is infinite" if np.isinf(values[row]) else f"holds {values[row]:g}, more than can be computed with,"
        reason = f"{text} in row {before + row + 1}"
        raise NumberError(column.name, reason, "; leave it empty if it is unknown", is_large=True)
    return values


def numbers_of(column: pl.Series, spelling: Spelling = PLAIN_SPELLING) -> pl.Series:
    """The numbers of a column, Float64; null where a value is none."""
    if column.dtype != pl.String:
        return without_nulls(column.cast(pl.Float64, strict=False), spelling.null_values)
    form = NumberFormat.of(spelling.format) if spelling.format else PLAIN_NUMBERS
    return without_nulls(read_numbers(column, form), spelling.null_values)


def wrong_numbers(column: pl.Series, numbers: pl.Series, spelling: Spelling = PLAIN_SPELLING) -> pl.Series:
    """Which values are neither a number nor missing.

    Args:
        column: The values.
        numbers: What of them are numbers, as ``read_numbers`` gives them.
        spelling: How they are written.
    """
    wrong = numbers.is_null() & column.is_not_null()
    if not wrong.any():
        return wrong
    if spelling.null_values:  # what was a number, and means missing
        wrong &= numbers_of(column, Spelling(spelling.format)).is_null()
    if column.dtype != pl.String:
        return wrong
    known = unified(column)
    return wrong & ~known.str.to_lowercase().is_in(NOT_A_NUMBER) & ~column.is_in([*spelling.null_values])


def boolean_values(column: pl.Series, before: int = 0, spelling: Spelling = PLAIN_SPELLING) -> NDArray[np.float64]:
    """``(rows,)`` float64: 1 for true, yes, on and 1, 0 for false, no, off and 0, NaN for missing.

    Args:
        column: The values; a text may also be a number that is 1 or 0, such as 1.0, or begin like true, false, yes, no.
        before: How many rows stand before them.
        spelling: How texts of them are written.

    Raises:
        DataError: If a value is none of these.
    """
    texts = _known_texts(column, spelling).str.strip_chars().str.to_lowercase()
    numbers = texts.replace(TRUTH).cast(pl.Float64, strict=False)
    wrong = texts.is_not_null() & ~((numbers == 0) | (numbers == 1) | numbers.is_nan()).fill_null(value=False)
    if wrong.any():
        row = wrong.to_list().index(True)
        message = f"column {column.name!r} must hold true or false; row {before + row + 1} holds {texts[row]!r}"
        raise DataError(message, repr(texts[row]))
    return numbers.fill_null(float("nan")).to_numpy()


def _known_texts(column: pl.Series, spelling: Spelling) -> pl.Series:
    texts = column.cast(pl.String)
    return texts.replace(dict.fromkeys(spelling.null_values)) if spelling.null_values else texts


def text_values(column: pl.Series, spelling: Spelling = PLAIN_SPELLING) -> NDArray[Any]:
    """``(rows,)`` texts, None for missing; a number 3.0 is written as 3, and a text as it stands."""
    if column.dtype.is_float():
        if column.dtype == pl.Float32:
            column = column.cast(pl.String).cast(pl.Float64)  # 0.1, and not 0.10000000149011612
        values = column.fill_nan(None).to_list()
        return np.array([None if value is None else number_text(value) for value in values], dtype=object)
    return np.array(_known_texts(column, spelling).to_list(), dtype=object)


def is_plain(column: pl.Series) -> bool:
    """Whether each value is one number, text, truth value, date or time."""
    return not (column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Duration, pl.Object))


def values_of(
    column: pl.Series,
    kind: Kind,
    before: int = 0,
    spelling: Spelling = PLAIN_SPELLING,
    numbers: pl.Series | None = None,
) -> Array:
    """A column's values as its kind wants them; see ``Columns`` for the forms.

    Args:
        column: The values.
        kind: Of the feature.
        before: How many rows stand before them.
        spelling: How texts of them are written.
        numbers: As of ``number_values``.

    Raises:
        DataError: If a value is of another kind.
    """
    if not is_plain(column):
        raise DataError(f"column {column.name!r} holds values of type {column.dtype}, which cannot be a {kind}")
    if column.dtype in (pl.Categorical, pl.Enum):
        return _looked_up(column, kind, before, spelling)
    if kind == "number":
        return number_values(column, before, spelling, numbers)
    return boolean_values(column, before, spelling) if kind == "boolean" else text_values(column, spelling)


def _looked_up(column: pl.Series, kind: Kind, before: int, spelling: Spelling) -> Array:
    """A column whose rows hold places in a list of texts: each text is read once, however many rows name it."""
    used = column.drop_nulls().unique(maintain_order=True)
    try:
        known = values_of(used.cast(pl.String), kind, spelling=spelling)
    except DataError:
        return values_of(column.cast(pl.String), kind, before, spelling)  # which names the row
    there = column.is_not_null().to_numpy()
    found = np.full(len(column), None if known.dtype == object else np.nan, dtype=known.dtype)
    codes, order = used.to_physical().to_numpy(), np.argsort(used.to_physical().to_numpy())
    found[there] = known[order[np.searchsorted(codes[order], column.drop_nulls().to_physical().to_numpy())]]
    return found


def _array_values(column: pl.Series, feature: Feature, before: int) -> Array:
    """Images, vectors or sequences given as lists of numbers, flat or nested, or as the JSON of such lists."""
    gaps = feature.kind != "image"
    try:
        if column.dtype in (pl.Categorical, pl.Enum):
            column = column.cast(pl.String)
        cells = column.to_list()
        if column.dtype == pl.String:
            cells = [cell if cell is None else json.loads(cell) for cell in cells]
        cells = [np.full(feature.shape, np.nan) if cell is None else cell for cell in cells]
        with np.errstate(over="ignore"):  # to infinity, which is refused below
            rows = [np.asarray(cell, dtype=FORMS[feature.kind]).reshape(feature.shape) for cell in cells]
        values = np.array(rows, dtype=FORMS[feature.kind]).reshape(len(column), *feature.shape)
    except (ValueError, TypeError, OverflowError, RecursionError):
        shape = "×".join(map(str, feature.shape))
        raise DataError(
            f"column {feature.name!r} must hold {feature.kind}s of {shape} numbers each, as lists"
        ) from None
    wrong = ~(np.abs(values) <= LARGEST) if gaps else ~np.isfinite(values)
    wrong &= ~(gaps & np.isnan(values))
    wrong[column.is_null().to_numpy()] = False
    odd = np.flatnonzero(wrong.any(axis=tuple(range(1, wrong.ndim))))
    if len(odd):
        what = f"a number above {LARGEST:g}" if gaps else "a pixel that is no finite number"
        raise DataError(f"column {feature.name!r}: the {feature.kind} in row {before + odd[0] + 1} has {what}")
    return values


def _quoted(values: pl.Series) -> str:
    """Three of the values; empty if they cannot be shown, as dates beyond the calendar."""
    try:
        return ", ".join(repr(value) for value in values.unique(maintain_order=True).head(3).to_list())
    except (ValueError, OverflowError, pl.exceptions.PanicException):
        return ""
