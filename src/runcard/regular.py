"""Regular files from strangers: a pipe would be waited for, a device never ends, a file may be a terabyte of holes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a file to be read.

    Args:
        path: The file; a link to one is followed.

    Raises:
        OSError: If it is a folder, a pipe or a device, or cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in its name
        raise OSError(22, str(error), str(path)) from None
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        return open(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(21, "is a directory and no file", str(path))
    raise OSError(22, "is no regular file but a pipe or a device", str(path))


def read_regular(path: Path, most: int) -> bytes:
    """Read a file whole.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        OSError: If it is none, has more, or cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(27, f"has {size:,} bytes, more than {most:,}", str(path))
        return file.read(size + 1)
