"""The warning that a model learns its rows by heart: said once, and of no shipped experiment."""

from __future__ import annotations

import pytest

import runcard
from runcard.card.groups import shipped_conf
from runcard.training.task import Task
from runcard.training.worsening import Trend
from tests.conftest import Command
from tests.training.test_resume import dies

BY_HEART = ["data=breast_cancer", "model.hidden=[256,256]", "model.dropout=0.0", "optimizer.weight_decay=0.0"]
BY_HEART += ["scheduler=constant", "trainer.early_stopping.patience=null", "trainer.max_epochs=16", "report=false"]
TEXT = "the model learns its training rows by heart"


def said(validation: list[float], training: list[float]) -> list[int]:
    """The epochs in which something is said."""
    trend = Trend()
    losses = enumerate(zip(validation, training, strict=True))
    return [
        epoch for epoch, (val, train) in losses if trend.add({"epoch": epoch, "val/loss": val, "train/loss": train})
    ]


FALLING = [1 / (epoch + 1) for epoch in range(20)]


def test_it_is_said_once_and_when_it_is_so() -> None:
    assert said([1.0, 0.5, *(0.62 + epoch / 100 for epoch in range(18))], FALLING) == [6]


@pytest.mark.parametrize(
    ("validation", "training"),
    {
        "both fall": (FALLING, FALLING),
        "both rise": ([1.0, 0.5, *[0.9] * 18], FALLING[::-1]),
        "flat": ([1.0, 0.5, *[0.54] * 18], FALLING),
        "up and down": ([1.0, 0.5, *[0.9, 0.9, 0.9, 0.9, 0.51] * 3, *[0.51] * 3], FALLING),
        "nearly nothing left": ([1.0, 0.01, *[0.02] * 18], FALLING),
        "training stands still": ([1.0, 0.5, *[0.9] * 18], [1.0, 0.5, *[0.3] * 18]),
    }.values(),
    ids=str,
)
def test_false_alarms(validation: list[float], training: list[float]) -> None:
    assert said(validation, training) == []


def test_the_command_says_it_with_what_to_try(command: Command) -> None:
    told = command("fit", *BY_HEART)
    assert told.code == 0
    assert told.err.count(TEXT) == 1
    assert "Try model.dropout" in told.err


@pytest.mark.slow
def test_it_is_said_where_it_was_and_not_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runcard.fit(runcard.load_card([*BY_HEART, "runs_dir=whole"]))
    (whole,) = [record.message for record in caplog.records if TEXT in record.message]
    caplog.clear()
    late = [*BY_HEART, "trainer.average.method=null", "trainer.accumulate=1", "checkpoint.every_s=0"]
    run = dies(monkeypatch, Task, "on_validation_epoch_end", lambda task: task.state.epoch == 14, *late)
    assert [record.message for record in caplog.records if TEXT in record.message] == [whole]
    caplog.clear()
    runcard.resume(run.path)
    assert TEXT not in caplog.text


EXPERIMENTS = sorted(path.stem for path in (shipped_conf() / "experiment").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_shipped_experiment_is_warned_of(name: str, caplog: pytest.LogCaptureFixture) -> None:
    runcard.fit(runcard.load_card([f"experiment={name}", "report=false"]))
    assert TEXT not in caplog.text
