"""Weights on disk: tensors and plain values only, moved into place whole, with a checksum beside them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from runcard.errors import RunError
from runcard.files import sha256, write_bytes, write_text


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint and its SHA-256.

    Raises:
        RunError: If it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())
    write_text(_checksum(path), f"{sha256([buffer.getvalue()])}  {path.name}\n")


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, on the CPU, after comparing its SHA-256; runs no code from it.

    Raises:
        RunError: If it is missing or damaged.
    """
    try:
        content = path.read_bytes()
        expected = _checksum(path).read_text(encoding="utf-8").partition(" ")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read the checkpoint {path} and its checksum: {error}") from error
    if sha256([content]) != expected:
        raise RunError(f"the checkpoint {path} is damaged: its SHA-256 is not the one in {_checksum(path).name}")
    try:
        loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, ValueError) as error:
        raise RunError(f"{path} is no checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("state_dict"), dict):
        raise RunError(f"{path} is no checkpoint: it holds no state_dict")
    return loaded


def _checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
