"""Files of rows ↔ arrays: the only place that knows polars' types. Used for training data and for rows to predict."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.data.signature import Array, Feature, Signature
from runcard.errors import DataError

NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
CSV = (".csv", ".tsv", ".txt")
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
    kind = _checked_kind(path)
    with _readable(path):
        if kind == ".parquet":
            return list(pl.read_parquet_schema(path))
        if kind in CSV:
            tab = "\t" if kind == ".tsv" else separator
            # As texts, and lines of any length: what stands below the header is judged when it is read.
            return pl.read_csv(path, separator=tab, n_rows=1, infer_schema_length=0, truncate_ragged_lines=True).columns
    return read_frame(path).columns


def read_frame(path: str | Path, *, separator: str = ",", null_values: Sequence[str] = NULL_VALUES) -> pl.DataFrame:
    """Read a file of rows.

    Args:
        path: A ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.json`` or ``.ndjson`` file.
        separator: Between the fields of a CSV; a ``.tsv`` is read with tabs in any case.
        null_values: Texts of a CSV that mean missing.

    Raises:
        DataError: If the file is missing, empty, of another format, or damaged.
    """
    kind = _checked_kind(path)
    with _readable(path):
        if kind == ".parquet":
            return pl.read_parquet(path)
        if kind in CSV:
            tab = "\t" if kind == ".tsv" else separator
            # All rows decide a column's type: a text on line 100,001 must neither fail nor turn into a gap.
            frame = pl.read_csv(
                path, separator=tab, null_values=list(null_values), infer_schema_length=None, try_parse_dates=True
            )
            return _checked_header(frame, path)
        return pl.read_json(path) if kind == ".json" else pl.read_ndjson(path)


def write_frame(frame: pl.DataFrame, path: Path) -> bytes:
    """The bytes of a table in the format that the file's ending names.

    Raises:
        DataError: If the ending names no format.
    """
    kind = path.suffix.lower()
    buffer = io.BytesIO()
    if kind == ".parquet":
        frame.write_parquet(buffer)
    elif kind in (".csv", ".tsv", ".txt"):
        frame.write_csv(buffer, separator="\t" if kind == ".tsv" else ",")
    elif kind in (".ndjson", ".jsonl"):
        frame.write_ndjson(buffer)
    else:
        raise DataError(
            f"{path}: answers are written as .csv, .tsv, .txt, .parquet or .ndjson, not {kind or 'nothing'}"
        )
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


def number_values(column: pl.Series) -> NDArray[np.float64]:
    """``(rows,)`` float64 with NaN for missing.

    Raises:
        DataError: If a value is no number, or infinite.
    """
    try:
        values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    except pl.exceptions.PolarsError:
        bad = column.filter(column.cast(pl.Float64, strict=False).is_null() & column.is_not_null())
        raise DataError(
            f"column {column.name!r} must hold numbers; {_quoted(bad)} is none. "
            f"Mend the rows, or say data.kinds.{column.name}=category."
        ) from None
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(f"column {column.name!r} is infinite in row {infinite[0] + 1}; leave it empty if it is unknown")
    return values


def boolean_values(column: pl.Series) -> NDArray[np.float64]:
    """``(rows,)`` float64: 1 for true, yes and 1, 0 for false, no and 0, NaN for missing.

    Raises:
        DataError: If a value is none of these.
    """
    texts = column.cast(pl.String).str.to_lowercase().str.replace(r"\.0$", "").to_list()
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text in TRUE or text in FALSE:
            values[row] = text in TRUE
        elif text is not None:
            raise DataError(f"column {column.name!r} must hold true or false; row {row + 1} holds {text!r}")
    return values


def text_values(column: pl.Series) -> NDArray[Any]:
    """``(rows,)`` texts, None for missing; 3.0 is written as 3, so that a gap elsewhere does not rename a class."""
    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        column = column.fill_nan(None)
        column = column.cast(pl.Int64) if bool((whole == whole.round()).all()) else column
    return np.array(column.cast(pl.String).to_list(), dtype=object)


def _feature_values(column: pl.Series, feature: Feature) -> Array:
    if feature.kind == "number":
        return number_values(column)
    if feature.kind == "boolean":
        return boolean_values(column)
    return text_values(column) if feature.kind == "category" else _image_values(column, feature)


def _image_values(column: pl.Series, feature: Feature) -> NDArray[np.float32]:
    """Images given as lists of numbers, flat or nested, or as the JSON of such lists."""
    try:
        if column.dtype == pl.String:
            column = column.str.json_decode(pl.List(pl.Float64)) if "[[" not in (column[0] or "") else _nested(column)
        values = np.array(column.to_list(), dtype=np.float32)
        return values.reshape(len(column), *feature.shape)
    except (pl.exceptions.PolarsError, ValueError, TypeError):
        shape = "×".join(map(str, feature.shape))
        raise DataError(f"column {feature.name!r} must hold images of {shape} numbers each, as lists") from None


def _nested(column: pl.Series) -> pl.Series:
    return pl.Series(column.name, [np.array(json.loads(text), dtype=np.float64).ravel().tolist() for text in column])


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


def _checked_header(frame: pl.DataFrame, path: str | Path) -> pl.DataFrame:
    doubled = [column for column in frame.columns if "_duplicated_" in column]
    if doubled:
        raise DataError(f"{path} has a column twice: {doubled[0].partition('_duplicated_')[0]!r}")
    return frame


def _quoted(values: pl.Series) -> str:
    return ", ".join(repr(value) for value in values.unique(maintain_order=True).head(3).to_list())
