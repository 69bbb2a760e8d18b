"""Files of rows that may be larger than the memory, batch by batch; each value is what it is in the whole file."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
from polars import selectors

from runcard.data.reading.frames import CSV, checked_kind, csv_source, read_frame, readable
from runcard.data.reading.jsonlines import scan_lines
from runcard.data.reading.layout import PLAIN, Reading, is_remote
from runcard.data.reading.tables import table_batches
from runcard.data.transforms import rows_at_once

# Of a batch: as many times what a network answers at once, and at most so many numbers (8 MB) where that is more.
TIMES = 10
NUMBERS = 2**20
# What the length of a text file is judged by.
SAMPLE_BYTES = 2**20


def batch_rows(shape: Sequence[int]) -> int:
    """How many rows to read at once; a multiple of ``rows_at_once``, so that what is answered together is the same.

    Args:
        shape: Of one row's input, as of ``Transforms.input_shape``.
    """
    rows = rows_at_once(shape)
    return rows * max(1, min(TIMES, NUMBERS // (rows * math.prod(shape))))


def read_batches(
    path: str | Path,
    names: Sequence[str],
    rows: int,
    reading: Reading = PLAIN,
) -> Generator[pl.DataFrame, None, None]:
    """Read some columns of a file of rows, of a CSV as they are written.

    A ``.json``, and what is not on this machine, is read whole and handed out in batches.

    Args:
        path: As for ``read_frame``.
        names: The columns; those that are not there are passed over.
        rows: Of a batch, 1 or more; the last has fewer. Of a file without rows there is one batch without any.
        reading: How a CSV is to be read.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    with readable(path):
        kind = checked_kind(path)
        if kind == ".json" or is_remote(path):
            frame = read_frame(path, reading)
            frame = frame.select(_named(names, frame.columns))
            yield from _even(frame.clear(), frame.iter_slices(rows), rows)
            return
        if kind in CSV:
            source, layout, reading = csv_source(path, reading, kind)
            chosen = _named(names, layout.names)
            frames = (frame.select(chosen) for frame in table_batches(source, layout, reading, rows))
            empty = pl.DataFrame(schema=dict.fromkeys(layout.names, pl.String)).select(chosen)
            yield from _even(empty, frames, rows)
            return
        table = _scanned(path, kind)
        table = table.select(_named(names, table.collect_schema()))
        empty = pl.DataFrame(schema=table.collect_schema())
        yield from _even(empty, table.collect_batches(chunk_size=rows), rows)


def _named(names: Sequence[str], there: Collection[str]) -> selectors.Selector:
    """Columns by their names: polars would take ``*`` for all of them."""
    return selectors.by_name([name for name in names if name in there])


def expected_rows(path: str | Path) -> int | None:
    """How many rows a file holds, or of a text file about how many; None where that cannot be told quickly."""
    with readable(path):
        kind = checked_kind(path)
        if kind == ".json" or is_remote(path):
            return None
        if kind == ".parquet":
            return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        with Path(path).open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
        parts = sample.split(b'"')[::2] if kind in CSV else [sample]  # a text in quotes may have lines
        lines = sum(part.count(b"\n") for part in parts)
        return lines * Path(path).stat().st_size // max(len(sample), 1) or None


def _scanned(path: str | Path, kind: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False) if kind == ".parquet" else scan_lines(path)


def _even(empty: pl.DataFrame, frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Batches of exactly so many rows: polars promises it of none."""
    rest, any_yet = empty, False
    for frame in frames:
        rest = pl.concat([rest, frame]) if rest.height else frame
        while rest.height >= rows:
            yield rest[:rows]
            rest, any_yet = rest[rows:], True
    if rest.height or not any_yet:
        yield rest
