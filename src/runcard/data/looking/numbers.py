"""Columns of numbers: what they count or name, and which texts among them are none."""

from __future__ import annotations

import re

import polars as pl

from runcard.data.looking.look import FEW, Look, gaps_said, joined, rows_said

# Texts that stand for a missing number, beyond those that are always read so.
MARKS = {"", "?", "-", "--", "---", ".", "..", "*", "na", "n/a", "#n/a", "#na", "n.a.", "none", "null", "unknown"}
MARKS |= {"missing", "nan", "<na>", "(null)", "k.a.", "nil", "not available", "tbd", "n.d.", "nd"}
MARKS |= {"#value!", "#div/0!", "#ref!"}
# Whole numbers of more digits are not held exactly.
EXACT = 2**53
# Of so many values that differ in every row, from a range of so many times their number, none would by chance.
MANY, DENSE = 30, 10
# Numbers that people write for none, and how many times farther than the others spread one lies then.
SENTINELS = {sign * number for number in (99, 999, 9999, 99999, 999999, 888, 8888) for sign in (1, -1)}
FAR = 3
# So few different whole numbers may be codes.
CODES = 10
# A column of these names that goes up by one from row to row says where a row stood, not what it is.
ROW_NUMBER_NAMES = {"", "id", "index", "row", "nr", "no", "number", "unnamed: 0", "rownames"}
KEY = re.compile(r"(^|_)(id|ids|nr|no|num|number|key|index|row|uuid|guid)$")
CLOCK = re.compile(r"(^|_)(date|day|time|timestamp|ts|at|created|updated)$")
COUNTS_ROWS, GOES_UP = "it only counts the rows", "goes up by one from row to row"
NAMES_ROWS = "a different whole number in every row, as identifiers are"
# Why whole numbers are left out that may be a quantity after all.
ONLY_COUNTS = {COUNTS_ROWS, GOES_UP, NAMES_ROWS}
TELLING = "derive numbers from them, such as days or the hour"


def look_at_numbers(name: str, known: pl.Series, gaps: int) -> Look:
    """Look at numbers.

    Args:
        name: Of the column.
        known: Numbers, none missing.
        gaps: How many rows lack it.
    """
    distinct = known.n_unique()
    if distinct == 1:
        return Look("ignore", "the same wherever it is known" if gaps else "the same in every row")
    whole = are_whole(known)
    if whole and not gaps and name.strip().lower() in ROW_NUMBER_NAMES and _goes_up(known):
        return Look("ignore", COUNTS_ROWS)
    if whole and _is_clock(name, known):
        return Look("ignore", f"dates or times written as numbers: {TELLING}", is_temporal=True)
    if doubt := _lone_mark(known):
        return Look("number", joined(doubt, gaps_said(gaps)), doubt=True)
    if whole and len(known) >= FEW and distinct == len(known):
        return _unique(name, known, gaps)
    if whole and 2 < distinct <= CODES and len(known) >= FEW * distinct:
        return Look(
            "number", joined(f"{distinct} different whole numbers: category if they are codes", gaps_said(gaps))
        )
    return Look("number", gaps_said(gaps))


def _lone_mark(known: pl.Series) -> str:
    """A doubt where -999 or the like stands far from all other numbers; empty if none does."""
    for value in (known.min(), known.max()):
        if value in SENTINELS:
            others = known.filter(known != value)
            low, high = float(others.min()), float(others.max())  # type: ignore[arg-type]
            if max(low - value, value - high) > FAR * max(high - low, abs(high)):  # type: ignore[operator]
                rows = rows_said(len(known) - len(others))
                return f"{value:g} in {rows}, far from the others: if it means missing, say so in data.null_values_of"
    return ""


def are_whole(known: pl.Series) -> bool:
    """Whether numbers are whole; 0.0 is, for a file that once had gaps writes whole numbers so."""
    return known.dtype.is_integer() or bool((known == known.round()).all())


def are_exact(known: pl.Series, numbers: pl.Series) -> bool:
    """Whether float64 holds each whole number of a column with all its digits.

    Args:
        known: The column, of texts or of numbers, none missing.
        numbers: What they stand for.
    """
    if not numbers.dtype.is_integer() and known.dtype != pl.String:
        return True
    if not len(numbers) or not (numbers.abs() >= EXACT).any():
        return True
    return known.dtype == pl.String and not known.str.contains(r"^\s*[-+]?\d{16,}\s*$").any()


def has_leading_zeros(known: pl.Series) -> bool:
    """Whether a text begins like 01234, which is a code."""
    return bool(known.str.contains(r"^\s*[-+]?0\d").any())


def _goes_up(known: pl.Series) -> bool:
    return bool((known.diff().drop_nulls() == 1).all())


def _unique(name: str, known: pl.Series, gaps: int) -> Look:
    """Whole numbers that differ in every row: an identifier has no meaning, a quantity may differ by chance."""
    count = len(known)
    if count >= MANY and _goes_up(known):
        return Look("ignore", GOES_UP)
    span = int(known.max()) - int(known.min())  # type: ignore[arg-type]
    if KEY.search(snake(name)) or (count >= MANY and span < DENSE * count):
        return Look("ignore", NAMES_ROWS)
    doubt = "a different whole number in every row: is it an identifier? Then say ignore"
    return (
        Look("number", joined(doubt, gaps_said(gaps)), doubt=True) if count >= MANY else Look("number", gaps_said(gaps))
    )


def _is_clock(name: str, known: pl.Series) -> bool:
    """20260131, or seconds or milliseconds since 1970 in a column that is named after time."""
    if bool(known.is_between(19_000_101, 21_001_231).all()):
        days = known.cast(pl.Int64).cast(pl.String).unique().head(1000)
        return not days.str.to_date("%Y%m%d", strict=False).null_count()
    named = CLOCK.search(snake(name)) is not None
    return named and any(bool(known.is_between(6e8 * unit, 5e9 * unit).all()) for unit in (1, 1000))


def snake(name: str) -> str:
    """``customerId`` and ``Customer ID`` as ``customer_id``."""
    return re.sub(r"\W+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name)).lower().strip("_")
