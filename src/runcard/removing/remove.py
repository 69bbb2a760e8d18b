"""Remove what was judged: each thing is gone under its name before the first of its files is deleted.

A folder first gets a hidden name beside it, of which ``ls`` and all else know nothing. Where a process dies in between,
that is what is left; the next removal there ends it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runcard import files
from runcard.advice import advise
from runcard.errors import RunError, Stopped
from runcard.interrupts import HeldBack
from runcard.removing import uses
from runcard.removing.judge import Removal, judge

HIDDEN = re.compile(r"\..+\.[0-9a-f]{8}\.removed")


def remove(*paths: str | Path, dry_run: bool = False) -> list[Removal]:
    """Remove runs, studies and bundles, or none of them.

    A run that is part of a study, what another process writes or another user owns, a bundle that is being served or
    that a Bento holds, and whatever is reached through a link, stay.

    Args:
        paths: Run folders, study folders, and bundles in BentoML's model store as ``name:version``.
        dry_run: Whether to remove nothing, and only to say what would be.

    Returns:
        What was removed, or would be.

    Raises:
        RunError: If one of them may not be removed, and then nothing is; or if the system does not let it.
    """
    found = judge(paths)
    if not dry_run:
        remove_all(found)
    return found


def remove_all(found: Sequence[Removal]) -> None:
    """Remove what was judged, one after the other; a signal waits until one is gone.

    Raises:
        RunError: If somebody has come to work on one of them meanwhile, or the system does not let it.
    """
    done = 0
    try:
        for one in found:
            with HeldBack():
                _remove(one)
                done += 1
    except Stopped as stopped:
        rest = [one.name for one in found[done:]]
        stopped.go_on = advise("runcard", "rm", "--yes", *rest) if rest else ""
        raise
    except (RunError, OSError) as error:
        before = f" Gone before it: {', '.join(one.name for one in found[:done])}." if done else ""
        said = error if isinstance(error, RunError) else f"cannot remove {found[done].name}: {error.strerror or error}."
        raise RunError(f"{said}{before}") from error


def _remove(one: Removal) -> None:
    beside = _beside(one)
    _delete_left(beside)
    if one.kind != "bundle":
        uses.refuse_work(one.path, one.kind)  # who began while its owner was asked
    lock, busy = uses.lock_of(one.kind, one.path), f"the {one.kind} {one.name} is being written by another process."
    with contextlib.nullcontext() if lock is None else files.locked(lock, busy):
        hidden = beside / f".{one.path.name}.{secrets.token_hex(4)}.removed"
        os.rename(one.path, hidden)
    if one.kind == "bundle":
        _forget_latest(one.path)
    _delete(hidden)
    if one.kind != "study" and one.path.parent != Path.cwd():
        with contextlib.suppress(OSError):  # it holds others
            one.path.parent.rmdir()


def _beside(one: Removal) -> Path:
    """Where it is hidden. BentoML takes all folders in its store of models for models, hidden ones too."""
    return one.path.parents[2] if one.kind == "bundle" else one.path.parent


def _forget_latest(path: Path) -> None:
    """Have BentoML look for the newest version of a name anew, if it was this one."""
    latest = path.parent / "latest"
    with contextlib.suppress(OSError):
        if latest.read_text(encoding="utf-8").strip() == path.name or not any(path.parent.glob("*/")):
            latest.unlink()


def _delete_left(folder: Path) -> None:
    """Delete what a removal has left that did not come to its end."""
    for path in folder.glob(".*.removed"):
        if HIDDEN.fullmatch(path.name) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _delete(hidden: Path) -> None:
    """Delete a folder that nobody looks for any more; links in it lead nowhere.

    Raises:
        RunError: If not all of it can be deleted.
    """
    failed = list[str]()

    def note(_: Any, path: str, info: Any) -> None:
        if not isinstance(info[1], FileNotFoundError):  # another removal deletes it too
            failed.append(f"{path}: {getattr(info[1], 'strerror', None) or info[1]}")

    shutil.rmtree(hidden, onerror=note)
    if failed:
        raise RunError(f"it is gone from its place, but cannot be deleted: {failed[0]}. It lies in {hidden}.")
