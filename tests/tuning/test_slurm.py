"""Trials placed by submitit on a real SLURM of one node, which the test starts in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runcard.tuning.events import Died, Ended
from tests.postgres import postgres
from tests.tuning.executors import HANG_S, ExecutorContract, events, task, until
from tests.tuning.test_elsewhere import finished, numbers_told, stored
from tests.tuning.test_launched import PATHS, kill_driver, launched

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
MISSING = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING) or os.getuid() != 0, reason="as root: apt-get install slurm-wlm munge"),
]
CONFIG = """
ClusterName=runcard
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
KillWait=5
NodeName=localhost NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """A cluster; its folder. The path of a socket must be short, so it is not pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    with socket.socket() as one, socket.socket() as other:
        ports = [_port(one), _port(other)]
    (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, ports=ports))
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin", "SLURM_CONF": str(folder / "slurm.conf")}
    munge = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid", "seed-file": "munge.seed"}
    commands = [
        ["munged", "--foreground", "--force", *(f"--{name}={folder / file}" for name, file in munge.items())],
        ["slurmctld", "-D", "-f", str(folder / "slurm.conf")],
        ["slurmd", "-D", "-N", "localhost", "-f", str(folder / "slurm.conf")],
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in commands:
            with open(folder / f"{words[0]}.log", "wb") as log:
                started.append(subprocess.Popen(words, env=environment, stdout=log, stderr=log))
            if words[0] == "munged":
                _await((folder / "munge.sock").is_socket)
        _await(lambda: _said(["sinfo", "-h", "-o", "%T"], environment) == "idle")
        yield folder
    finally:
        _said(["scancel", "--me"], environment)
        # A job that a daemon does not end any more would stay.
        with contextlib.suppress(AssertionError):
            _await(lambda: not _said(["squeue", "-h"], environment))
        for process in reversed(started):
            end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _port(opened: socket.socket) -> int:
    opened.bind(("127.0.0.1", 0))
    return int(opened.getsockname()[1])


def _await(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def _said(words: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(words, env=environment, capture_output=True, text=True).stdout.strip()


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def on_cluster(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(slurm / "slurm.conf"))
    monkeypatch.setenv("PYTHONPATH", PATHS)


class TestSlurm(ExecutorContract):
    @pytest.fixture
    def make(self) -> Callable[..., Any]:
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
        return launched("submitit_slurm")

    def test_a_job_that_is_cancelled_died(self, executor: Any, tmp_path: Path) -> None:
        executor.start(task(tmp_path, 0, seconds=HANG_S))
        until(tmp_path / "0" / "pid")
        executor.wait(0)
        job = executor.job_id(0)
        subprocess.run(["scancel", job], check=True)
        (event,) = events(executor, 1)
        assert isinstance(event, Died)
        assert job in event.reason
        assert "CANCELLED" in event.reason

    def test_resuming_waits_for_the_job_that_runs(self, make: Callable[..., Any], tmp_path: Path) -> None:
        kill_driver("submitit_slurm", tmp_path)
        executor = make(1, tmp_path)
        executor.start(task(tmp_path, 0, seconds=HANG_S))
        assert executor.job_id(0) is not None
        Path(tmp_path, "0", "go").touch()
        (event,) = events(executor, 1)
        assert isinstance(event, Ended)
        assert Path(tmp_path, "0", "begun").read_text() == "x"
        executor.close()


def test_a_sweep_on_slurm_and_postgresql(away: Path) -> None:
    """The command of the README, with a real server."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    pytest.importorskip("psycopg")
    with postgres() as server:
        few = ["fit", "sweep=random", "data=wine", "trainer.max_epochs=5", "sweep.n_trials=4", "sweep.workers=2"]
        place = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=all"]
        shared = [f"sweep.storage={server.url}", "sweep.name=far", "sweep.pruner=median"]
        done = finished([*few, *place, *shared, "--json"])
        assert done.code == 0, done.err
        trials = stored(server.url.replace("://", "+psycopg://"))
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert all(numbers_told(trial) == list(range(len(trial.intermediate_values))) for trial in trials)
    assert all(trial.intermediate_values for trial in trials)
    assert {trial.user_attrs["worker"] for trial in trials} == {"submitit_slurm"}
    assert sum(done.json["states"].values()) == 4
