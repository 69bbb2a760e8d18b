"""A Parquet file measured before it is read: a column of one value takes no room in it, however many rows it has."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from runcard.data.reading.layout import is_remote
from runcard.environment import memory_bytes
from runcard.errors import DataError, RunError
from runcard.regular import open_regular

# Bytes of a value in memory: polars keeps a text as a view of 16 bytes, whether or not its letters stand there once.
TEXT_BYTES, NUMBER_BYTES = 16, 8
# polars panics where its parts stumble over a damaged file, and that is no Exception of Python's.
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_parquet(path: str | Path, expected: int | None = None) -> pl.DataFrame:
    """Read a Parquet file, if its rows have room in this machine's memory.

    Args:
        path: The file.
        expected: How many rows it should have; None: any number.

    Raises:
        DataError: If they have not, or are more or fewer.
    """
    if not is_remote(path):
        open_regular(Path(path)).close()  # polars would wait for a pipe
    rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    if expected is not None and rows != expected:
        raise DataError(f"{path} is damaged: it holds {rows:,} rows, and {expected:,} were expected")
    need, have = rows * sum(map(_bytes, pl.read_parquet_schema(path).values())), memory_bytes()
    if have and need > have:
        raise DataError(
            f"{path} holds {rows:,} rows, which take at least {need / 2**30:,.0f} GiB in memory, and this machine has "
            f"{have / 2**30:,.0f}: take fewer rows or columns"
        )
    return pl.read_parquet(path, glob=False)


def read_kept(path: Path, expected: int | None = None) -> pl.DataFrame:
    """Read a Parquet file of a run.

    Args:
        path: The file.
        expected: As of ``read_parquet``.

    Raises:
        RunError: If it is missing, damaged, of another number of rows, or has no room in this machine's memory.
    """
    try:
        return read_parquet(path, expected)
    except DataError as error:
        raise RunError(str(error)) from error
    except UNREADABLE as error:
        raise RunError(f"cannot read {path}: {said_first(error)}") from error


def said_first(error: BaseException) -> str:
    """What an error of polars says in its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _bytes(kind: pl.DataType) -> int:
    """The least that a value of a column takes; of lists, which may be empty, only what says where they are."""
    return (
        TEXT_BYTES if kind in (pl.String, pl.Binary) else 1 if kind in (pl.Boolean, pl.Int8, pl.UInt8) else NUMBER_BYTES
    )
