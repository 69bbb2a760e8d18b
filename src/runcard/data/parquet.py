"""A Parquet file measured before it is read: a column of one value takes no room in it, however many rows it has."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from runcard.environment import memory_bytes
from runcard.errors import DataError

# Bytes of a value in memory: polars keeps a text as a view of 16 bytes, whether or not its letters stand there once.
TEXT_BYTES, NUMBER_BYTES = 16, 8


def read_parquet(path: str | Path) -> pl.DataFrame:
    """Read a Parquet file, if its rows have room in this machine's memory.

    Args:
        path: The file.

    Raises:
        DataError: If they have not.
    """
    rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    need, have = rows * sum(map(_bytes, pl.read_parquet_schema(path).values())), memory_bytes()
    if have and need > have:
        raise DataError(
            f"{path} holds {rows:,} rows, which take at least {need / 2**30:,.0f} GiB in memory, and this machine has "
            f"{have / 2**30:,.0f}: take fewer rows or columns"
        )
    return pl.read_parquet(path, glob=False)


def _bytes(kind: pl.DataType) -> int:
    """The least that a value of a column takes; of lists, which may be empty, only what says where they are."""
    return (
        TEXT_BYTES if kind in (pl.String, pl.Binary) else 1 if kind in (pl.Boolean, pl.Int8, pl.UInt8) else NUMBER_BYTES
    )
