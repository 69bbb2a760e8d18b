"""Resuming: after any death, from any place, to the same bits as if nothing had happened."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import runcard
from runcard.errors import RunError, TrainingError
from runcard.evaluation.predictor import Run
from runcard.files import locked
from runcard.runs import RunFolder
from runcard.training.checkpoint import load
from runcard.training.differences import equal
from runcard.training.saving import Saving
from runcard.training.task import Task
from tests.conftest import HANG_S, Command

# Dropout, early stopping, accumulation that an epoch's end cuts short, an average, several chunks an epoch.
CARD = ["data=wine", "trainer.max_epochs=3", "trainer.accumulate=3", "trainer.average.method=ema", "report=false"]
CARD += ["trainer.steps_per_execution=2", "checkpoint.every_s=0", "trainer.average.decay=0.9"]
MINIBATCHES = 3 * -(-116 // 16)


def fit(*words: str) -> Run:
    return runcard.fit(runcard.load_card([*CARD, *words]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run that nothing happened to."""
    return fit(f"runs_dir={tmp_path_factory.mktemp('whole')}").folder


def assert_same(run: RunFolder, whole: RunFolder) -> None:
    for name in ("last", "best"):
        ours, theirs = load(getattr(run, name)), load(getattr(whole, name))
        assert equal(ours, theirs), [key for key in theirs if not equal(ours.get(key), theirs[key])]
    for name in ("history", "metrics", "predictions"):
        assert getattr(run, name).read_bytes() == getattr(whole, name).read_bytes(), name


def the_run(runs_dir: Path | str = "runs") -> RunFolder:
    (card,) = Path(runs_dir).glob("*/2*/card.yaml")
    return RunFolder(card.parent.absolute())


class Death(BaseException):
    """What ends a process in the middle of a line."""


def dies(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: Callable[..., bool], *words: str) -> RunFolder:
    """Fit until a call of ``owner.name`` for which ``when`` holds; the run that is left."""
    original = getattr(owner, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        if when(*arguments):
            raise Death
        return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Death):
            fit(*words)
    run = the_run()
    assert not run.finished
    return run


def stopped(monkeypatch: pytest.MonkeyPatch, *words: str) -> RunFolder:
    """A run that was ended in its third epoch."""
    return dies(monkeypatch, Task, "on_validation_epoch_end", lambda task: task.state.epoch == 2, *words)


SOME = (1, 10, 19)


@pytest.mark.parametrize(
    "minibatch",
    [*SOME, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, MINIBATCHES + 1, 2) if n not in SOME)],
)
def test_a_death_after_any_minibatch(minibatch: int, whole: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = dies(monkeypatch, Saving, "between", lambda saving: len(saving._task.state.losses) == minibatch)
    runcard.resume(run.path)
    assert_same(run, whole)


@pytest.mark.parametrize("number", [1, 2, 12, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 13))])
def test_a_death_while_a_checkpoint_is_written(number: int, whole: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[str] = []

    def is_the_one(source: Path, target: Path) -> bool:
        moves.extend([Path(target).name] if Path(target).name.startswith("last") else [])
        return len(moves) == number

    run = dies(monkeypatch, os, "replace", is_the_one)
    runcard.resume(run.path)
    assert_same(run, whole)


@pytest.mark.parametrize("name", ["validation_step", "on_validation_epoch_end", "on_train_epoch_start"])
def test_a_death_at_an_epochs_end(name: str, whole: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = dies(monkeypatch, Task, name, lambda task, *_: task.state.epoch == 2)
    runcard.resume(run.path)
    assert_same(run, whole)


def test_a_death_after_training(whole: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = dies(monkeypatch, sys.modules["runcard.fitting"], "evaluate", lambda *_: True)
    run.best.unlink()
    runcard.resume(run.path)
    assert_same(run, whole)


def damages(content: bytes, count: int) -> Iterator[bytes]:
    """The content cut short, with a part of zeros, or with one changed bit, each at random places."""
    places = random.Random(0)
    for number in range(count):
        place = places.randrange(len(content))
        if number % 3 == 0:
            yield content[:place]
        elif number % 3 == 1:
            end = min(place + 1000, len(content))
            yield content[:place] + bytes(end - place) + content[end:]
        else:
            yield content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]


@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(
    count: int, whole: RunFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = stopped(monkeypatch)
    last, before = run.last.read_bytes(), run.last_before.read_bytes()
    for damaged in damages(last, count):
        run.metrics.unlink(missing_ok=True)
        run.last.write_bytes(damaged)
        run.last_before.write_bytes(before)
        caplog.clear()
        runcard.resume(run.path)
        if damaged != last:  # what is zeroed may have been zero
            assert "last.ckpt is damaged" in caplog.text
        assert_same(run, whole)


def test_without_any_sound_checkpoint_it_begins_anew(
    whole: RunFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = stopped(monkeypatch)
    run.last.write_bytes(b"")
    run.last_before.write_bytes(b"PK")
    runcard.resume(run.path)
    assert caplog.text.count("is damaged") == 2
    assert_same(run, whole)


def test_a_history_with_too_much_is_put_right(whole: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(monkeypatch)
    run.history.write_text(run.history.read_text() + "7,torn")
    runcard.resume(run.path)
    assert_same(run, whole)


@pytest.mark.parametrize(
    "words",
    [
        [],
        pytest.param(["trainer.average.method=swa"], marks=pytest.mark.slow),
        pytest.param(["model.dropout=0.5", "data.workers=2"], marks=pytest.mark.slow),
    ],
)
def test_other_cards(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    more = ["trainer.early_stopping.patience=1", "optimizer.lr=0.05", *words]
    whole = fit(*more, "runs_dir=whole").folder
    run = dies(monkeypatch, Task, "on_validation_epoch_end", lambda task: task.state.epoch == 1, *more)
    runcard.resume(run.path)
    assert_same(run, whole)


def test_workers_do_not_change_the_bits() -> None:
    alone, helped = fit("data.workers=0", "runs_dir=alone"), fit("data.workers=2", "runs_dir=helped")
    assert equal(load(alone.folder.last), load(helped.folder.last))
    assert not [child for child in psutil.Process().children() if "pt_data_worker" in child.name()], "they are ended"


def test_a_finished_run_is_left_as_it_is(command: Command, whole: RunFolder) -> None:
    def looks() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in whole.path.rglob("*")}

    before = looks()
    said = command("resume", str(whole.path), "--json")
    assert (said.code, said.json["metrics"]) == (0, runcard.load_run(whole.path).metrics)
    assert looks() == before


def test_a_second_writer_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(monkeypatch)
    holder = f"import runcard.files as f, pathlib, sys\nwith f.locked(pathlib.Path({str(run.lock)!r}), 'x'):\n"
    holder += "    print('held', flush=True)\n    sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        said = command("resume", str(run.path))
        assert (said.code, "another process is writing" in said.err) == (2, True), said.err
        process.kill()  # and the lock falls with it
    assert command("resume", str(run.path)).code == 0
    assert not run.lock.exists()


def test_a_second_writer_in_this_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(monkeypatch)
    with locked(run.lock, "busy"), pytest.raises(RunError, match="another process is writing"):
        runcard.resume(run.path)


def test_data_that_changed_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{number},{'ab'[number % 2]}\n" for number in range(60))
    Path("rows.csv").write_text(f"x,y\n{rows}")
    table = ["data=table", "data.path=rows.csv", "problem.target=y", "data.batch_size=4"]
    run = dies(monkeypatch, Task, "on_validation_epoch_end", lambda task: task.state.epoch == 2, *table)
    Path("rows.csv").write_text(f"x,y\n{rows}1,a\n")
    said = command("resume", str(run.path))
    assert (said.code, "the data has changed since the run" in said.err) == (4, True)
    assert said.err.count("\n") == 1


def test_what_is_no_run(command: Command) -> None:
    Path("empty").mkdir()
    for path, words in (("nowhere", "there is no folder"), ("empty", "holds no card.yaml")):
        said = command("resume", path)
        assert (said.code, words in said.err) == (2, True), said.err


PHASES = {
    "reading": ("runcard.data.dataset", "load_dataset", 1),
    "warm-up": ("runcard.training.fit", "seed_everything", 1),
    "first minibatch": ("runcard.training.task.Task", "_learn", 1),
    "minibatch": ("runcard.training.task.Task", "_learn", 11),
    "validation": ("runcard.training.task.Task", "validation_step", 2),
    "epoch end": ("runcard.training.epochs.EpochEnd", "on_train_epoch_end", 2),
    "checkpoint": ("runcard.training.checkpoint", "_write", 1),
    "test": ("runcard.evaluation.evaluate", "score_test_rows", 1),
}
SENDER = """
import importlib, os, signal, sys
place, name, number, signum = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
try:
    owner = importlib.import_module(place)
except ModuleNotFoundError:
    module, _, leaf = place.rpartition('.')
    owner = getattr(importlib.import_module(module), leaf)
original, calls = getattr(owner, name), []
def sending(*arguments, **named):
    calls.append(0)
    if len(calls) == number:
        os.kill(os.getpid(), signum)
    return original(*arguments, **named)
setattr(owner, name, sending)
from runcard.cli.main import main
main(sys.argv[5:])
"""
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
# Each phase with one of them, and one phase with all.
SIGNALLED = [*zip(PHASES, itertools.cycle(SIGNALS), strict=False), *(("minibatch", number) for number in SIGNALS[1:])]


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "signum"), SIGNALLED)
def test_a_signal_in_any_phase(phase: str, signum: signal.Signals, whole: RunFolder, command: Command) -> None:
    place, name, number = PHASES[phase]
    words = [sys.executable, "-c", SENDER, place, name, str(number), str(int(signum)), "fit", *CARD]
    # No time to save by itself: what is kept is kept for the signal.
    done = subprocess.run([*words, "checkpoint.every_s=1000"], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == (130 if signum == signal.SIGINT else 143), done.stderr
    last_line = done.stderr.splitlines()[-1]
    assert f"stopped by {signum.name}" in last_line
    assert "Traceback" not in done.stderr
    if phase == "reading":
        assert not list(Path().glob("runs/*/*"))
        return
    run = the_run()
    assert f"go on with `runcard resume {run.path}`" in last_line
    if phase in ("minibatch", "validation"):
        state = load(run.last)["state"]
        assert (state["epoch"], state["minibatch"]) == {"minibatch": (1, 3), "validation": (1, 8)}[phase]
    assert command("resume", str(run.path)).code == 0
    assert_same_but_for_the_card(run, whole)


def assert_same_but_for_the_card(run: RunFolder, whole: RunFolder) -> None:
    assert equal(load(run.last), load(whole.last))
    assert run.metrics.read_bytes() == whole.metrics.read_bytes()


def test_a_loss_that_is_no_number_keeps_what_was_good(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = Task._loss

    def breaking(self: Task, *arguments: Any) -> Any:
        value = loss(self, *arguments)
        return value * float("nan") if self.training and len(self.state.losses) == 11 else value

    monkeypatch.setattr(Task, "_loss", breaking)
    with pytest.raises(TrainingError, match=r"became nan at step 11 \(epoch 1, minibatch 3\)"):
        fit("checkpoint.every_s=1000")
    run = the_run()
    assert load(run.last)["state"]["minibatch"] == 3
    skipped = fit("trainer.nonfinite=skip", "runs_dir=skipping").folder
    state = load(skipped.last)["state"]
    assert state["skipped"] == 1
    assert [number for number, value in enumerate(state["losses"].tolist()) if value != value] == [11]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_kill_9_at_random_moments(workers: int, whole: RunFolder, command: Command) -> None:
    moments = random.Random(workers)
    for number in range(4):
        words = ["fit", *CARD, f"data.workers={workers}", f"runs_dir=killed{number}"]
        process = subprocess.Popen([sys.executable, "-m", "runcard", *words], stderr=subprocess.DEVNULL)
        wanted = moments.randrange(1, MINIBATCHES)
        _kill_at(process, Path(f"killed{number}"), wanted)
        run = the_run(f"killed{number}")
        assert command("resume", str(run.path)).code == 0
        assert_same_but_for_the_card(run, whole)


def _kill_at(process: subprocess.Popen[bytes], runs_dir: Path, writes: int) -> None:
    """Kill when so many checkpoints were begun, as the folder's time of change tells."""
    seen: set[int] = set()
    while process.poll() is None and len(seen) < writes:
        for folder in runs_dir.glob("*/2*/checkpoints"):
            seen.add(folder.stat().st_mtime_ns)
    process.kill()
    process.wait()
