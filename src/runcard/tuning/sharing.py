"""Rows that the driver has read, for the processes of its trials: written once into memory that both can see."""

from __future__ import annotations

import io
import mmap
import os
import pickle
from typing import Any

import numpy as np

from runcard.data.dataset import Dataset


class _Pickler(pickle.Pickler):
    """Leaves on disk what lies there: of a mapped array it writes down where."""

    def reducer_override(self, value: Any) -> Any:
        """How to make it again; ``NotImplemented``: as ever."""
        if type(value) is not np.memmap or not isinstance(value.base, mmap.mmap):
            return NotImplemented
        order = "C" if value.flags.c_contiguous else "F"
        return np.memmap, (str(value.filename), value.dtype, "r", value.offset, value.shape, order)


def shared(data: Dataset) -> int | None:
    """A file in memory that holds the rows; None if they had to be copied from disk for it.

    Args:
        data: The rows, with all that was learned from them.
    """
    parts = [*data.rows.columns.values(), data.rows.target]
    if data.lazy and not all(isinstance(part, np.memmap) and isinstance(part.base, mmap.mmap) for part in parts[:-1]):
        return None
    file = os.memfd_create("rows")
    with io.FileIO(file, "wb", closefd=False) as raw, io.BufferedWriter(raw) as buffered:
        _Pickler(buffered, protocol=5).dump(data)
        buffered.flush()
    os.lseek(file, 0, os.SEEK_SET)
    return file


def taken(file: int) -> Dataset:
    """The rows of ``shared``. It comes from the process that started this one, by no way that anyone else has."""
    with open(file, "rb", closefd=False) as opened:
        data = pickle.load(opened)
    assert isinstance(data, Dataset)
    return data
