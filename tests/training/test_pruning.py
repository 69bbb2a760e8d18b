"""Training that someone who is told of its epochs ends early: it stops cleanly, and could go on to the same bits."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
import torch

import runcard
from runcard import runs
from runcard.card.metrics import MEASURED
from runcard.data.dataset import load_dataset
from runcard.errors import Pruned, Stopped
from runcard.evaluation.cost import costs
from runcard.evaluation.predictor import Run
from runcard.fitting import ask_again, fit_card, resume_run
from runcard.runs import RunFolder
from runcard.training.pruning import Report
from tests.conftest import HANG_S

WORDS = ["data=wine", "trainer.max_epochs=6", "trainer.early_stopping.patience=null", "report=false"]


class Told:
    """Ends training after so many epochs."""

    def __init__(self, until: int | None = None) -> None:
        self.until = until
        self.heard: list[tuple[int, dict[str, float]]] = []

    def __call__(self, epoch: int, numbers: Mapping[str, float]) -> bool:
        self.heard.append((epoch, dict(numbers)))
        return self.until is not None and len(self.heard) >= self.until


def fitted(report: Report | None, *words: str, name: str = "run") -> Run:
    card = runcard.load_card([*WORDS, *words])
    return fit_card(card, load_dataset(card), lambda _: runs.create_at(folder(name)), report=report)


def folder(name: str = "run") -> RunFolder:
    return RunFolder(Path(name).absolute())


def weights(name: str) -> dict[str, torch.Tensor]:
    content: dict[str, Any] = torch.load(folder(name).last, weights_only=True)
    found: dict[str, torch.Tensor] = content["state_dict"]
    return found


def test_it_is_told_of_every_epoch() -> None:
    told = Told()
    fitted(told)
    assert [epoch for epoch, _ in told.heard] == list(range(6))
    with open("run/metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val/loss"]) for row in rows] == [numbers["val/loss"] for _, numbers in told.heard]


def test_it_ends_where_it_is_asked_to() -> None:
    with pytest.raises(Pruned) as pruned:
        fitted(Told(until=3))
    assert pruned.value.epochs == 3
    assert not folder().finished
    log = Path("run/run.log").read_text()
    assert "pruned after 3 epochs" in log
    assert "Traceback" not in log


def test_it_can_be_gone_on_with_to_the_same_bits() -> None:
    whole = fitted(None, name="whole")
    with pytest.raises(Pruned):
        fitted(Told(until=2))
    told = Told()
    run = resume_run(folder(), report=told)
    assert [epoch for epoch, _ in told.heard] == [2, 3, 4, 5]
    assert run.metrics == whole.metrics
    ours, theirs = weights("run"), weights("whole")
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize(
    ("words", "until"),
    [
        (["trainer.max_epochs=1"], 1),
        ([], 6),
        (["trainer.early_stopping.patience=1", "optimizer.lr=1e-12", "trainer.early_stopping.min_delta=1.0"], 2),
    ],
)
def test_what_ends_anyway_is_not_pruned(words: list[str], until: int) -> None:
    run = fitted(Told(until=until), *words)
    assert run.metrics["epochs"] == until


def test_what_has_been_learned_by_heart_ends_anyway() -> None:
    words = ["debug=overfit", "trainer.overfit_rows=8", "optimizer.lr=0.01", "trainer.max_epochs=300"]
    epochs = int(fitted(None, *words, name="whole").metrics["epochs"])
    assert epochs < 300
    assert fitted(Told(until=epochs), *words).metrics["epochs"] == epochs


def test_after_a_signal_no_epoch_is_told_twice() -> None:
    def stop(signum: int, _: object) -> NoReturn:
        raise Stopped(signum)

    class Signalled(Told):
        def __call__(self, epoch: int, numbers: Mapping[str, float]) -> bool:
            if epoch == 2:
                signal.raise_signal(signal.SIGTERM)  # it waits until this epoch is kept
            return super().__call__(epoch, numbers)

    first, second = Signalled(), Told()
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            fitted(first)
    finally:
        signal.signal(signal.SIGTERM, before)
    run = resume_run(folder(), report=second)
    assert [epoch for epoch, _ in first.heard + second.heard] == list(range(6))
    assert run.metrics == fitted(None, name="whole").metrics


def test_whoever_died_with_the_answer_is_asked_again() -> None:
    with pytest.raises(Pruned):
        fitted(Told(until=3))
    told = Told(until=1)
    with pytest.raises(Pruned) as noted:
        ask_again(folder(), told)
    assert (noted.value.epochs, told.heard) == (3, [])  # it is noted in the folder
    folder().pruned.unlink()
    with pytest.raises(Pruned) as asked:
        ask_again(folder(), told)
    assert (asked.value.epochs, [epoch for epoch, _ in told.heard]) == (3, [2])
    folder().pruned.unlink()
    ask_again(folder(), Told())
    assert resume_run(folder()).metrics["epochs"] == 6
    assert not folder().pruned.exists()


def test_whoever_is_told_may_fail() -> None:
    def report(epoch: int, _: Mapping[str, float]) -> bool:
        raise ZeroDivisionError(f"after epoch {epoch}")

    with pytest.raises(ZeroDivisionError, match="after epoch 0"):
        fitted(report)
    assert not folder().finished
    assert resume_run(folder()).metrics["epochs"] == 6


def test_rows_at_hand_are_not_read_again(table: Path) -> None:
    words = ["data=table", f"data.path={table}", "problem.target=churned"]
    card = runcard.load_card([*WORDS, *words])
    data = load_dataset(card)
    with pytest.raises(Pruned):
        fit_card(card, data, lambda _: runs.create_at(folder()), report=Told(until=1))
    table.unlink()
    assert resume_run(folder(), data=data).metrics["epochs"] == 6


@pytest.mark.parametrize("logger", ["csv", "tensorboard", pytest.param("mlflow", marks=pytest.mark.slow)])
def test_its_tracker_says_that_it_has_finished(logger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from runcard.training import loggers

    ends: list[str] = []
    original = loggers.Guarded.finalize

    def finalize(self: Any, status: str) -> None:
        ends.append(status)
        original(self, status)

    monkeypatch.setattr(loggers.Guarded, "finalize", finalize)
    with pytest.raises(Pruned):
        fitted(Told(until=1), f"logger={logger}")
    assert set(ends) <= {"success"}
    assert len(ends) == (logger != "csv")


TWO = """
import json, sys
import runcard
from runcard import runs
from runcard.data.dataset import load_dataset
from runcard.errors import Pruned, Stopped
from runcard.fitting import fit_card
from pathlib import Path
card = runcard.load_card(sys.argv[1:])
try:
    fit_card(card, load_dataset(card), lambda _: runs.create_at(runs.RunFolder(Path("run").absolute())),
             report=lambda epoch, _: epoch == 1)
except Pruned as pruned:
    print(json.dumps(pruned.epochs))
"""


@pytest.mark.slow
def test_of_several_processes_all_end() -> None:
    words = [*WORDS, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    done = subprocess.run([sys.executable, "-c", TWO, *words], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == 2
    assert not folder().finished


@pytest.mark.slow
def test_several_processes_can_be_gone_on_with_to_the_same_bits() -> None:
    words = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    whole = fitted(None, *words, name="whole")
    with pytest.raises(Pruned):
        fitted(Told(until=2), *words)
    assert resume_run(folder()).metrics == whole.metrics
    ours, theirs = weights("run"), weights("whole")
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.slow
def test_of_several_processes_none_is_left_when_whoever_is_told_fails() -> None:
    def report(epoch: int, _: Mapping[str, float]) -> bool:
        raise ZeroDivisionError(f"after epoch {epoch}")

    before = psutil.Process().children()  # of other tests: a tracker's, a sweep's server
    with pytest.raises(ZeroDivisionError, match="after epoch 0"):
        fitted(report, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")
    assert set(psutil.Process().children()) <= set(before)


def test_what_a_model_costs(wine_run: Run) -> None:
    found = costs(wine_run, load_dataset(wine_run.card))
    assert set(found) == set(MEASURED)
    count = sum(weight.numel() for weight in wine_run.model.parameters())
    assert (found["parameters"], found["size_mb"]) == (count, count * 4 / 1e6)
    assert 0 < found["latency_ms"] < 1000
