"""A column prepared for a look: what means missing is missing, and what of its texts are numbers is known."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from runcard.card.sections.formats import PLAIN_NUMBERS, PLAIN_SPELLING, NumberFormat, Spelling
from runcard.data.spelling import read_numbers, without_nulls
from runcard.data.values import wrong_numbers


@dataclass(frozen=True)
class Habits:
    """How the columns of a table are written, as far as it is known.

    Attributes:
        decimal: Before a fraction, ``.`` or ``,``; empty: it is not known.
        decided: Whether that was given, and is no guess.
        null_values: Texts that mean missing in every column.
    """

    decimal: str = ""
    decided: bool = False
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """A column of texts or values, prepared for a look.

    Attributes:
        column: Its values; what means missing is missing.
        nulled: Texts that meant missing and were no gap in the file → rows.
        numbers: What of them are numbers; None: it is no column of texts.
        target: Whether it is what is to be predicted.
    """

    column: pl.Series
    nulled: dict[str, int] = field(default_factory=dict)
    numbers: pl.Series | None = None
    target: bool = False


def see(column: pl.Series, habits: Habits, spelling: Spelling = PLAIN_SPELLING, *, target: bool = False) -> Seen:
    """Prepare a column for a look at it.

    Args:
        column: Its values, of a CSV as they are written.
        habits: Of its table.
        spelling: What is given of the column.
        target: Whether it is what is to be predicted.
    """
    kind = column.dtype
    if kind.is_float():
        column = column.fill_nan(None)
    if kind.is_numeric():
        return Seen(without_nulls(column, spelling.null_values), target=target)
    if kind in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        return Seen(column, target=target)
    form = NumberFormat.of(spelling.format) if spelling.format else PLAIN_NUMBERS
    numbers = read_numbers(column, form)
    nulls = (*habits.null_values, *spelling.null_values)
    if not (_like_numbers(nulls, form) or wrong_numbers(column, numbers).any() or numbers.is_nan().any()):
        return Seen(column, {}, numbers.fill_nan(None), target)
    column, nulled = _missing_set(column, nulls)
    numbers = read_numbers(column, form).fill_nan(None)
    known = without_nulls(numbers, spelling.null_values)
    column = column.zip_with(known.is_not_null() | numbers.is_null(), pl.Series([None], dtype=pl.String))
    return Seen(column, nulled, known, target)


@functools.cache
def _like_numbers(texts: tuple[str, ...], form: NumberFormat) -> bool:
    """Whether one of the texts that mean missing would be a number."""
    return bool(texts) and read_numbers(pl.Series(texts), form).is_not_null().any()


def _missing_set(column: pl.Series, texts: Sequence[str]) -> tuple[pl.Series, dict[str, int]]:
    marks = column.is_in([*texts]).fill_null(value=False)
    if not marks.any():
        return column, {}
    counts = column.filter(marks).alias("text").value_counts(sort=True, name="rows")
    known = column.zip_with(~marks, pl.Series([None], dtype=pl.String)).alias(column.name)
    return known, {text: rows for text, rows in counts.iter_rows() if text}
