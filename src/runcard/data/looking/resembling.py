"""Texts that are no numbers and look like them: measures, ranges, fractions, versions, numbers that hide a doubt."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from runcard.advice import advise
from runcard.card.advice import write_setting
from runcard.card.sections.formats import NumberFormat
from runcard.data.looking.formats import CORES, fitting_formats
from runcard.data.spelling import read_unified, unified

# Of so many texts in a hundred that begin like numbers the column might mean some.
MOST = 0.9
# Fewer different texts are categories, whatever they look like.
LEAST = 3
BEGINS = r"^\W*\d"
AROUND = r"^([^\d+\-]*?) ?[-+]?[\d.,][\d., '_]*?( ?[^\d.,'_ ][^\d]*)?$"
# One, two or three digits, and groups of three: with a point between them 1.234 may be a thousand.
GROUPED = r"^\s*[-+]?[1-9]\d{0,2}(\.\d{3})+\s*$"
SAMPLE = 1000


def resembling(name: str, texts: pl.Series) -> str:
    """What to say of texts that look like numbers and are none; empty if they do not.

    Args:
        name: Of the column.
        texts: Its different texts.
    """
    if len(texts) < LEAST or float(texts.str.contains(BEGINS).mean()) < MOST:  # type: ignore[arg-type]
        return ""
    form = _dressed(texts)
    if form is None:
        return f"its texts resemble numbers, such as {texts[0]!r}"
    ways = write_setting("data.formats", name, str(form)), write_setting("data.kinds", name, "number")
    return f"its texts resemble numbers, such as {texts[0]!r}; {advise(*ways)} reads them so"


def _dressed(texts: pl.Series) -> NumberFormat | None:
    """The one format with the same words around each number that reads all of the texts."""
    plain = unified(texts)
    dresses = [{text.strip() for text in plain.str.extract(AROUND, group).fill_null("")} for group in (1, 2)]
    if any(len(dress) != 1 for dress in dresses) or not plain.str.contains(AROUND).all():
        return None
    (before,), (after,) = dresses
    if re.search(r"[\d+-]", before + after):  # no format can say that
        return None
    forms = [replace(core, before=before, after=after) for core in CORES]
    fitting = fitting_formats({form: read_unified(plain, form) for form in forms})
    return fitting[0] if len(fitting) == 1 else None


def may_be_grouped(known: pl.Series) -> str:
    """A number such as 1.234, where each that has a point could be written with groups; empty if one could not.

    Args:
        known: Texts of plain numbers, none missing.
    """
    pointed = known.head(SAMPLE).filter(known.head(SAMPLE).str.contains(".", literal=True))
    if not len(pointed) or not pointed.str.contains(GROUPED).all():
        return ""
    pointed = known.filter(known.str.contains(".", literal=True))
    return pointed[0] if pointed.str.contains(GROUPED).all() and pointed.n_unique() > 1 else ""
