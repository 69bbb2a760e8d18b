"""Checkpoints: tensors only, whole or refused."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest
import torch

from runcard.errors import RunError
from runcard.training.checkpoint import load, save


def stored(path: Path) -> Path:
    save(path, {"state_dict": {"w": torch.arange(100.0)}, "epoch": 3})
    return path


def test_what_was_saved_comes_back_without_running_code(away: Path) -> None:
    path = stored(away / "best.ckpt")
    assert torch.equal(load(path)["state_dict"]["w"], torch.arange(100.0))
    assert torch.load(path, weights_only=True)["epoch"] == 3


@pytest.mark.parametrize("place", [0, 10, 500, -1])
def test_one_changed_byte_is_noticed(away: Path, place: int) -> None:
    path = stored(away / "best.ckpt")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"best\.ckpt is damaged"):
        load(path)


def test_missing_files_are_said(away: Path) -> None:
    with pytest.raises(RunError, match="cannot read the checkpoint"):
        load(away / "best.ckpt")
    path = stored(away / "best.ckpt")
    path.with_name("best.ckpt.sha256").unlink()
    with pytest.raises(RunError, match="cannot read the checkpoint"):
        load(path)


class Canary:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return Path.write_text, (Path("mark"), "ran")  # type: ignore[return-value]


def test_a_pickle_with_the_right_checksum_runs_nothing(away: Path) -> None:
    path = away / "best.ckpt"
    path.write_bytes(pickle.dumps(Canary(), protocol=2))
    path.with_name("best.ckpt.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(RunError, match="is no checkpoint"):
        load(path)
    assert not Path("mark").exists()
