"""Checkpoints: tensors only, whole or refused."""

from __future__ import annotations

import hashlib
import pickle
import resource
from pathlib import Path

import pytest
import torch

from runcard.errors import RunError
from runcard.runs import RunFolder
from runcard.training.checkpoint import COMMENT, NO_COMMENT, load, load_last, save


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


def test_a_missing_file_is_said(away: Path) -> None:
    with pytest.raises(RunError, match="cannot read the checkpoint"):
        load(away / "best.ckpt")


@pytest.mark.parametrize("length", [0, 1, 65, 66, 67, 500, -1])
def test_a_torn_file_is_noticed(away: Path, length: int) -> None:
    path = stored(away / "best.ckpt")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RunError, match=r"best\.ckpt is damaged"):
        load(path)


def test_the_one_before_is_kept(away: Path) -> None:
    path, before = stored(away / "last.ckpt"), away / "last-before.ckpt"
    save(path, {"state_dict": {}, "epoch": 4}, keep=before)
    assert (load(path)["epoch"], load(before)["epoch"]) == (4, 3)


def test_a_full_disk_costs_nothing_that_was_there(away: Path) -> None:
    path = stored(away / "last.ckpt")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(RunError) as caught:
            save(path, {"state_dict": {"w": torch.ones(100_000)}}, keep=Path("before"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == f"cannot write {path}: File too large"
    assert load(path)["epoch"] == 3
    assert [item.name for item in away.iterdir()] == ["last.ckpt"]


def test_a_sound_checkpoint_that_cannot_be_read_now_is_not_removed(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(away)
    run.last.parent.mkdir()
    stored(run.last)

    def short(*_: object, **__: object) -> None:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(torch, "load", short)
    with pytest.raises(RunError, match="can't allocate memory"):
        load_last(run)
    assert run.last.exists()


class Canary:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return Path.write_text, (Path("mark"), "ran")  # type: ignore[return-value]


def test_a_pickle_with_the_right_checksum_runs_nothing(away: Path) -> None:
    path = away / "best.ckpt"
    content = pickle.dumps(Canary(), protocol=2)
    digest = hashlib.sha256(content + NO_COMMENT).hexdigest()
    path.write_bytes(content + COMMENT + digest.encode())
    with pytest.raises(RunError, match="is no checkpoint"):
        load(path)
    assert not Path("mark").exists()
