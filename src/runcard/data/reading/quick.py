"""A CSV as polars reads it, where that is certain: UTF-8, and lines that have as many fields as the header."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from runcard.data.reading.layout import Layout, Reading, Source

# No CSV has it: with it between fields, a line is one field.
NO_SEPARATOR = "\x1f"


class DoubtError(Exception):
    """What has to be read line by line."""


def read_quickly(source: Source, layout: Layout, reading: Reading, *, header: bool = True) -> pl.DataFrame:
    """Read all rows as texts.

    Args:
        source: The CSV.
        layout: How it is written.
        reading: How it is to be read.
        header: Whether it has its header; else its first line is a row.

    Raises:
        DoubtError: If polars refuses it, or may have read something else than stands there.
    """
    skipped = layout.skipped if header else 0
    frame = _texts(
        source,
        separator=layout.separator,
        skip_lines=skipped,
        has_header=header,
        new_columns=list(layout.names),
        null_values=list(reading.null_values),
    )
    if tuple(frame.columns) != layout.names:
        raise DoubtError
    # A line that lacks a field lacks its last one, and so does a blank line.
    gaps = frame.to_series(-1).alias("").is_null()  # whatever its name: see PATTERN in frames.py
    return _without_blank_lines(frame, gaps, source, layout, skipped + header) if gaps.any() else frame


def _texts(source: Source, **settings: Any) -> pl.DataFrame:
    content = io.BytesIO(source.of) if isinstance(source.of, bytes) else str(source.of)
    try:
        return pl.read_csv(content, infer_schema_length=0, glob=False, **settings)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DoubtError from error


def _without_blank_lines(
    frame: pl.DataFrame, gaps: pl.Series, source: Source, layout: Layout, before: int
) -> pl.DataFrame:
    """Look at the lines whose last field is missing: whether they are blank, or have all fields."""
    lines = _texts(source, separator=NO_SEPARATOR, quote_char=None, skip_lines=before, has_header=False).to_series()
    if len(lines) != frame.height:  # a field has lines of its own
        raise DoubtError
    odd = lines.filter(gaps).fill_null("").str.strip_chars_end("\r")
    # Blanks alone are a value where there is one column, and none where they are between the fields.
    bare = odd if len(layout.names) == 1 or layout.separator.isspace() else odd.str.strip_chars()
    blank = bare == ""
    fields = odd.str.replace_all('"[^"]*"', "").str.count_matches(layout.separator, literal=True) + 1
    if ((fields != len(layout.names)) & ~blank).any() or (len(layout.names) == 1 and blank.any()):
        raise DoubtError
    if not blank.any():
        return frame
    kept = np.ones(frame.height, dtype=bool)
    kept[gaps.to_numpy()] = ~blank.to_numpy()
    return frame.filter(pl.Series(kept))
