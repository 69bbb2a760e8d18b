"""Files of rows → tables: the same reading for training data and for rows to answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from runcard.data.reading.parquet import UNREADABLE, read_parquet, said_first
from runcard.errors import DataError
from runcard.regular import open_regular

NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
TABLE = "runcard.data.table.Table"  # the class that reads a file of a card
CSV = (".csv", ".tsv", ".txt")


def column_names(path: str | Path, *, separator: str = ",") -> list[str]:
    """The header of a file of rows; of a CSV or Parquet file nothing else is read.

    Args:
        path: As for ``read_frame``.
        separator: Between the fields of a CSV.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    with readable(path):
        kind = checked_kind(path)
        if kind == ".parquet":
            return list(pl.read_parquet_schema(path))
        if kind not in CSV:
            return read_frame(path).columns
        names: list[str] = csv_settings(path, separator, ())["new_columns"]
        return names


def read_frame(
    path: str | Path,
    *,
    separator: str = ",",
    null_values: Sequence[str] = NULL_VALUES,
    texts: Collection[str] = (),
) -> pl.DataFrame:
    """Read a file of rows.

    Args:
        path: A ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.json`` or ``.ndjson`` file.
        separator: Between the fields of a CSV; a ``.tsv`` is read with tabs in any case.
        null_values: Texts of a CSV that mean missing.
        texts: Columns of a CSV to leave as they are written, whatever they look like: 01067 is no 1067.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    with readable(path):
        kind = checked_kind(path)
        if kind == ".parquet":
            return read_parquet(path)
        if kind == ".json":
            return pl.read_json(path, infer_schema_length=None)
        if kind not in CSV:
            return pl.read_ndjson(path, infer_schema_length=None)
        return _guessed(pl.read_csv(path, **csv_settings(path, separator, null_values)), texts)


def read_csv_text(
    content: bytes,
    *,
    separator: str = ",",
    null_values: Sequence[str] = NULL_VALUES,
    texts: Collection[str] = (),
) -> pl.DataFrame:
    """Read the content of a CSV file as ``read_frame`` reads the file.

    Raises:
        DataError: If it is empty or no CSV.
    """
    if not content:
        raise DataError("the CSV is empty")
    with readable("the CSV"):
        return _guessed(pl.read_csv(content, **csv_settings(content, separator, null_values)), texts)


def reading_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """How rows to answer are read: as the section ``data`` of a card had its own file read, for ``read_frame``.

    Args:
        data: The section as plain values.
    """
    if data.get("_target_") != TABLE:
        return {}
    return {name: data[name] for name in ("separator", "null_values") if name in data}


def csv_settings(source: str | Path | bytes, separator: str, null_values: Sequence[str]) -> dict[str, Any]:
    """How polars is to read a CSV, for ``read_csv`` and ``scan_csv``: with the header's own names, and as texts.

    polars' own guess reads either a sample, and then fails or drops what comes later, or all rows, which takes it
    20 times as long.

    Args:
        source: The file, or its content.
        separator: As for ``read_frame``.
        null_values: As for ``read_frame``.

    Raises:
        DataError: If a column is there twice.
    """
    tab = not isinstance(source, bytes) and Path(source).suffix.lower() == ".tsv"
    settings: dict[str, Any] = {"separator": "\t" if tab else separator, "infer_schema_length": 0, "glob": False}
    # As a row of texts: polars renames what stands twice in a header, and judges what stands below it.
    first = pl.read_csv(source, n_rows=1, has_header=False, truncate_ragged_lines=True, **settings)
    names = [name or "" for name in first.row(0)]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        what = "the CSV" if isinstance(source, bytes) else source
        raise DataError(f"{what} has a column twice: {', '.join(map(repr, doubled))}")
    return settings | {"null_values": list(null_values), "new_columns": names}


def _guessed(frame: pl.DataFrame, texts: Collection[str]) -> pl.DataFrame:
    """A table of texts, each column as what it looks like, but for those that stay as they are."""
    return frame.select(column if column.name in texts else _typed(column) for column in frame)


def _typed(column: pl.Series) -> pl.Series:
    """A column of texts as whole numbers, numbers or dates, if every one of them is; else as it was."""
    gaps = column.null_count()
    if gaps == len(column) or column.str.contains(r"^-?0\d").any():  # 01234 is a code, no number
        return column
    for kind in (pl.Int64, pl.Float64, pl.Date):
        typed = column.str.to_date(strict=False) if kind == pl.Date else column.cast(kind, strict=False)
        if typed.null_count() == gaps:
            return typed
    return column


def checked_kind(path: str | Path) -> str:
    """The file's ending, in lower case, after a look at whether there is such a file."""
    file, kind = Path(path), Path(path).suffix.lower()
    if kind not in (".parquet", ".json", ".ndjson", ".jsonl", *CSV):
        endings = ".csv, .tsv, .txt, .parquet, .json or .ndjson"
        raise DataError(f"{path}: files of rows end in {endings}, not {kind or 'nothing'}")
    if "://" in str(path):
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
