"""Columns of texts that are texts: categories, names, sentences."""

from __future__ import annotations

import polars as pl

from runcard.advice import advise
from runcard.data.looking.look import FEW, Look, gaps_said, joined

# More texts than this, and most of them used once, are names or free text, which no column of zeros can teach.
MAX_TEXTS = 100
# A text of so many words on the average is a sentence, no name.
SENTENCE = 4
# What so many texts in a hundred are, the column is.
MOST = 0.95
SHAPES = {
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "web addresses": r"^(https?://|www\.)\S+$",
    "UUIDs": r"^\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$",
}


def shape_of(sample: pl.Series) -> str:
    """What nearly all of the texts are that name a row; empty if they do not."""
    return next((name for name, form in SHAPES.items() if sample.str.contains(form).mean() >= MOST), "")  # type: ignore[operator]


def look_at_words(name: str, known: pl.Series, gaps: int, doubt: str = "") -> Look:
    """Look at texts.

    Args:
        name: Of the column.
        known: Texts, none missing.
        gaps: How many rows lack it.
        doubt: Why they might be something else; may be empty.
    """
    distinct, count = known.n_unique(), len(known)
    if distinct == 1:
        return Look("ignore", "the same wherever it is known" if gaps else "the same in every row")
    rare = count >= FEW and distinct > count / 2
    if rare and float(known.str.strip_chars().str.split(" ").list.len().mean()) >= SENTENCE:  # type: ignore[arg-type]
        return Look(
            "ignore",
            f"free text: {advise('model=pretrained')} reads it as kind text, with every other column on ignore",
        )
    if rare and distinct == count:
        return Look("ignore", doubt or "a different text in every row, as names and identifiers are")
    if rare:
        return Look("ignore", joined(doubt, f"{distinct} different texts in {count} rows look like names"))
    many = f"{distinct} different values: rare ones teach little" if distinct > MAX_TEXTS else ""
    notes = (f"column {name!r} is taken for a category: {doubt}",) if doubt else ()
    return Look(
        "category", joined(doubt or many or f"{distinct} values", gaps_said(gaps)), doubt=bool(doubt), notes=notes
    )
