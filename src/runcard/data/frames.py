"""Files of rows ↔ arrays: the only place that knows polars' types. Used for training data and for rows to predict."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.data.fields import by_value, number_text
from runcard.data.signature import FORMS, Array, Feature, Kind, Signature
from runcard.errors import CardError, DataError

NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
CSV = (".csv", ".tsv", ".txt")
# What is larger is a slip or a mark for missing, and its square would soon not be a number.
LARGEST = 1e30
TRUE = {"true", "yes", "1"}
FALSE = {"false", "no", "0"}


def column_names(path: str | Path, *, separator: str = ",") -> list[str]:
    """The header of a file of rows; of a CSV or Parquet file nothing else is read.

    Args:
        path: As for ``read_frame``.
        separator: Between the fields of a CSV.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    with _readable(path):
        kind = _checked_kind(path)
        if kind == ".parquet":
            return list(pl.read_parquet_schema(path))
        if kind not in CSV:
            return read_frame(path).columns
        tab = "\t" if kind == ".tsv" else separator
        # As a row of texts: polars renames what stands twice in a header, and judges what stands below it.
        first = pl.read_csv(
            path,
            separator=tab,
            n_rows=1,
            has_header=False,
            infer_schema_length=0,
            truncate_ragged_lines=True,
            glob=False,
        )
        names = [name or "" for name in first.row(0)]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(f"{path} has a column twice: {', '.join(map(repr, doubled))}")
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
    with _readable(path):
        kind = _checked_kind(path)
        if kind == ".parquet":
            return pl.read_parquet(path, glob=False)
        if kind == ".json":
            return pl.read_json(path, infer_schema_length=None)
        if kind not in CSV:
            return pl.read_ndjson(path, infer_schema_length=None)
        names = column_names(path, separator=separator)
        tab = "\t" if kind == ".tsv" else separator
        # As texts first: polars' own guess reads either a sample, and then fails or drops what comes later, or
        # all rows, which takes it 20 times as long.
        frame = pl.read_csv(
            path, separator=tab, null_values=list(null_values), infer_schema_length=0, glob=False, new_columns=names
        )
        return frame.select(column if column.name in texts else _typed(column) for column in frame)


def check_output(path: Path) -> None:
    """Refuse a file of answers that could not be written, before any row is answered.

    Raises:
        CardError: If its ending names no format, or its folder is not there.
    """
    if path.suffix.lower() not in (".parquet", ".ndjson", ".jsonl", *CSV):
        endings = ".csv, .tsv, .txt, .parquet or .ndjson"
        raise CardError(f"{path}: files of answers end in {endings}, not {path.suffix or 'nothing'}")
    if not path.parent.is_dir():
        raise CardError(f"{path}: there is no folder {path.parent}")


def write_frame(frame: pl.DataFrame, path: Path) -> bytes:
    """The bytes of a table in the format that the file's ending names; see ``check_output``."""
    kind = path.suffix.lower()
    buffer = io.BytesIO()
    if kind == ".parquet":
        frame.write_parquet(buffer)
    elif kind in CSV:
        frame.write_csv(buffer, separator="\t" if kind == ".tsv" else ",")
    else:
        frame.write_ndjson(buffer)
    return buffer.getvalue()


def columns_of(frame: pl.DataFrame, signature: Signature) -> dict[str, Array]:
    """The signature's features, from a table that has at least these columns.

    Raises:
        DataError: If a column is missing or holds values of another kind.
    """
    absent = [feature.name for feature in signature.features if feature.name not in frame.columns]
    if absent:
        listed = ", ".join(map(repr, absent[:5])) + (" …" if len(absent) > 5 else "")
        raise DataError(f"the rows lack {len(absent)} of the model's {len(signature.features)} columns: {listed}")
    return {feature.name: _feature_values(frame[feature.name], feature) for feature in signature.features}


def _feature_values(column: pl.Series, feature: Feature) -> Array:
    if feature.kind in FORMS:
        return _array_values(column, feature)
    values = values_of(column, feature.kind)
    if feature.kind == "category" and column.dtype != pl.String:
        # A file of texts may have been learned from, and a table of numbers is to be answered.
        names = by_value(feature.categories)
        values = np.array([names.get(value, value) for value in values], dtype=object)
    return values


def number_values(column: pl.Series) -> NDArray[np.float64]:
    """``(rows,)`` float64 with NaN for missing.

    Raises:
        DataError: If a value is no number, or infinite.
    """
    if column.dtype.is_temporal():
        raise DataError(f"column {column.name!r} must hold numbers, not dates or times; {_quoted(column)} is none")
    try:
        values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    except pl.exceptions.PolarsError:
        bad = column.filter(column.cast(pl.Float64, strict=False).is_null() & column.is_not_null())
        raise DataError(
            f"column {column.name!r} must hold numbers; {_quoted(bad)} is none. "
            "Mend the rows; before training, data.kinds can name another kind for the column."
        ) from None
    large = np.flatnonzero(np.abs(values) > LARGEST)
    if len(large):
        row = large[0]
        text = "is infinite" if np.isinf(values[row]) else f"holds {values[row]:g}, more than can be computed with,"
        raise DataError(f"column {column.name!r} {text} in row {row + 1}; leave it empty if it is unknown")
    return values


def boolean_values(column: pl.Series) -> NDArray[np.float64]:
    """``(rows,)`` float64: 1 for true, yes and 1, 0 for false, no and 0, NaN for missing.

    Raises:
        DataError: If a value is none of these.
    """
    column = column.fill_nan(None) if column.dtype.is_float() else column
    texts = column.cast(pl.String).str.to_lowercase().str.replace(r"\.0$", "").to_list()
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text in TRUE or text in FALSE:
            values[row] = text in TRUE
        elif text is not None:
            raise DataError(f"column {column.name!r} must hold true or false; row {row + 1} holds {text!r}")
    return values


def text_values(column: pl.Series) -> NDArray[Any]:
    """``(rows,)`` texts, None for missing; 3.0 is written as 3, whatever the other rows hold."""
    if column.dtype.is_float():
        if column.dtype == pl.Float32:
            column = column.cast(pl.String).cast(pl.Float64)  # 0.1, and not 0.10000000149011612
        values = column.fill_nan(None).to_list()
        return np.array([None if value is None else number_text(value) for value in values], dtype=object)
    return np.array(column.cast(pl.String).to_list(), dtype=object)


def is_plain(column: pl.Series) -> bool:
    """Whether each value is one number, text, truth value, date or time."""
    return not (column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Duration, pl.Object))


def values_of(column: pl.Series, kind: Kind) -> Array:
    """A column's values as its kind wants them; see ``Columns`` for the forms.

    Raises:
        DataError: If a value is of another kind.
    """
    if not is_plain(column):
        raise DataError(f"column {column.name!r} holds values of type {column.dtype}, which cannot be a {kind}")
    if kind == "number":
        return number_values(column)
    return boolean_values(column) if kind == "boolean" else text_values(column)


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


def _array_values(column: pl.Series, feature: Feature) -> Array:
    """Images, vectors or sequences given as lists of numbers, flat or nested, or as the JSON of such lists."""
    gaps = feature.kind != "image"
    try:
        cells = column.to_list()
        if column.dtype == pl.String:
            cells = [cell if cell is None else json.loads(cell) for cell in cells]
        if gaps:
            cells = [np.full(feature.shape, np.nan) if cell is None else cell for cell in cells]
        rows = [np.asarray(cell, dtype=FORMS[feature.kind]).reshape(feature.shape) for cell in cells]
        values = np.array(rows, dtype=FORMS[feature.kind]).reshape(len(column), *feature.shape)
    except (ValueError, TypeError, OverflowError, RecursionError):
        shape = "×".join(map(str, feature.shape))
        raise DataError(
            f"column {feature.name!r} must hold {feature.kind}s of {shape} numbers each, as lists"
        ) from None
    wrong = ~(np.abs(values) <= LARGEST) if gaps else ~np.isfinite(values)
    wrong &= ~(gaps & np.isnan(values))
    odd = np.flatnonzero(wrong.any(axis=tuple(range(1, wrong.ndim))))
    if len(odd):
        what = f"a number above {LARGEST:g}" if gaps else "a pixel that is no finite number"
        raise DataError(f"column {feature.name!r}: the {feature.kind} in row {odd[0] + 1} has {what}")
    return values


def _checked_kind(path: str | Path) -> str:
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
    if file.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    return kind


@contextlib.contextmanager
def _readable(path: str | Path) -> Iterator[None]:
    """Say in one line what polars says in ten."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {str(error).splitlines()[0]}") from error


def _quoted(values: pl.Series) -> str:
    return ", ".join(repr(value) for value in values.unique(maintain_order=True).head(3).to_list())
