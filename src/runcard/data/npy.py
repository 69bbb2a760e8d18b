"""One ``.npy`` file: looked at without reading its numbers, and mapped so that only what is used is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from runcard.errors import DataError

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Header:
    """What a file says of its array.

    Attributes:
        path: The file.
        shape: The array's.
        dtype: Of its elements.
        offset: Where they begin, in bytes.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    def map(self) -> NDArray[Any]:
        """The array, whose pages are read when they are used and can be dropped by the system at any time."""
        if not math.prod(self.shape):
            return np.empty(self.shape, self.dtype)
        return np.asarray(np.memmap(self.path, self.dtype, "r", self.offset, self.shape))


def read_header(path: str) -> Header:
    """Read a file's header, and compare it with the file's size.

    Raises:
        DataError: If there is no such file, it is no ``.npy`` file, not all of it is there, or its elements are
            not plain ones stored row by row.
    """
    place = Path(path)
    if place.exists() and not (place.is_file() or place.is_dir()):  # to open a pipe would wait for someone to write
        raise DataError(f"cannot read {path}: it is no regular file")
    try:
        with place.open("rb") as file:
            shape, by_columns, dtype = _parsed(file)
            offset = file.tell()
        size = place.stat().st_size
    except FileNotFoundError:
        raise DataError(f"there is no file {path}.{_others(place)}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"cannot read {path}: it is no .npy file, or its header is damaged ({_line(error)})") from None
    _check_elements(path, dtype)
    promised = offset + dtype.itemsize * math.prod(shape)
    if size != promised:
        raise DataError(
            f"{path} is damaged: its header promises {promised:,} bytes, and it holds {size:,}. Write it once more."
        )
    if by_columns and len(shape) > 1:
        raise DataError(
            f"{path} is stored column by column, so that no row lies together. "
            "Save it by rows: numpy.save(path, numpy.ascontiguousarray(array))."
        )
    return Header(place, shape, dtype, offset)


def _parsed(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in READERS:
        raise ValueError(f"format version {'.'.join(map(str, version))}")
    return READERS[version](file)


def _check_elements(path: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise DataError(f"{path} holds Python objects, which only pickle can read, and that can run code")
    if dtype.names is not None or dtype.subdtype is not None:
        raise DataError(f"{path} is a structured array; save each of its fields as an array of its own")


def _others(path: Path) -> str:
    near = sorted(other.name for other in path.parent.glob("*.npy"))[:5] if path.parent.is_dir() else []
    return f" In that folder are: {', '.join(near)}." if near else ""


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
