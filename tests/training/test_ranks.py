"""Several processes that share each minibatch: two on the processor, over gloo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

import runcard
from runcard.errors import CardError
from runcard.evaluation.predictor import Run
from runcard.runs import RunFolder
from runcard.training.checkpoint import load
from runcard.training.differences import equal
from tests.conftest import HANG_S, Command

CARD = ["data=wine", "trainer.max_epochs=3", "report=false", "trainer.accelerator=cpu"]
TWO = [*CARD, "trainer=ddp", "checkpoint.every_s=0"]


def fit(*words: str) -> Run:
    return runcard.fit(runcard.load_card(list(words)))


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_the_same_bits_each_time() -> None:
    first, again = fit(*TWO, "model.dropout=0.0"), fit(*TWO, "model.dropout=0.0")
    assert equal(load(first.folder.last), load(again.folder.last))
    alone = load(fit(*CARD, "model.dropout=0.0").folder.last)
    ours = load(first.folder.last)
    for name, tensor in alone["state_dict"].items():
        torch.testing.assert_close(ours["state_dict"][name], tensor, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(ours["state"]["losses"], alone["state"]["losses"], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_sweep_may_have_them(command: Command) -> None:
    said = command("fit", "-m", *TWO, "seed=1,2", "--json")
    assert said.json["states"] == {"COMPLETE": 2, "PRUNED": 0, "FAIL": 0, "RUNNING": 0}, said.err


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "runcard", *words], stderr=subprocess.PIPE, text=True)


def wait_for_a_checkpoint(process: subprocess.Popen[str]) -> RunFolder:
    until = time.monotonic() + HANG_S
    while time.monotonic() < until and process.poll() is None:
        for path in Path("runs").glob("*/2*/checkpoints/last-before.ckpt"):
            return RunFolder(path.parent.parent.absolute())
    raise AssertionError(process.communicate())


@pytest.mark.slow
@pytest.mark.parametrize("to_child", [False, True])
def test_a_signal_to_any_of_them_stops_all_and_it_goes_on(to_child: bool, command: Command) -> None:
    whole = fit(*TWO, "trainer.max_epochs=40", "runs_dir=whole")
    process = started("fit", *TWO, "trainer.max_epochs=40")
    run = wait_for_a_checkpoint(process)
    (child,) = psutil.Process(process.pid).children()
    os.kill(child.pid if to_child else process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=HANG_S)
    assert process.returncode == 143, said
    assert f"go on with `runcard resume {run.path}`" in said.splitlines()[-1]
    assert not child.is_running()
    assert command("resume", str(run.path)).code == 0
    assert equal(load(run.last), load(whole.folder.last))


@pytest.mark.slow
def test_a_process_that_dies_ends_the_run_with_a_clear_error(command: Command) -> None:
    process = started("fit", *TWO, "trainer.max_epochs=2000", "trainer.early_stopping.patience=null")
    run = wait_for_a_checkpoint(process)
    (child,) = psutil.Process(process.pid).children()
    child.kill()
    _, said = process.communicate(timeout=HANG_S)
    assert process.returncode == 2
    assert f"runcard resume {run.path}" in said
    assert "Traceback" not in said


def test_a_process_that_dies_before_they_meet_is_not_waited_for(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nif 'runcard.rank' in sys.orig_argv: os._exit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    done = command("fit", *TWO)
    assert done.code == 2, done.err
    assert "ended before it began" in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_children_end_when_their_parent_is_killed() -> None:
    process = started("fit", *TWO, "trainer.max_epochs=2000", "trainer.early_stopping.patience=null")
    wait_for_a_checkpoint(process)
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    child.wait(timeout=HANG_S)


@pytest.mark.slow
def test_torchrun_starts_them_too() -> None:
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    done = subprocess.run(
        [*words, "-m", "runcard", "fit", *TWO, "--json"], capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"run"') == 1
    assert len(list(Path("runs").glob("*/2*"))) == 1


@pytest.mark.slow
def test_slurm_starts_them_too() -> None:
    job = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "fit", "SLURM_NTASKS": "2", "SLURM_NODELIST": "localhost"}
    job |= {"SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "runcard", "fit", *TWO, "--json"],
            env=os.environ | job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=HANG_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert ['"run"' in out for out, _ in said] == [True, False]
    assert len(list(Path("runs").glob("*/2*"))) == 1


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["trainer.devices=2"], "trainer.devices"),
        (["trainer=ddp", "data.batch_size=1"], "data.batch_size"),
        (["trainer=ddp", "trainer.nonfinite=skip"], "trainer.nonfinite"),
        (["trainer=ddp", "trainer.steps_per_execution=4"], "trainer.steps_per_execution"),
    ],
)
def test_what_cannot_be_shared_is_refused(words: list[str], key: str) -> None:
    with pytest.raises(CardError) as caught:
        runcard.load_card(words)
    assert [mistake.key for mistake in caught.value.mistakes] == [key]
