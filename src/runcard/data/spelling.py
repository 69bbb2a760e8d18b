"""Texts as the numbers that a column means by them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from runcard.card.sections.formats import ALIKE, PLAIN_NUMBERS, NumberFormat


def read_numbers(texts: pl.Series, form: NumberFormat = PLAIN_NUMBERS) -> pl.Series:
    """The numbers that texts stand for, Float64; null where one is not written so.

    Args:
        texts: A column of texts.
        form: How they are written. Blanks around a number mean nothing; groups of digits may be left out.
    """
    if form != PLAIN_NUMBERS:
        return read_unified(unified(texts), form).alias(texts.name)
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers
    # Each other text is looked at once, however many rows have it.
    wrong = numbers.is_null() & texts.is_not_null()
    odd = texts.filter(wrong).alias("").unique()
    meant = read_unified(unified(odd), form)
    if meant.null_count() == len(odd):
        return numbers
    return numbers.scatter(wrong.arg_true(), texts.filter(wrong).replace_strict(odd, meant, return_dtype=pl.Float64))


def without_nulls(numbers: pl.Series, texts: Sequence[str]) -> pl.Series:
    """Numbers without those that mean missing.

    Args:
        numbers: Of a column.
        texts: What means missing in it; those that are numbers count by their value, as -999 in -999.0.
    """
    if not texts:
        return numbers
    values = read_numbers(pl.Series(texts, dtype=pl.String)).drop_nulls()
    marks = numbers.cast(pl.Float64).is_in(values.implode()).fill_null(value=False)
    return numbers.zip_with(~marks, pl.Series([None], dtype=numbers.dtype)) if marks.any() else numbers


def read_unified(plain: pl.Series, form: NumberFormat) -> pl.Series:
    """As ``read_numbers``, of texts that ``unified`` gave."""
    written = plain.str.contains(f"^{_pattern(form)}$")
    if form.thousands:
        plain = plain.str.replace_all(form.thousands, "", literal=True)
    for dress in filter(None, (form.before, form.after)):
        plain = plain.str.replace(dress, "", literal=True)
    bare = plain.str.replace_all(" ", "", literal=True).str.replace(form.decimal, ".", literal=True)
    numbers = bare.cast(pl.Float64, strict=False)
    return numbers.zip_with(written.fill_null(value=False), pl.Series([None], dtype=pl.Float64))


def unified(texts: pl.Series) -> pl.Series:
    """The texts without blanks around them, with plain blanks, apostrophes and minus signs within."""
    return texts.str.strip_chars().str.replace_many(list(ALIKE), list(ALIKE.values())).str.strip_chars()


def _pattern(form: NumberFormat) -> str:
    decimal, before, after = map(re.escape, (form.decimal, form.before, form.after))
    groups = rf"\d{{1,3}}(?:{re.escape(form.thousands)}\d{{3}})+" if form.thousands else ""
    whole = f"(?:{groups}|\\d+)" if groups else r"\d+"
    number = rf"(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][-+]?\d+)?"
    # A sign stands before the number, or before what stands there.
    front = rf"(?:[-+]? ?{before}|{before} ?[-+]?) ?" if before else r"[-+]?"
    return f"{front}{number} ?{after}" if after else f"{front}{number}"
