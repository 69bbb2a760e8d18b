"""Dates and times in the spellings that people and programs use."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from runcard.data.spelling import unified

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y"),
    *("%B %d %Y", "%d. %B %Y", "%d. %b %Y", "%a, %d %b %Y", "%a %b %d %Y", "%A, %B %d, %Y", "%A, %d %B %Y"),
)
# A month alone is no day: the first is put before it.
MONTHS = ("%d %Y-%m", "%d %Y/%m", "%d %m/%Y", "%d %b %Y", "%d %B %Y", "%d %b-%Y", "%d %b-%y", "%d %b %y")
HOURS = ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
# A time of day behind a day, after a blank, a comma or a T; a zone behind it.
TIME = r"[T ,]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?( ?(Z|UTC|GMT|[-+]\d{2}:?\d{0,2}))?$"
MONTH_NAMES = (
    ("january", "januar", "jänner", "janvier", "enero", "gennaio"),
    ("february", "februar", "février", "febrero", "febbraio"),
    ("march", "märz", "mars", "marzo"),
    ("april", "avril", "abril", "aprile"),
    ("mai", "mayo", "maggio"),
    ("june", "juni", "juin", "junio", "giugno"),
    ("july", "juli", "juillet", "julio", "luglio"),
    ("august", "août", "agosto"),
    ("september", "septembre", "septiembre", "settembre"),
    ("october", "oktober", "octobre", "octubre", "ottobre"),
    ("november", "novembre", "noviembre"),
    ("december", "dezember", "décembre", "diciembre", "dicembre"),
)
ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
IN_ENGLISH = {name: month for month, names in zip(ENGLISH, MONTH_NAMES, strict=True) for name in names}
ORDINAL = r"\b(\d{1,2})(st|nd|rd|th)\b"
OTHERS = (
    r"^\d{4}-?W\d{2}(-?\d)?$",  # a week
    r"^\d{4}[- ]?Q[1-4]$|^Q[1-4][- ]?\d{4}$",  # a quarter
    r"^\d{8}T\d{4,6}(Z|[-+]\d{2}:?\d{0,2})?$",  # ISO without signs between
    r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}( [A-Z]{3,4})? \d{4}$",  # as `date` prints
    r"^\d+ days?,? \d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$",  # a stretch of time
)


def are_dates(texts: pl.Series) -> pl.Series:
    """Which texts are a date or a time, in the one spelling that most of them have.

    Args:
        texts: Texts, none missing.
    """
    best, found = 0, texts.is_null()
    for marks in _tries(texts):
        if (count := int(marks.sum())) > best:
            best, found = count, marks
        if best == len(texts):
            break
    return found


def _tries(texts: pl.Series) -> Iterator[pl.Series]:
    plain = unified(texts).str.replace(ORDINAL, "${1}")
    days = plain.str.replace(TIME, "")
    if days.str.contains(r"\p{L}").any():
        # Longer names first: one may begin like another.
        names = sorted(IN_ENGLISH, key=len, reverse=True)
        english = [IN_ENGLISH[name] for name in names]
        days = days.str.replace_many(names, english, ascii_case_insensitive=True, leftmost=True)
    for form in DAYS:
        yield _days(days, form)
    for form in MONTHS:
        yield _days(days.str.replace("^", "1 "), form)
    for form in HOURS:
        yield plain.str.to_uppercase().str.to_time(form, strict=False).is_not_null()
    for pattern in OTHERS:
        yield plain.str.contains(pattern)


def _days(texts: pl.Series, form: str) -> pl.Series:
    """Which texts are days of this form; a year has four digits, or two: 3/4 is no month, and 2.10.0 no day."""
    parsed = texts.str.to_date(form, strict=False)
    years = texts.str.contains(r"(^|\D)\d{4}(\D|$)" if "%Y" in form else r"\D\d{2}$")
    return parsed.is_not_null() & years
