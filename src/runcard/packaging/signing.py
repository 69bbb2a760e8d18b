"""Who packaged a bundle: a signature over all its files with an elliptic-curve key, by OpenSSF's model signing.

Imported only where something is signed or checked: the library is an extra, and takes half a second to import.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from runcard.errors import BundleError, CardError
from runcard.packaging.bundle import verify

# Beside the manifest, which is signed and cannot name it.
SIGNATURE_FILE = "model.sig"
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


def verify_signature(path: Path, public_key: str | Path) -> None:
    """Look whether a bundle is, file for file, what the owner of a key has signed.

    Args:
        path: The bundle's folder.
        public_key: The key's PEM file.

    Raises:
        BundleError: If it is not signed, or with another key, or a file was changed, added or taken away.
        CardError: If the key cannot be read.
    """
    _, verifying, hashing = _library()
    make = verifying.Config().use_elliptic_key_verifier
    config = _with_key("public", Path(public_key), lambda key: make(public_key=key))
    folder = path.resolve()
    if not (folder / SIGNATURE_FILE).is_file():
        raise BundleError(
            f"the bundle {path} is not signed: it holds no {SIGNATURE_FILE}. Package with --sign KEY.pem."
        )
    try:
        config.set_hashing_config(_hashed(hashing)).verify(folder, folder / SIGNATURE_FILE)
    except Exception as error:  # those of the libraries below it share no class
        verify(folder)  # names the file, if one was changed and the manifest was not
        what = (
            "it was signed with another key" if "Key mismatch" in str(error) else "its files or its signature changed"
        )
        raise BundleError(f"the bundle {path} is not what the owner of {public_key} has signed: {what}") from error


def _library() -> tuple[Any, Any, Any]:
    try:
        from model_signing import hashing, signing, verifying
    except ImportError as error:
        text = "signatures need a package that is not installed: pip install 'runcard[signing]'"
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
