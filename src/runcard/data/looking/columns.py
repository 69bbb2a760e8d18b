"""One look at a column, for ``fit`` and ``init``, for features and the target: what is it, and how is it written?"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from runcard.card.advice import setting
from runcard.card.sections.formats import PLAIN_NUMBERS, PLAIN_SPELLING, NumberFormat, Spelling
from runcard.data.looking.dates import are_dates
from runcard.data.looking.formats import Written, formats_of
from runcard.data.looking.look import FEW, Look, first_row, gaps_said, joined, rows_said
from runcard.data.looking.numbers import MARKS, TELLING, are_exact, has_leading_zeros, look_at_numbers
from runcard.data.looking.resembling import may_be_grouped, resembling
from runcard.data.looking.twins import twins
from runcard.data.looking.words import look_at_words, shape_of
from runcard.data.spelling import read_numbers, without_nulls
from runcard.data.values import TRUTH, wrong_numbers

# Of so many values in a hundred that are numbers the rest are slips; more than so many different ones are none.
NEARLY, SLIPS = 0.9, 5
MANY_DIGITS = "whole numbers of more than 15 digits, as codes are"
# So many different texts tell what form they have.
SAMPLE = 1000


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
        return Look("ignore", f"dates or times: {TELLING}")
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
        return Look("ignore", f"dates or times: {TELLING}")
    if others > (1 - NEARLY) * len(column):
        return None
    return Look("ignore", f"dates or times, but not {odd[0]!r} (row {first_row(column == odd[0])}): {TELLING}")


def _plain_numbers(name: str, known: pl.Series, numbers: pl.Series, gaps: int) -> Look:
    if has_leading_zeros(known):
        return look_at_words(name, known, gaps, "numbers with leading zeros, as codes have")
    if not are_exact(known, numbers):
        return look_at_words(name, known, gaps, MANY_DIGITS)
    look = look_at_numbers(name, numbers, gaps)
    if look.kind != "number" or not (text := may_be_grouped(known)):
        return look
    way = setting("data.formats", name, "1.234,5")
    doubt = f"{text!r} is read as {float(text):g}; if its point groups thousands, say {way}"
    return replace(look, remark=joined(doubt, look.remark), doubt=True)


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
    message = (
        f"{count - others} of the {count} values of column {name!r} are numbers, and {odd[0]!r} (row {row}){more} none."
        f" Mend the rows, or say what it means: {setting('data.null_values_of', name, odd.to_list())}"
        f"{' data.missing_target=drop' if seen.target else ''} if it is missing, {_as_texts(seen)}."
    )
    return Look("ignore", refusal=message)


def _as_texts(seen: Seen) -> str:
    """What takes a column as it stands, as it is typed."""
    if seen.target:
        classes = seen.column.n_unique() <= len(seen.column) / 2
        return "problem.task=classification if each is a class" if classes else "or take another target"
    name = seen.column.name
    ways = setting("data.kinds", name, "category"), setting("data.kinds", name, "ignore")
    return f"{ways[0]} if each is a category, {ways[1]} to leave the column out"


def _unsettled(seen: Seen, texts: pl.Series, written: Written, decimal: str) -> str:
    column, name = seen.column, seen.column.name
    if len(written.formats) == 1:
        form = written.formats[0]
        plain = read_numbers(texts, NumberFormat(decimal, "", form.before, form.after))
        odd = texts[first_row(plain.is_null()) - 1]
        return (
            f"data.decimal is {decimal!r}, and column {name!r} writes {odd!r} (row {first_row(column == odd)}). "
            f"Say how it writes the number 1234.5: {setting('data.formats', name, str(form))}."
        )
    if written.formats:
        one, other = (read_numbers(texts, form) for form in written.formats[:2])
        place = first_row(one != other) - 1
        row = first_row(column == texts[place])
        ways = " or ".join(setting("data.formats", name, str(form)) for form in written.formats)
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
