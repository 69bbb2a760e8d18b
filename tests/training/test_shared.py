"""Callbacks of the user's own: they read an epoch's numbers, log more, choose the best epoch, and see the test rows."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

import runcard
from runcard.runs import RunFolder
from runcard.training.checkpoint import load, save
from tests.conftest import Command

PACKAGE = """
import json

import torch
from pytorch_lightning import Callback


class Probe(Callback):
    def __init__(self, seen: str = "seen.json") -> None:
        self.path, self.seen = seen, {"loaded": False, "tested": 0}

    def _note(self, name, trainer):
        self.seen[name] = sorted(trainer.callback_metrics)

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log("val/away", float((trainer.current_epoch - 1) ** 2))

    def on_validation_end(self, trainer, pl_module):
        self._note("on_validation_end", trainer)

    def on_train_epoch_end(self, trainer, pl_module):
        self._note("on_train_epoch_end", trainer)
        self.seen["logger"] = [trainer.logger.name, str(trainer.log_dir)]
        self.seen["value"] = float(trainer.callback_metrics["val/loss"])
        pl_module.log("mine/epoch", torch.tensor(10.0 + trainer.current_epoch))
        trainer.logger.log_metrics({"mine/direct": trainer.current_epoch, "epoch": 99}, step=trainer.global_step)
        trainer.logger.experiment.add_anything("is taken")
        if trainer.current_epoch % 2:
            pl_module.log("mine/odd", 1.0)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        checkpoint["mine"] = torch.arange(3)

    def on_load_checkpoint(self, trainer, pl_module, checkpoint):
        self.seen["loaded"] = checkpoint["mine"].tolist()

    def on_test_start(self, trainer, pl_module):
        assert not pl_module.training

    def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.seen["tested"] += len(outputs)

    def on_test_end(self, trainer, pl_module):
        self._note("on_test_end", trainer)
        trainer.logger.log_metrics({"test/rows": self.seen["tested"]})
        with open(self.path, "w") as file:
            json.dump(self.seen, file)

    def state_dict(self):
        return {"seen": json.dumps(self.seen)}

    def load_state_dict(self, state):
        self.seen = json.loads(state["seen"])


class Logs(Callback):
    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log(self.name, self.value)


class Odd(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log("mine/x", float("nan"))


class OddOfTest(Callback):
    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, float(value)

    def on_test_end(self, trainer, pl_module):
        trainer.logger.log_metrics({self.name: self.value})


class Changes(Callback):
    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        checkpoint["state_dict"] = {}


class Adds(Callback):
    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        checkpoint["mine"] = self


class Stops(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch == 1
"""
WINE = ["data=wine", "model=linear", "report=false"]


@pytest.fixture
def package(away: Path) -> str:
    """A trusted package in the working directory, of a name of its own: Python imports a name once."""
    name = f"shared_{os.urandom(4).hex()}"
    Path(f"{name}.py").write_text(PACKAGE)
    Path("pyproject.toml").write_text(f'[tool.runcard]\ntrust = ["{name}"]\n')
    return name


def probed(package: str, epochs: int = 4) -> list[str]:
    return [*WINE, f"trainer.max_epochs={epochs}", f"trainer.callbacks.probe={{_target_: {package}.Probe}}"]


def history(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_callbacks_read_and_log(package: str, command: Command) -> None:
    run = Path(command("fit", *probed(package), "trainer.monitor=val/away", "--json").json["run"])
    seen = json.loads(Path("seen.json").read_text())
    assert {"val/loss", "val/accuracy"} <= {*seen["on_validation_end"]}
    assert {"val/loss", "train/loss", "lr", "val/away"} <= {*seen["on_train_epoch_end"]}
    assert {"test/accuracy", "test/log_loss"} <= {*seen["on_test_end"]}
    lines = history(run)
    assert seen["value"] == pytest.approx(float(lines[-1]["val/loss"]))
    assert seen["logger"] == ["csv", str(run)]
    assert [line["val/away"] for line in lines] == ["1", "0", "1", "4"]
    assert [line["mine/epoch"] for line in lines] == ["10", "11", "12", "13"]
    assert [line["mine/direct"] for line in lines] == ["0", "1", "2", "3"]
    assert [line["mine/odd"] for line in lines] == ["", "1", "", "1"], "what is not logged again is not written again"
    assert [line["epoch"] for line in lines] == ["0", "1", "2", "3"]
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["best_epoch"], metrics["val/away"], metrics["mine/epoch"]) == (1, 0, 11)
    assert metrics["test/rows"] == seen["tested"] == 35
    again = command("evaluate", str(run), "--json").json["metrics"]
    assert again["test/rows"] == 35, "it begins with what it kept at the end of training"


def test_a_run_goes_on_with_what_callbacks_logged_and_kept(package: str, command: Command) -> None:
    words = [*probed(package), "trainer.monitor=val/away", "checkpoint.every_s=0"]
    whole = Path(command("fit", *words, "--json").json["run"])
    halves = Path(
        command("fit", *words, f"trainer.callbacks.stops={{_target_: {package}.Stops}}", "--json").json["run"]
    )
    assert len(history(halves)) == 2, "whoever says that training is over is heard, and the run is at its end"
    folder = RunFolder(halves)
    last = load(folder.last)
    assert last["mine"].tolist() == [0, 1, 2]
    last["state"]["stopped"] = False
    save(folder.last, last)
    folder.metrics.unlink()
    assert command("resume", str(halves)).code == 0
    assert json.loads(Path("seen.json").read_text())["loaded"] == [0, 1, 2]
    assert history(halves) == history(whole)


@pytest.mark.parametrize(
    ("callback", "more", "said"),
    [
        ("Logs, name: val/loss, value: 1.0", [], "one logs 'val/loss', a number of Runcard's own; rename it"),
        ("Odd", [], "one logs 'mine/x', and its value is no number"),
        ("Logs, name: mine/x, value: 1.0", ["trainer.monitor=mine/y"], "no callback logged 'mine/y' in epoch 0"),
        ("OddOfTest, name: test/x, value: 'nan'", [], "one logs 'test/x', and its value is no number"),
        ("OddOfTest, name: test/f1, value: '1'", [], "one logs 'test/f1', a number of Runcard's own; rename it"),
        ("Changes", [], "its on_save_checkpoint changes what training goes on from"),
        ("Adds", [], "its on_save_checkpoint adds what cannot be loaded safely"),
    ],
)
def test_what_callbacks_may_not(package: str, callback: str, more: list[str], said: str, command: Command) -> None:
    own = f"trainer.callbacks.own={{_target_: {package}.{callback}}}"
    done = command("fit", *WINE, "trainer.max_epochs=2", own, *more)
    assert done.code == 2
    assert said in done.err
    assert "fault in Runcard" not in done.err


def test_a_monitor_that_nobody_could_log_is_refused_and_an_own_one_is_explained(package: str, command: Command) -> None:
    assert "nobody logs 'val/away'" in command("check", *WINE, "trainer.monitor=val/away").err
    said = command("fit", *probed(package, 1), "trainer.monitor=val/away").err
    assert "trainer.monitor=val/away: as a callback logs it each epoch; less is better" in said


def test_without_loggers_there_is_no_logger(package: str) -> None:
    own = f"trainer.callbacks.own={{_target_: {package}.Logs, name: mine/x, value: 2.0}}"
    run = runcard.fit(runcard.load_card([*WINE, "trainer.max_epochs=1", "logger=none", own]))
    assert run.metrics["mine/x"] == 2.0
