"""One look at a column, for ``fit`` and ``init``, for features and the target: what is it, and how is it written?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from runcard.advice import advise
from runcard.card.advice import write_setting
from runcard.card.sections.formats import PLAIN_SPELLING, Spelling
from runcard.data.looking.dates import are_dates
from runcard.data.looking.look import NEARLY, SLIPS, Look, first_row, gaps_said, joined, rows_said
from runcard.data.looking.numbers import TELLING, are_exact, has_leading_zeros, look_at_numbers
from runcard.data.looking.resembling import may_be_grouped, resembling
from runcard.data.looking.seen import Habits, Seen
from runcard.data.looking.twins import twins
from runcard.data.looking.words import look_at_words, shape_of
from runcard.data.looking.written import look_at_written
from runcard.data.values import TRUTH

MANY_DIGITS = "whole numbers of more than 15 digits, as codes are"
# So many different texts tell what form they have.
SAMPLE = 1000


def look_at(seen: Seen, habits: Habits, spelling: Spelling = PLAIN_SPELLING) -> Look:
    """Look at a column whose kind is not given.

    Args:
        seen: The column.
        habits: Of its table.
        spelling: What is given of the column.
    """
    column, kind = seen.column, seen.column.dtype
    known = column.drop_nulls()
    gaps = len(column) - len(known)
    if not len(known):
        return Look("ignore", "it is empty")
    if kind.is_temporal():
        return Look("ignore", f"dates or times: {TELLING}", is_temporal=True)
    if kind == pl.String:
        return _look_at_texts(seen, known, gaps, habits, spelling)
    if not (kind.is_numeric() or kind == pl.Boolean):
        return Look("ignore", f"values of type {kind} are neither numbers, categories nor booleans")
    if known.n_unique() == 1:
        return look_at_numbers(column.name, known.cast(pl.Float64), gaps)
    if kind == pl.Boolean:
        return Look("boolean", gaps_said(gaps))
    # A type of few bits could hold neither the difference of its numbers nor what they are compared with.
    numbers = known.cast(pl.Int64 if kind.is_integer() else pl.Float64, strict=False)
    if numbers.null_count() or not are_exact(known, numbers):
        return look_at_words(column.name, known.cast(pl.String), gaps, MANY_DIGITS)
    return look_at_numbers(column.name, numbers, gaps)


def _look_at_texts(seen: Seen, known: pl.Series, gaps: int, habits: Habits, spelling: Spelling) -> Look:
    assert seen.numbers is not None
    name, numbers = known.name, seen.numbers.drop_nulls()
    if len(numbers) == len(known):
        if spelling.format:
            return look_at_numbers(name, numbers, gaps)
        if habits.decimal != "," or not known.str.contains(".", literal=True).any():
            return _plain_numbers(name, known, numbers, gaps)
    texts = known.unique(maintain_order=True)
    if (boolean := _boolean(name, texts, gaps)) is not None:
        return boolean
    found = look_at_written(seen, texts, habits)
    if found is not None:
        return found
    sample = texts.head(SAMPLE)
    if (dates := _dates(seen.column, sample)) is not None:
        return dates
    if shape := shape_of(sample):
        return Look("ignore", f"{shape}, which name a row and do not describe it")
    doubt = _some_numbers(seen, numbers, known) or resembling(name, texts)
    look = look_at_words(name, known, gaps, doubt)
    return (
        look
        if look.kind == "ignore"
        else replace(look, notes=(*look.notes, *notes_of_texts(seen, texts, "categories")))
    )


def _dates(column: pl.Series, sample: pl.Series) -> Look | None:
    dates = are_dates(sample)
    odd = sample.filter(~dates)
    others = int(column.is_in(odd.implode()).sum()) if dates.any() and len(odd) <= SLIPS else len(column)
    if not len(odd):
        return Look("ignore", f"dates or times: {TELLING}", is_temporal=True)
    if others > (1 - NEARLY) * len(column):
        return None
    remark = f"dates or times, but not {odd[0]!r} (row {first_row(column == odd[0])}): {TELLING}"
    return Look("ignore", remark, is_temporal=True)


def _plain_numbers(name: str, known: pl.Series, numbers: pl.Series, gaps: int) -> Look:
    if has_leading_zeros(known):
        return look_at_words(name, known, gaps, "numbers with leading zeros, as codes have")
    if not are_exact(known, numbers):
        return look_at_words(name, known, gaps, MANY_DIGITS)
    look = look_at_numbers(name, numbers, gaps)
    if look.kind != "number" or not (text := may_be_grouped(known)):
        return look
    way = advise(write_setting("data.formats", name, "1.234,5"))
    doubt = f"{text!r} is read as {float(text):g}; if its point groups thousands, say {way}"
    return replace(look, remark=joined(doubt, look.remark), doubt=True)


def _some_numbers(seen: Seen, numbers: pl.Series, known: pl.Series) -> str:
    """A doubt where texts and numbers are mixed."""
    if numbers.n_unique() < 2:
        return ""
    assert seen.numbers is not None
    odd = seen.numbers.is_null() & seen.column.is_not_null()
    row = first_row(odd)
    return f"{len(numbers)} of {len(known)} values are numbers, not {seen.column[row - 1]!r} (row {row})"


def _boolean(name: str, texts: pl.Series, gaps: int) -> Look | None:
    if len(texts) > 2 * len(TRUTH):
        return None
    words = {text.strip().lower() for text in texts}
    if words in ({"true", "false"}, {"yes", "no"}):
        return Look("boolean", gaps_said(gaps))
    mixed = words <= {*TRUTH, "1", "0"} and len({*words} & {*TRUTH}) > 0 and len(words) > 2
    if not mixed or len({TRUTH.get(word, word) for word in words}) < 2:
        return None
    shown = ", ".join(map(repr, sorted(texts)))
    return Look("boolean", gaps_said(gaps), notes=(f"column {name!r}: {shown} are read as true and false",))


def notes_of_texts(seen: Seen, texts: Iterable[str], what: str) -> list[str]:
    """What to say of a column whose texts count as they stand.

    Args:
        seen: The column.
        texts: Its different texts.
        what: What they are, as ``classes``.
    """
    name = seen.column.name
    nulled = [
        f"column {name!r}: {text!r} is read as missing in {rows_said(rows)}; if it is a value, take it out of "
        "data.null_values"
        for text, rows in seen.nulled.items()
    ]
    blank = [f"column {name!r}: a text of blanks alone is one of the {what}" for text in texts if text.isspace()][:1]
    return [*nulled, *blank, *twins(name, texts, what)]
