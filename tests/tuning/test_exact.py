"""A sweep that is killed again and again ends as one that never was: the same points, values, states, and bits."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import HANG_S
from tests.servers import BIN
from tests.waiting import wait_for

WORDS = ["sweep=tpe", "data=wine", "trainer.max_epochs=6", "trainer.early_stopping.patience=null", "sweep.name=s"]
WORDS += ["model.hidden=choice([64],[128,128])", "sweep.n_trials=16", "sweep.startup_trials=5"]
WORDS += ["sweep.pruner=median", "sweep.pruning.startup_trials=3", "sweep.pruning.warmup_epochs=1"]
# Of a trial, what time and place have no part in.
LASTING = ("params", "values", "state", "reports", "epochs")


def swept(folder: Path, moments: random.Random | None) -> dict[str, Any]:
    """A sweep, killed at random moments until it comes to its end."""
    folder.mkdir()
    summary = folder / "studies/s/study.json"
    for attempt in itertools.count():
        before = written(summary)
        with subprocess.Popen([str(BIN / "runcard"), "fit", *WORDS], cwd=folder, stderr=subprocess.DEVNULL) as process:
            try:
                if moments:  # from when it has got going, however slow the machine; later and later, so that it ends
                    wait_for(lambda: process.poll() is not None or written(summary) != before)  # noqa: B023
                assert process.wait(moments.uniform(0, 1 + attempt / 2) if moments else HANG_S) == 0
                break
            except subprocess.TimeoutExpired:
                assert moments, "it hangs"
                process.kill()
    assert not moments or attempt > 2, "it was hardly killed"
    found: dict[str, Any] = json.loads(summary.read_text())
    return found


def written(summary: Path) -> int:
    """When a study's account was last written; 0: never."""
    return summary.stat().st_mtime_ns if summary.exists() else 0


def tensors(content: Any) -> list[torch.Tensor]:
    if isinstance(content, torch.Tensor):
        return [content]
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list | tuple) else []
    return [tensor for part in parts for tensor in tensors(part)]


@pytest.mark.slow
def test_one_that_was_killed_is_one_that_was_not(away: Path) -> None:
    whole, killed = swept(away / "whole", None), swept(away / "killed", random.Random(0))
    lasting = [[{key: one[key] for key in LASTING} for one in study["trials"]] for study in (whole, killed)]
    assert lasting[0] == lasting[1]
    assert whole["states"]["PRUNED"] > 0
    for trial in whole["trials"]:
        ours, theirs = (
            tensors(torch.load(away / name / f"studies/s/{trial['number']}/checkpoints/last.ckpt", weights_only=True))
            for name in ("whole", "killed")
        )
        assert len(ours) == len(theirs) > 0
        assert all(map(torch.equal, ours, theirs))
