"""The nearest ``pyproject.toml`` and what it says to Runcard, unchecked."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from stat import S_ISREG
from typing import Any

FILE = "pyproject.toml"
MAX_BYTES = 1_000_000


def nearest() -> Path | None:
    """The file of the project that the working directory belongs to."""
    here = Path.cwd()
    return next((folder / FILE for folder in (here, *here.parents) if _is_ours(folder / FILE)), None)


def passed_over() -> Path | None:
    """A file that is nearer, or the only one, and is not read for it belongs to another user."""
    here = Path.cwd()
    file = next((folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()), None)
    return None if file is None or _is_ours(file) else file


def table(file: Path) -> Any:
    """The content of ``[tool.runcard]``, a mapping if all is right.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no TOML, or larger than anyone writes.
    """
    return tomllib.loads(_text(file)).get("tool", {}).get("runcard", {})


def _text(file: Path) -> str:
    stat = file.stat()
    if not S_ISREG(stat.st_mode) or stat.st_size > MAX_BYTES:  # a pipe would be waited for, a device never ends
        raise ValueError(f"it is no regular file of at most {MAX_BYTES:,} bytes")
    return file.read_text(encoding="utf-8")


def _is_ours(file: Path) -> bool:
    """Whether it may speak for who runs this: not a file that someone else has put into a folder above, as in /tmp."""
    try:
        return file.stat().st_uid in (0, os.geteuid())
    except OSError:
        return False
