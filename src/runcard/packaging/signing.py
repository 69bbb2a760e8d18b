"""Who packaged a bundle: a signature over all its files with an elliptic-curve key, by OpenSSF's model signing.

Imported only where something is signed or checked: the library is an extra, and takes half a second to import.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runcard.advice import advise
from runcard.errors import BundleError, CardError
from runcard.packaging.bundle import verify
from runcard.packaging.manifest import MANIFEST, SEAL, digest_of, read_manifest, read_small, sum_of
from runcard.visible import one_line

# Beside the manifest, which is signed and cannot name it.
SIGNATURE_FILE = "model.sig"
CHANGED = "its files or its signature changed"
# What the Hugging Face hub adds to a copy; nothing of a bundle is read from there.
OF_HUBS = frozenset({".gitattributes", ".cache/huggingface"})
KEYS = "a PEM file with a key of the curve P-256, P-384 or P-521 is expected, not locked by a passphrase"


class Signer:
    """Signs bundles with a private key, which is read at once."""

    def __init__(self, private_key: str | Path) -> None:
        """Read the key.

        Raises:
            BundleError: If the package that signs is not installed.
            CardError: If the key cannot be read.
        """
        signing, _, self._hashing = _library()
        make = signing.Config().use_elliptic_key_signer
        self._config = _with_key("private", Path(private_key), lambda key: make(private_key=key))

    def sign(self, path: Path) -> None:
        """Write the signature into a sealed bundle.

        Raises:
            BundleError: If it cannot be written.
        """
        try:
            self._config.set_hashing_config(_hashed(self._hashing)).sign(path, path / SIGNATURE_FILE)
        except (OSError, ValueError) as error:
            raise BundleError(f"the bundle {path} cannot be signed: {_line(error)}") from error


def verify_signature(path: Path, public_key: str | Path, digest: str | None = None) -> None:
    """Look whether a bundle is, file for file, what the owner of a key has signed.

    The signature is compared with the manifest, which holds the SHA-256 of every file.

    Args:
        path: The bundle's folder.
        public_key: The key's PEM file.
        digest: That of a bundle whose files are compared with this manifest when they are loaded; None: whichever lies
            there now, and its files are compared here.

    Raises:
        BundleError: If it is not signed, or with another key, or a file was changed, added or taken away.
        CardError: If the key cannot be read.
    """
    _, verifying, _ = _library()
    make = verifying.Config().use_elliptic_key_verifier
    config = _with_key("public", Path(public_key), lambda key: make(public_key=key))
    folder = path.resolve()
    used = digest if digest is not None else digest_of(folder)
    held = _Held({**read_manifest(folder, used), MANIFEST: used, SEAL: sum_of(f"{used}\n".encode())})
    _check_names(folder, held.files.keys())
    with tempfile.NamedTemporaryFile(suffix=SIGNATURE_FILE) as file:
        file.write(_signature(folder, path))
        file.flush()
        try:
            config.set_hashing_config(held).verify(folder, Path(file.name))
        except Exception as error:  # those of the libraries below it share no class
            what = "it was signed with another key" if "Key mismatch" in str(error) else CHANGED
            raise BundleError(f"the bundle {path} is not what the owner of {public_key} has signed: {what}") from error
    if digest is None:
        verify(folder, digest=used)


class _Held:
    """Stands where the library would read and hash the folder's files once more."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def hash(self, model_path: Path, *, files_to_hash: Any = None) -> Any:
        """The files as the library lists them, with the digests of what is used."""
        import model_signing.manifest

        manifest: Any = model_signing.manifest
        items = [
            manifest.FileManifestItem(
                path=PurePosixPath(name), digest=manifest.hashing.Digest("sha256", bytes.fromhex(digest))
            )
            for name, digest in self.files.items()
        ]
        kind = manifest.SerializationType.from_args({"method": "files", "hash_type": "sha256", "allow_symlinks": False})
        return manifest.Manifest(model_path.name, items, kind)

    def add_ignored_paths(self, *, model_path: Path, paths: Any) -> None:
        """Nothing that is used is left out, whatever the signature says of that."""


def _signature(folder: Path, path: Path) -> bytes:
    if not (folder / SIGNATURE_FILE).exists():
        signed = advise("runcard", "package", "RUN", "--sign", "KEY.pem")
        text = f"the bundle {path} is not signed: it holds no {SIGNATURE_FILE}. Package with `{signed}`."
        raise BundleError(text)
    try:
        return read_small(folder / SIGNATURE_FILE)
    except OSError as error:
        raise BundleError(f"the bundle {path}: {SIGNATURE_FILE} cannot be read: {_line(error)}") from error


def _check_names(folder: Path, known: Iterable[str]) -> None:
    """Look whether the folder holds more than what was signed, but for what a hub of models adds to its copies.

    Raises:
        BundleError: If it does.
    """
    allowed = {*known, SIGNATURE_FILE, *OF_HUBS}
    for root, folders, files in os.walk(folder):
        place = Path(root).relative_to(folder)
        folders[:] = [name for name in folders if (place / name).as_posix() not in OF_HUBS]
        for name in files:
            if (place / name).as_posix() not in allowed:
                added = one_line((place / name).as_posix())
                raise BundleError(f"the bundle {folder} is not what was signed: {CHANGED}; {added} was added")


def _library() -> tuple[Any, Any, Any]:
    try:
        from model_signing import hashing, signing, verifying
    except ImportError as error:
        text = f"signatures need a package that is not installed: {advise('pip', 'install', 'runcard[signing]')}"
        raise BundleError(text) from error
    return signing, verifying, hashing


def _hashed(hashing: Any) -> Any:
    """What is signed: every file but the signature, whatever the signature says of that."""
    return hashing.Config().set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)


def _with_key(kind: str, path: Path, make: Callable[[Path], Any]) -> Any:
    try:
        return make(path)
    except OSError as error:
        raise CardError(f"cannot read the {kind} key {path}: {_line(error)}") from error
    except Exception as error:  # by what is wrong with it: ValueError, TypeError, AttributeError, cryptography's own
        raise CardError(f"the {kind} key {path} cannot be used: {KEYS}") from error


def _line(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or (str(error).splitlines() or [type(error).__name__])[0]
