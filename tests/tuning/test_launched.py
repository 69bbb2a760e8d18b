"""Trials placed by real launchers and a real Ray, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runcard.card.launchers import Launcher
from runcard.tuning.events import Ended
from runcard.tuning.launched import LaunchedExecutor
from runcard.tuning.rays import RayExecutor
from tests.tuning.executors import HANG_S, RUN_TASK, ExecutorContract, events, task, until

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join([str(ROOT), str(ROOT / "src")])
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PATHS)


def launched(name: str, **params: Any) -> Callable[[int, Path], LaunchedExecutor]:
    return lambda slots, folder: LaunchedExecutor(Launcher(name, params), slots, folder, RUN_TASK)


class TestSubmititLocal(ExecutorContract):
    @pytest.fixture
    def make(self) -> Callable[..., Any]:
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
        return launched("submitit_local")


class TestJoblib(ExecutorContract):
    @pytest.fixture
    def make(self) -> Callable[..., Any]:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
        return launched("joblib")


def driver(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that starts a long trial, and waits."""
    made = "RayExecutor(Launcher('ray')" if name == "ray" else f"LaunchedExecutor(Launcher({name!r})"
    script = (
        "from pathlib import Path\n"
        "from tests.tuning.test_launched import *\n"
        f"folder = Path({str(folder)!r})\n"
        f"executor = {made}, 1, folder, RUN_TASK)\n"
        f"executor.start(task(folder, 0, seconds={HANG_S}))\n"
        "while True: executor.wait(1)\n"
    )
    return subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": PATHS})


def kill_driver(name: str, folder: Path) -> None:
    """Kill a sweep, the one trial of which runs."""
    process = driver(name, folder)
    try:
        until(folder / "0" / "pid")
    finally:
        process.kill()
        process.wait()


def test_resuming_waits_for_the_job_that_runs(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    kill_driver("submitit_local", tmp_path)
    executor = launched("submitit_local")(1, tmp_path)
    executor.start(task(tmp_path, 0, seconds=HANG_S))
    assert executor.job_id(0) is not None
    Path(tmp_path, "0", "go").touch()
    (event,) = events(executor, 1)
    assert isinstance(event, Ended)
    assert Path(tmp_path, "0", "begun").read_text() == "x"
    executor.close()


@pytest.mark.parametrize(
    ("name", "module"), [("joblib", "hydra_plugins.hydra_joblib_launcher"), ("ray", "ray")], ids=["joblib", "ray"]
)
def test_trials_of_this_machine_are_saved_when_the_sweep_dies(name: str, module: str, tmp_path: Path) -> None:
    pytest.importorskip(module)
    kill_driver(name, tmp_path)
    until(tmp_path / "0" / "saved")  # which one that runs to its end does not write


def test_ray_takes_back_what_waits_and_saves_what_runs_when_it_is_closed(started_ray: None, tmp_path: Path) -> None:
    executor = RayExecutor(Launcher("ray", {"num_cpus": 3.0}), 2, tmp_path, RUN_TASK)
    for number in (0, 1):
        executor.start(task(tmp_path, number, seconds=HANG_S))
    until(tmp_path / "0" / "pid")
    executor.stop(1)
    (event,) = events(executor, 1)
    assert isinstance(event, Ended)
    assert (event.number, event.outcome["state"]) == (1, "STOPPED")
    executor.close()
    assert Path(tmp_path, "0", "saved").exists()
    assert not Path(tmp_path, "1").exists()


@pytest.fixture(scope="module")
def started_ray() -> Iterator[None]:
    """One Ray for all of them: to start it takes seconds."""
    ray = pytest.importorskip("ray", reason="pip install 'runcard[ray]'")
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


class TestRay(ExecutorContract):
    @pytest.fixture
    def make(self, started_ray: None) -> Callable[..., Any]:
        return lambda slots, folder: RayExecutor(Launcher("ray", {"num_cpus": 1.0}), slots, folder, RUN_TASK)
