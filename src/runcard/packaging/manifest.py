"""The manifest of a bundle: SHA-256 of each file, and of itself. Whatever stands in it, files of the folder are read.

A bundle may come from a stranger, who writes the manifest too: its names lead nowhere else, and what is read ends.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from runcard.errors import BundleError
from runcard.regular import read_regular

MANIFEST, SEAL = "manifest.json", "manifest.sha256"
# Bytes of either; a manifest of ten files takes one thousand.
MOST_BYTES = 2**20
MOST_FILES = 100
# Bytes of a network's own files, which ONNX cannot have longer, and of every other.
MOST_OF_NETWORK, MOST_OF_OTHERS = 2**31, 2**27
SMALL = frozenset({"bundle.json", "card.yaml", "metrics.json"})
OF_NETWORK = (".onnx", ".safetensors")
DIGEST = re.compile(r"[0-9a-f]{64}")


def seal(path: Path) -> None:
    """Write the manifest of all files that a folder holds; the last thing to be written."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    manifest = {file.relative_to(path).as_posix(): sum_of(file.read_bytes()) for file in files}
    text = json.dumps(manifest, indent=2) + "\n"
    (path / MANIFEST).write_text(text, encoding="utf-8")
    (path / SEAL).write_text(sum_of(text.encode()) + "\n", encoding="utf-8")


def read_manifest(path: Path, digest: str | None = None) -> dict[str, str]:
    """SHA-256 of each file of a bundle, by its name within the folder.

    Args:
        path: The bundle's folder.
        digest: What ``digest_of`` gave before; None: whatever lies there now.

    Raises:
        BundleError: If there is no manifest, it does not fit its own sum, it names what is no file of the folder, or
            it is another than before.
    """
    try:
        listing = read_small(path / MANIFEST)
        if read_small(path / SEAL) != f"{sum_of(listing)}\n".encode():
            raise damaged(path, MANIFEST, f"it does not fit {SEAL}")
        manifest = json.loads(listing)
        if not isinstance(manifest, dict) or len(manifest) > MOST_FILES:
            raise ValueError(f"a JSON object of at most {MOST_FILES} files was expected")
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, f"{MANIFEST} or {SEAL}", str(error)) from error
    if digest is not None and sum_of(listing) != digest:
        raise BundleError(f"the bundle {path} was replaced since it was looked at")
    for name, digest_of_file in manifest.items():
        _check(path, name, digest_of_file)
    return manifest


def digest_of(path: Path) -> str:
    """The digest of a bundle: SHA-256 of its manifest, which holds that of every other file.

    Raises:
        BundleError: If there is no manifest.
    """
    try:
        return sum_of(read_small(path / MANIFEST))
    except OSError as error:
        raise damaged(path, f"{MANIFEST} or {SEAL}", str(error)) from error


def read_sealed(path: Path, name: str, manifest: Mapping[str, str]) -> bytes:
    """A file of a bundle, as it was sealed.

    Raises:
        BundleError: If it is missing, or is not what the manifest says.
    """
    try:
        content = read_regular(path / name, _most(name))
    except FileNotFoundError:
        raise damaged(path, name, "it is missing") from None
    except OSError as error:
        raise damaged(path, name, error.strerror or str(error)) from error
    if sum_of(content) != manifest.get(name):
        raise damaged(path, name, f"its SHA-256 is not the one in {MANIFEST}")
    return content


def damaged(path: Path, name: str, how: str) -> BundleError:
    """What to say of a bundle that is not what was packaged."""
    return BundleError(f"the bundle {path} is damaged: {name} is not what was packaged ({how}). Package the run again.")


def _check(path: Path, name: str, digest: object) -> None:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or not inside.parts or not name.isprintable():
        raise damaged(path, MANIFEST, f"{name[:100]!r} leads out of the folder")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise damaged(path, MANIFEST, f"it has no SHA-256 of {name[:100]}")


def read_small(path: Path) -> bytes:
    """The bytes of a regular file of no more than a mebibyte.

    Raises:
        OSError: If it is none, or cannot be read.
    """
    return read_regular(path, MOST_BYTES)


def _most(name: str) -> int:
    """Bytes of a file of a bundle: what every process reads is small, for reading takes many times as much."""
    if name in SMALL:
        return MOST_BYTES
    return MOST_OF_NETWORK if name.endswith(OF_NETWORK) else MOST_OF_OTHERS


def sum_of(content: bytes) -> str:
    """SHA-256, as a manifest writes it."""
    return hashlib.sha256(content).hexdigest()
