"""Whole sweeps whose trials run in jobs of a launcher or tasks of Ray, through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial

from tests.conftest import Command, Said
from tests.tuning.executors import HANG_S
from tests.tuning.test_launched import PATHS

MODULES = {
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "ray": "ray",
}
# The second learns nothing.
FIRST_IS_GOOD = ["optimizer.lr=1e-2,1e-9", "sweep.pruner=threshold", "sweep.pruning.lower=0.7"]
EPOCHS = 5
PRUNED = [*FIRST_IS_GOOD, "sweep.pruning.warmup_epochs=3", f"trainer.max_epochs={EPOCHS}"]
LONG = ["seed=range(0,5)", "trainer.max_epochs=40"]


def words(name: str, *others: str) -> list[str]:
    pytest.importorskip(MODULES[name])
    place = [f"hydra/launcher={name}", "sweep.workers=2", "sweep.name=far"]
    return ["fit", "-m", "data=wine", *others, *place, "--json"]


def stored(storage: str = "sqlite:///studies/far/study.db") -> list[FrozenTrial]:
    opened = optuna.storages.RDBStorage(storage)
    try:
        return optuna.load_study(study_name="far", storage=opened).get_trials()
    finally:
        opened.engine.dispose()


def numbers_told(trial: FrozenTrial) -> list[int]:
    return sorted(trial.intermediate_values)


@pytest.mark.slow
def test_a_trial_elsewhere_reports_and_is_pruned(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is tried here, for whatever runs elsewhere imports torch for itself."""
    monkeypatch.setenv("PYTHONPATH", PATHS)
    here = command("fit", "-m", "data=wine", *PRUNED, "sweep.n_trials=1", "sweep.name=far")
    assert here.code == 0, here.err
    done = command(*words("joblib", *PRUNED))
    assert done.code == 0, done.err
    good, bad = stored()
    assert (good.state.name, bad.state.name) == ("COMPLETE", "PRUNED")
    assert 0 < len(numbers_told(bad)) < EPOCHS
    assert Path("studies/far/tasks/1.json").is_file()
    assert not Path("studies/far/tasks/0.json").exists()
    assert done.json["best"]["number"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_trials_elsewhere_report_and_are_pruned(
    name: str, command: Command, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", PATHS)
    done = command(*words(name, *PRUNED))
    assert done.code == 0, done.err
    good, bad = stored()
    assert (good.state.name, bad.state.name) == ("COMPLETE", "PRUNED")
    assert numbers_told(good) == list(range(EPOCHS))
    assert 0 < len(numbers_told(bad)) < EPOCHS
    assert done.json["best"]["number"] == 0
    assert Path(done.json["best"]["run"]) == away / "studies" / "far" / "0"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["submitit_local", "ray"])
def test_a_sweep_that_is_killed_goes_on(name: str, away: Path) -> None:
    line = words(name, *LONG)
    with started(line) as process:
        end = time.monotonic() + HANG_S
        while not list(Path("studies/far").glob("*/metrics.json")):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    done = finished(line)
    assert done.code == 0, done.err
    assert [(trial.number, trial.state.name) for trial in stored()] == [(n, "COMPLETE") for n in range(5)]
    assert all(numbers_told(trial) in ([], list(range(40))) for trial in stored())
    assert done.json["states"]["COMPLETE"] == 5


def started(line: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "runcard", *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": PATHS},
    )


def finished(line: list[str]) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "runcard", *line],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": PATHS},
        timeout=3 * HANG_S,
    )
    return Said(done.returncode, done.stdout, done.stderr)
