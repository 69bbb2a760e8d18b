"""A folder that is made whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from runcard.errors import CardError, RunError


def check_free(path: Path) -> None:
    """Look whether a folder can be made, or is there and empty.

    Raises:
        CardError: If there is something else.
    """
    if not path.parent.is_dir():
        raise CardError(f"{path}: there is no folder {path.parent}; make it first")
    if path.exists() and not path.is_dir():
        raise CardError(f"{path} is a file; choose another name")
    if path.is_dir() and (there := sorted(item.name for item in path.iterdir())):
        listed = ", ".join(there[:3]) + (", …" if len(there) > 3 else "")
        raise CardError(f"{path} is not empty: it holds {listed}. Choose another name, or empty it yourself.")


@contextlib.contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` to write to, which takes its place when all went well, and is gone if not.

    Raises:
        CardError: If something has come to be there meanwhile.
        RunError: If it cannot be made or moved.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir()
        yield draft
        _move(draft, path)
    except PermissionError:
        raise
    except OSError as error:
        raise RunError(f"cannot make {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, path: Path) -> None:
    if not path.exists():
        os.rename(draft, path)
        return
    # An empty folder stays the same folder: someone may stand in it.
    check_free(path)
    try:
        for item in draft.iterdir():
            item.rename(path / item.name)
    except OSError:
        for item in path.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        raise
