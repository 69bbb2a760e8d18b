"""Texts as numbers that are not all written plainly: read without a doubt, or refused with what settles them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from runcard.advice import advise
from runcard.card.advice import write_setting
from runcard.card.sections.formats import PLAIN_NUMBERS, NumberFormat
from runcard.data.looking.formats import Written, formats_of
from runcard.data.looking.look import FEW, NEARLY, SLIPS, Look, first_row, rows_said
from runcard.data.looking.numbers import MARKS, look_at_numbers
from runcard.data.looking.seen import Habits, Seen
from runcard.data.spelling import read_numbers


def look_at_written(seen: Seen, texts: pl.Series, habits: Habits) -> Look | None:
    """Look at texts as numbers that are not all written plainly.

    Args:
        seen: The column.
        texts: Its different texts.
        habits: Of its table.

    Returns:
        What it is; None if it is no column of numbers.
    """
    marks = texts.filter(texts.str.strip_chars().str.to_lowercase().is_in([*MARKS]))
    rest = texts.filter(~texts.is_in(marks.implode()))
    written = formats_of(rest)
    numbers, odd = rest.filter(written.numbers), rest.filter(~written.numbers)
    if len(numbers) < 2:
        return None
    if len(odd):
        return _nearly(seen, odd)
    form = written.agreed(habits.decimal, strict=habits.decided)
    if form is None:
        return Look("ignore", refusal=_unsettled(seen, rest, written, habits.decimal if habits.decided else ""))
    return _read_as(seen, form, tuple(sorted(marks)))


def _read_as(seen: Seen, form: NumberFormat, marks: tuple[str, ...]) -> Look:
    column = seen.column
    numbers = read_numbers(column, form).drop_nulls()
    look = look_at_numbers(column.name, numbers, len(column) - len(numbers))
    if look.kind == "ignore":
        return look
    notes = []
    text = "" if form == PLAIN_NUMBERS else str(form)
    if text:
        notes.append(f"column {column.name!r} is read as numbers that are written like {text!r} (data.formats)")
    if marks:
        shown = ", ".join(map(repr, marks))
        count = rows_said(int(column.is_in(list(marks)).sum()))
        notes.append(
            f"column {column.name!r}: {shown} among its numbers is read as missing, in {count} (data.null_values_of)"
        )
    return replace(look, format=text, null_values=marks, notes=tuple(notes))


def _nearly(seen: Seen, odd: pl.Series) -> Look | None:
    """A column of numbers with a few slips; None where there are more of them, or few rows."""
    column = seen.column
    others, count = int(column.is_in(odd.implode()).sum()), len(column) - column.null_count()
    if others > (1 - NEARLY) * count or len(odd) > SLIPS or count < 2 * FEW:
        return None
    name, row = column.name, first_row(column == odd[0])
    more = f" and {len(odd) - 1} other texts are" if len(odd) > 1 else " is"
    missing = [write_setting("data.null_values_of", name, odd.to_list())]
    missing += ["data.missing_target=drop"] if seen.target else []
    message = (
        f"{count - others} of the {count} values of column {name!r} are numbers, and {odd[0]!r} (row {row}){more} none."
        f" Mend the rows, or say what it means: {advise(*missing)} if it is missing, {_as_texts(seen)}."
    )
    return Look("ignore", refusal=message)


def _as_texts(seen: Seen) -> str:
    """What takes a column as it stands, as it is typed."""
    if seen.target:
        classes = seen.column.n_unique() <= len(seen.column) / 2
        return f"{advise('problem.task=classification')} if each is a class" if classes else "or take another target"
    name = seen.column.name
    ways = [advise(write_setting("data.kinds", name, kind)) for kind in ("category", "ignore")]
    return f"{ways[0]} if each is a category, {ways[1]} to leave the column out"


def _unsettled(seen: Seen, texts: pl.Series, written: Written, decimal: str) -> str:
    column, name = seen.column, seen.column.name
    if len(written.formats) == 1:
        form = written.formats[0]
        plain = read_numbers(texts, NumberFormat(decimal, "", form.before, form.after))
        odd = texts[first_row(plain.is_null()) - 1]
        return (
            f"data.decimal is {decimal!r}, and column {name!r} writes {odd!r} (row {first_row(column == odd)}). "
            f"Say how it writes the number 1234.5: {advise(write_setting('data.formats', name, str(form)))}."
        )
    if written.formats:
        one, other = (read_numbers(texts, form) for form in written.formats[:2])
        place = first_row(one != other) - 1
        row = first_row(column == texts[place])
        ways = " or ".join(advise(write_setting("data.formats", name, str(form))) for form in written.formats)
        return (
            f"{texts[place]!r} in column {name!r} (row {row}) may be {one[place]:.10g} or {other[place]:.10g}. "
            f"Say how the column writes the number 1234.5: {ways}."
        )
    first = texts[0]
    other_text = next((text for text in texts if not formats_of(pl.Series([first, text])).formats), texts[-1])
    return (
        f"column {name!r} writes its numbers in more than one way: {first!r} (row {first_row(column == first)}) and "
        f"{other_text!r} (row {first_row(column == other_text)}). Write them alike, or say "
        f"{_as_texts(seen)}."
    )
