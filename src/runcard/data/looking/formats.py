"""Which format the numbers of a column are written in, as far as there is no doubt."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from runcard.card.sections.formats import THOUSANDS, NumberFormat
from runcard.data.spelling import read_unified, unified

# What may stand before or behind a number without a word from its owner; a unit could be part of a name.
SIGNS = "€$£¥₹₽₩₺₴₫฿%‰"
CODES = r"EUR|USD|GBP|CHF|JPY|INR|CNY|SEK|NOK|DKK|PLN|CZK|HUF|kr|zł|Kč|Fr\."
DRESS = f"[{SIGNS}]|{CODES}"
DRESSED = rf"^[-+]? ?({DRESS})? ?[-+]? ?(?:\d[\d., '_]*(?:[eE][-+]?\d+)?|[.,]\d+) ?({DRESS})?$"
CORES = [NumberFormat(decimal, mark) for mark, decimal in itertools.product(("", *THOUSANDS), ".,") if mark != decimal]


@dataclass(frozen=True)
class Written:
    """How texts may be written.

    Attributes:
        numbers: Which of them are a number in some format, ``(texts,)``.
        formats: Those that all of these agree with; no two would read the same numbers.
    """

    numbers: pl.Series
    formats: tuple[NumberFormat, ...]

    def agreed(self, decimal: str, *, strict: bool) -> NumberFormat | None:
        """The one format, or the one with this decimal mark; None: there is none, or no telling which.

        Args:
            decimal: ``.`` or ``,``; empty: it is not known.
            strict: Whether no other mark will do, also if there is one format only.
        """
        fitting = [form for form in self.formats if decimal in ("", form.decimal)]
        if not strict and len(self.formats) == 1:
            return self.formats[0]
        return fitting[0] if len(fitting) == 1 else None


def formats_of(texts: pl.Series) -> Written:
    """The formats that texts agree with, the plain one first.

    Args:
        texts: Different texts, none missing.
    """
    plain = unified(texts)
    cores = plain.str.replace_all(DRESS, "").str.strip_chars()
    read = {form: read_unified(cores, form) for form in CORES}
    numbers = plain.str.contains(DRESSED)
    numbers &= pl.select(pl.any_horizontal(values.is_not_null() for values in read.values())).to_series()
    dresses = [set(plain.filter(numbers).str.extract(DRESSED, group).fill_null("")) for group in (1, 2)]
    if any(len(dress) != 1 for dress in dresses):  # none, or several
        return Written(numbers, ())
    (before,), (after,) = dresses
    fitting = fitting_formats({form: values.filter(numbers) for form, values in read.items()})
    return Written(numbers, tuple(replace(form, before=before, after=after) for form in fitting))


def fitting_formats(read: Mapping[NumberFormat, pl.Series]) -> list[NumberFormat]:
    """The formats that read every text; of those that read the same numbers the first.

    Args:
        read: Format → the numbers that it reads, null where a text is not written so.
    """
    distinct: dict[NumberFormat, pl.Series] = {}
    for form, values in read.items():
        if not values.null_count() and not any(values.equals(other) for other in distinct.values()):
            distinct[form] = values
    return [*distinct]
