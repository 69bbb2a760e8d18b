"""The nearest ``pyproject.toml`` and what it says to Runcard, unchecked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from runcard.owner import is_ours, not_ours
from runcard.regular import read_regular

FILE = "pyproject.toml"
MAX_BYTES = 1_000_000


def nearest() -> Path | None:
    """The file of the project that the working directory belongs to: of this user, and not put there by another."""
    here = Path.cwd()
    return next((folder / FILE for folder in (here, *here.parents) if is_ours(folder / FILE)), None)


def passed_over() -> str:
    """Why a file that is nearer, or the only one, is not read; empty if there is none."""
    here = Path.cwd()
    file = next((folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()), None)
    theirs = None if file is None else not_ours(file)
    if theirs is None:
        return ""
    way = "" if theirs == file else f" is reached by way of {theirs}, which"
    return f"{file}{way} belongs to another user, and is not read."


def table(file: Path) -> Any:
    """The content of ``[tool.runcard]``, a mapping if all is right.

    Raises:
        OSError: If the file cannot be read, or is larger than anyone writes.
        ValueError: If it is no TOML.
    """
    return tomllib.loads(read_regular(file, MAX_BYTES).decode()).get("tool", {}).get("runcard", {})
