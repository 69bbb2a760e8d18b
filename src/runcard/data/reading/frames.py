"""Files of rows → tables: the same reading for training data and for rows to answer."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from runcard.data.reading.careful import checked_layout
from runcard.data.reading.jsonlines import read_json
from runcard.data.reading.layout import PLAIN, Layout, Reading, Source, is_remote, refuse_doubled
from runcard.data.reading.parquet import UNREADABLE, read_parquet, said_first
from runcard.data.reading.tables import read_table
from runcard.errors import DataError
from runcard.regular import open_regular
from runcard.visible import visible

CSV = (".csv", ".tsv", ".txt")
# What polars takes for a pattern, also where it calls its own methods by a column's name.
PATTERN = re.compile(r"\^.*\$", re.DOTALL)


def column_names(path: str | Path, reading: Reading = PLAIN) -> list[str]:
    """The header of a file of rows; of a CSV or Parquet file nothing else is read.

    Args:
        path: As for ``read_frame``.
        reading: How a CSV is to be read.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    with readable(path):
        names = _names(path, checked_kind(path), reading)
    patterns = [name for name in names if PATTERN.fullmatch(name)]
    if patterns:
        raise DataError(
            f"{path} has a column {patterns[0]!r}: polars takes a name from ^ to $ for a pattern; rename it"
        )
    return names


def _names(path: str | Path, kind: str, reading: Reading) -> list[str]:
    if kind == ".parquet":
        return list(pl.read_parquet_schema(path))
    if kind not in CSV:
        return read_frame(path).columns
    if is_remote(path):
        return _remote_names(path, _of_ending(reading, kind))
    return list(checked_layout(Source(Path(path), str(path)), _of_ending(reading, kind)).names)


def read_frame(path: str | Path, reading: Reading = PLAIN) -> pl.DataFrame:
    """Read a file of rows; of a CSV each value is a text, as it is written.

    Args:
        path: A ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.json`` or ``.ndjson`` file.
        reading: How a CSV is to be read; a ``.tsv`` has tabs in any case.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    with readable(path):
        kind = checked_kind(path)
        if kind == ".parquet":
            return read_parquet(path)
        if kind not in CSV:
            return read_json(path, lines=kind != ".json")
        return _read_csv(path, _of_ending(reading, kind))


def read_csv_text(content: bytes, reading: Reading = PLAIN) -> pl.DataFrame:
    """Read the content of a CSV file as ``read_frame`` reads the file.

    Raises:
        DataError: If it is empty or no CSV.
    """
    if not content:
        raise DataError("the CSV is empty")
    with readable("the CSV"):
        return read_table(Source(content, "the CSV"), reading)


def csv_source(path: str | Path, reading: Reading, kind: str) -> tuple[Source, Layout, Reading]:
    """A CSV on this machine, how it is written, and how it is to be read."""
    source, reading = Source(Path(path), str(path)), _of_ending(reading, kind)
    return source, checked_layout(source, reading), reading


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_ending(reading: Reading, kind: str) -> Reading:
    return replace(reading, separator="\t") if kind == ".tsv" else reading


def _read_csv(path: str | Path, reading: Reading) -> pl.DataFrame:
    if not is_remote(path):
        return read_table(Source(Path(path), str(path)), reading)
    names = _remote_names(path, reading)
    nulls = list(reading.null_values)
    return pl.read_csv(path, separator=reading.separator, infer_schema_length=0, null_values=nulls, new_columns=names)


def _remote_names(path: str | Path, reading: Reading) -> list[str]:
    """As a row of texts: polars renames what stands twice in a header."""
    settings: dict[str, Any] = {"separator": reading.separator, "infer_schema_length": 0}
    first = pl.read_csv(path, n_rows=1, has_header=False, truncate_ragged_lines=True, **settings)
    names = [name or "" for name in first.row(0)]
    refuse_doubled(names, str(path))
    return names


def checked_kind(path: str | Path) -> str:
    """The file's ending, in lower case, after a look at whether there is such a file."""
    file, kind = Path(path), Path(path).suffix.lower()
    if not _is_text(str(file.absolute())):
        raise DataError(f"{visible(str(file))} has a name in it that is not UTF-8: rename it")
    if kind not in (".parquet", ".json", ".ndjson", ".jsonl", *CSV):
        endings = ".csv, .tsv, .txt, .parquet, .json or .ndjson"
        raise DataError(f"{path}: files of rows end in {endings}, not {kind or 'nothing'}")
    if is_remote(path):
        return kind
    if not file.exists():
        near = sorted(other.name for other in file.parent.glob(f"*{kind}"))[:5] if file.parent.is_dir() else []
        hint = f" In that folder are: {', '.join(near)}." if near else ""
        raise DataError(f"there is no file {path}.{hint}")
    if file.is_dir():
        raise DataError(f"{path} is a folder; a file of rows was expected")
    with open_regular(file) as opened:
        if not opened.seek(0, os.SEEK_END):
            raise DataError(f"{path} is empty")
    return kind


@contextlib.contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Say in one line what polars says in ten."""
    try:
        yield
    except UNREADABLE as error:
        reason = said_first(error)
        raise DataError(f"cannot read {path}: {reason}", reason) from error


def as_frame(rows: Any) -> pl.DataFrame:
    """Rows at hand as a table.

    Args:
        rows: A table of polars, pandas or Arrow, columns by name, or rows as mappings.

    Raises:
        DataError: If they are no table.
    """
    if isinstance(rows, pl.LazyFrame):
        return rows.collect()
    if isinstance(rows, pl.DataFrame):
        return rows
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # pandas, which need not be installed
        rows = rows.to_dict("list")
    try:
        if hasattr(rows, "__arrow_c_stream__"):
            return pl.DataFrame(rows)
        # All rows decide: polars would look at the first hundred and turn what does not fit into gaps.
        return pl.DataFrame(rows if isinstance(rows, Mapping) else list(rows), strict=False, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(f"these rows are no table: {str(error).splitlines()[0]}") from error
