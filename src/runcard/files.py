"""Files as they are written here: whole or not at all, in plain formats, and said in one line when they cannot be."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from runcard.errors import RunError
from runcard.regular import read_regular

# Bytes of a JSON file that is read: of a table of a thousand columns with a thousand categories each it has 20 MB.
MOST_JSON = 2**26


@contextlib.contextmanager
def writing(path: Path, *, keep: Path | None = None) -> Iterator[IO[bytes]]:
    """Write a file so that a reader sees the old content or the new one, also after a power cut.

    Args:
        path: The file.
        keep: Where what was there before goes; None: it is replaced.

    Yields:
        The file to write to and to read back.

    Raises:
        RunError: If the file cannot be written; what was there before is still there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as ``writing`` does.

    Raises:
        RunError: If the file cannot be written; what was there before is still there.
    """
    with writing(path) as file:
        file.write(content)


def flush_folder(path: Path) -> None:
    """Make sure that the names in a folder outlive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# At a lock that another process holds.
LOOK_EVERY_S = 0.1
# The locks of this process, for the system's own hold off other processes only.
_held: set[Path] = set()


@contextlib.contextmanager
def locked(path: Path, busy: str, *, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file; it falls with the process, however that ends, and is gone afterwards.

    A POSIX record lock: unlike ``flock`` it is not inherited by a child, which may outlive its parent.

    Args:
        path: The file.
        busy: What to say if someone else holds it.
        patience_s: How long to wait for whoever holds it, 0 or more.

    Raises:
        RunError: If someone else holds it, or the file cannot be made.
    """
    path = path.absolute()
    if path in _held:
        raise RunError(busy)
    try:
        handle = _wait_for_lock(path, time.monotonic() + patience_s)
    except BlockingIOError:
        raise RunError(busy) from None
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    _held.add(path)
    try:
        yield
    finally:
        _held.discard(path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether some process holds a lock file."""
    if path.absolute() in _held:
        return True
    try:
        with locked(path, ""):
            return False
    except RunError:
        return True


def _wait_for_lock(path: Path, until: float) -> int:
    while True:
        try:
            return _lock(path)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
        time.sleep(LOOK_EVERY_S)


def _lock(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before may have removed the file between the two lines above.
            if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except BaseException as error:
            os.close(handle)
            if isinstance(error, PermissionError):  # another word for "held", on some systems
                raise BlockingIOError from error
            raise
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as ``write_bytes`` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON as ``write_bytes`` does; NaN is refused, for other languages cannot read it."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file in a run or study folder.

    Raises:
        RunError: If the file is missing or is no JSON object.
    """
    return _read(path, lambda file: json.loads(read_regular(file, MOST_JSON)))


def read_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file in a run folder, unchecked.

    Raises:
        RunError: If the file is missing or is no YAML mapping.
    """
    from runcard.yamltext import parse_yaml, read_text  # a TAB that completes runs reads no YAML

    return _read(path, lambda file: parse_yaml(read_text(file)))


def sha256(parts: Iterable[bytes]) -> str:
    """The SHA-256 of the parts in order, as hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _read(path: Path, read: Callable[[Path], Any]) -> dict[str, Any]:
    try:
        content = read(path)
    except FileNotFoundError:
        raise RunError(f"{path.parent} is not whole: {path.name} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: a mapping was expected")
    return content
