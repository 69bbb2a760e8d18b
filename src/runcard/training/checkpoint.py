"""Checkpoints on disk: tensors and plain values only, moved into place whole, each with its own SHA-256.

A checkpoint is the zip file that ``torch.save`` writes and ``torch.load`` reads. Its checksum is the zip's comment, so
that the two cannot be separated, or be of two different moments.
"""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
from pathlib import Path
from typing import IO, Any

import torch

from runcard.errors import RunError
from runcard.files import writing
from runcard.regular import open_regular
from runcard.runs import RunFolder

log = logging.getLogger("runcard")

DIGEST = hashlib.sha256(b"").digest_size * 2  # as hexadecimal
# A zip without a comment ends with the comment's length, two bytes.
NO_COMMENT, COMMENT = b"\0\0", DIGEST.to_bytes(2, "little")
BLOCK = 2**20


class DamagedError(RunError):
    """A checkpoint is not what was written."""


def save(path: Path, content: dict[str, Any], *, keep: Path | None = None) -> None:
    """Write a checkpoint.

    Args:
        path: The file.
        content: ``state_dict``, and whatever else; tensors and plain values.
        keep: Where the checkpoint that was there goes; None: it is replaced.

    Raises:
        RunError: If it cannot be written; what was there before is still there.
    """
    with writing(path, keep=keep) as file:
        _write(content, file)
        size = file.tell()
        digest = _digest(file, size)
        file.seek(size - len(NO_COMMENT))
        file.write(COMMENT + digest.encode())


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, on the CPU, after comparing its SHA-256; runs no code from it.

    Raises:
        RunError: If it is missing or damaged.
    """
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2) - DIGEST
            file.seek(max(size - len(COMMENT), 0))
            end = file.read()
            # Its end first: what has none need not be read, however long it is.
            sound = end.startswith(COMMENT) and end == COMMENT + _digest(file, size).encode()
    except OSError as error:
        raise RunError(f"cannot read the checkpoint {path}: {error.strerror or error}") from error
    if not sound:
        raise DamagedError(f"the checkpoint {path} is damaged: its content is not that of its SHA-256")
    try:
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, ValueError, OSError) as error:
        raise RunError(f"{path} is no checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("state_dict"), dict):
        raise RunError(f"{path} is no checkpoint: it holds no state_dict")
    return loaded


def load_last(run: RunFolder) -> dict[str, Any] | None:
    """The newest sound checkpoint of a run; a damaged one is said, and removed lest it take the place of a sound one.

    Returns:
        Its content; None if there is none, so that training begins at its beginning.

    Raises:
        RunError: If a sound one cannot be read, for want of memory or permission say.
    """
    for path in (run.last, run.last_before):
        if not path.exists():
            continue
        try:
            return load(path)
        except DamagedError as error:
            log.warning("%s; going on from what was before it", error)
            path.unlink(missing_ok=True)
    return None


class _Sink:
    """Passes writing on and remembers why it failed, which torch replaces by a sentence of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def _write(content: dict[str, Any], file: IO[bytes]) -> None:
    sink = _Sink(file)
    try:
        torch.save(content, sink)  # type: ignore[arg-type]  # it asks for no more than these two methods
    except RuntimeError:
        if sink.error is not None:
            raise sink.error from None
        raise


def _digest(file: IO[bytes], size: int) -> str:
    """The SHA-256 of the zip as it was without its comment."""
    digest, left = hashlib.sha256(), max(size - len(NO_COMMENT), 0)
    file.seek(0)
    while left:
        block = file.read(min(left, BLOCK))
        if not block:
            break
        digest.update(block)
        left -= len(block)
    digest.update(NO_COMMENT)
    return digest.hexdigest()


def loadable(content: Any) -> bool:
    """Whether what is written can be read again without running any code."""
    buffer = io.BytesIO()
    try:
        torch.save(content, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception:  # pickle raises whatever the object's own code does
        return False
    return True
