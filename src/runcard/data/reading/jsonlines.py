"""Files of JSON, an object a row: of two values of one name polars takes the first, and no line is named as wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from runcard.data.fields import DoubledNameError, check_pairs
from runcard.data.reading.layout import is_remote
from runcard.data.reading.parquet import UNREADABLE
from runcard.errors import DataError
from runcard.regular import open_regular

BOM = b"\xef\xbb\xbf"
# Bytes that are looked at together.
BLOCK = 2**23


def read_json(path: str | Path, *, lines: bool) -> pl.DataFrame:
    """Read a file of JSON whole.

    Args:
        path: The file.
        lines: Whether it has an object a line, and not one array of objects.

    Raises:
        DataError: If a line is no object, or has a name twice.
        OSError: If it cannot be read.
    """
    read = pl.read_ndjson if lines else pl.read_json
    try:
        frame = read(io.BytesIO(_content(path)) if _is_marked(path) else path, infer_schema_length=None)
    except UNREADABLE:
        check_json(path, lines=lines)
        raise
    gaps = frame.null_count().sum_horizontal().sum()
    if gaps or _has_other_colons(path, frame.height * frame.width):
        check_json(path, lines=lines)
    return frame


def scan_lines(path: str | Path) -> pl.LazyFrame:
    """A file with an object a line, to be read in batches of one type a column.

    Raises:
        DataError: If a line is no object, or has a name twice.
        OSError: If it cannot be read.
    """
    if _is_marked(path):
        return read_json(path, lines=True).lazy()
    try:
        # All rows decide of what type a column is; the batches are then read as that.
        schema = pl.scan_ndjson(path, infer_schema_length=None).collect_schema()
    except UNREADABLE:
        check_json(path, lines=True)
        raise
    table = pl.scan_ndjson(path, schema=schema)
    counts = table.select(pl.len(), pl.all().null_count().name.prefix("gaps of ")).collect()
    rows, gaps = int(counts.item(0, 0)), sum(counts.row(0)[1:])
    if gaps or _has_other_colons(path, rows * len(schema)):
        check_json(path, lines=True)
    return table


def _has_other_colons(path: str | Path, names: int) -> bool:
    """Whether a file has more or fewer colons than names; as many mean, where no row lacks one, that none is twice."""
    if is_remote(path):
        return False
    with open_regular(Path(path)) as file:
        return sum(block.count(b":") for block in iter(lambda: file.read(BLOCK), b"")) != names


def check_json(path: str | Path, *, lines: bool) -> None:
    """Look at each object by itself.

    Raises:
        DataError: If one is none, or has a name twice; it says which.
        OSError: If the file cannot be read.
    """
    if is_remote(path):
        return
    if not lines:
        _parse(_content(path), str(path))
        return
    with open_regular(Path(path)) as file:
        for number, line in enumerate(file):
            text = line.removeprefix(BOM) if number == 0 else line
            if text.strip() and not isinstance(_parse(text, f"{path}, line {number + 1:,}"), dict):
                raise DataError(f"{path}, line {number + 1:,}: an object is expected, such as {{'age': 50}}")


def _parse(text: bytes, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except DoubledNameError as error:
        raise DataError(f"{where}: it has the name {error.args[0]!r} twice") from None
    except _NoNumberError as error:
        raise DataError(f"{where}: {error.args[0]} is no value of JSON; write null where a number is missing") from None
    except UnicodeDecodeError:
        raise DataError(f"{where}: it is not UTF-8, which JSON is") from None
    except RecursionError:
        raise DataError(f"{where}: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: it is no JSON: {error.msg} at letter {error.colno}") from None


class _NoNumberError(Exception):
    """NaN or infinity."""


def _no_number(name: str) -> NoReturn:
    raise _NoNumberError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check_pairs(pairs)
    return dict(pairs)


def _is_marked(path: str | Path) -> bool:
    if is_remote(path):
        return False
    with open_regular(Path(path)) as file:
        return file.read(len(BOM)) == BOM


def _content(path: str | Path) -> bytes:
    with open_regular(Path(path)) as file:
        return file.read().removeprefix(BOM)
