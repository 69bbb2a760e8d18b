"""Plain Optuna writes into a study: what fits is used, what does not is failed or left aside, and the study goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from tests.conftest import TINY, Command

SPACE = ["optimizer.lr=tag(log,interval(1e-4,1e-1))"]
SWEEP = ["fit", "-m", "data=wine", "model=linear", *TINY, *SPACE, "sweep.name=mine", "sweep.startup_trials=1"]
LR = FloatDistribution(1e-4, 1e-1, log=True)
Write = Callable[[optuna.Study], object]


def begun(command: Command, *words: str, trials: int = 1) -> optuna.Study:
    """A study of so many trials, as Optuna opens it."""
    assert command(*(words or SWEEP), f"sweep.n_trials={trials}").code == 0
    return optuna.load_study(study_name="mine", storage="sqlite:///studies/mine/study.db")


def gone_on(command: Command, *words: str, trials: int = 3) -> tuple[dict[str, Any], str]:
    """The study and what is said when it is gone on with."""
    said = command(*(words or SWEEP), f"sweep.n_trials={trials}")
    assert said.code == 0, said.err
    assert "Warning" not in said.err, "nothing of Optuna's own"
    return json.loads(Path("studies/mine/study.json").read_text()), said.err


def add(study: optuna.Study, lr: Any = 0.02, among: BaseDistribution = LR, key: str = "optimizer.lr") -> None:
    study.add_trial(create_trial(params={key: lr}, distributions={key: among}, value=0.999))


ADDED: dict[str, tuple[Write, str]] = {
    "with a value that fits": (add, "it was given its value from elsewhere and has no run"),
    "of another range": (
        lambda study: add(study, 5.0, FloatDistribution(1e-9, 9, log=True)),
        "optimizer.lr=5, where this sweep tries optimizer.lr=tag(",
    ),
    "of another key": (lambda study: add(study, key="x"), "this sweep does not vary x"),
    "of a text": (lambda study: add(study, "a", CategoricalDistribution(["a"]), "y"), "this sweep does not vary y"),
    "told": (lambda study: study.tell(study.ask({"optimizer.lr": LR}), 1.5), "it was given its value from elsewhere"),
    "told without values": (lambda study: study.tell(study.ask(), 1.5), "it was given its value from elsewhere"),
    "failed": (lambda study: study.tell(study.ask(), state=TrialState.FAIL), "it was given its value from elsewhere"),
}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("name", ADDED)
def test_what_has_a_value_neither_counts_nor_wins(name: str, sampler: str, command: Command) -> None:
    write, why = ADDED[name]
    words = [*SWEEP, f"sweep.sampler={sampler}"]
    if sampler == "random":
        words.remove("sweep.startup_trials=1")
    study = begun(command, *words)
    write(study)
    summary, said = gone_on(command, *words)
    assert [trial["number"] for trial in summary["trials"]] == [0, 2, 3]
    assert summary["best"]["number"] != 1
    assert Path(summary["best"]["run"], "metrics.json").is_file()
    (aside,) = summary["aside"]
    assert (aside["number"], aside["why"].startswith(why)) == (1, True), aside
    assert f"trial 1 is left aside: {why}" in said
    assert command("package", "--no-http", "studies/mine").code == 0


ENQUEUED: dict[str, tuple[dict[str, Any], str]] = {
    "below zero": ({"optimizer.lr": -1.0}, "optimizer.lr=-1, where"),
    "a text": ({"optimizer.lr": "much"}, "optimizer.lr=much, where"),
    "out of range": ({"optimizer.lr": 5.0}, "optimizer.lr=5, where this sweep tries optimizer.lr=tag("),
    "true": ({"optimizer.lr": True}, "optimizer.lr=true, where"),
    "of another key": ({"optimizer.lr": 0.01, "x": 1}, "this sweep does not vary x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENQUEUED)
def test_what_is_enqueued_and_does_not_fit_fails_with_the_reason(name: str, command: Command) -> None:
    values, why = ENQUEUED[name]
    study = begun(command)
    study.enqueue_trial(values)
    summary, said = gone_on(command)
    assert f"trial 1, which was put into the study from elsewhere, fails: {why}" in said
    assert [trial["number"] for trial in summary["trials"]] == [0, 2, 3]
    assert summary["states"]["COMPLETE"] == 3
    assert study.trials[1].state == TrialState.FAIL
    assert study.trials[1].user_attrs["aside"].startswith(why)


@pytest.mark.slow
def test_what_is_enqueued_and_fits_is_tried_next(command: Command) -> None:
    begun(command).enqueue_trial({"optimizer.lr": 0.05})
    summary, said = gone_on(command)
    assert "aside" not in said
    assert [trial["number"] for trial in summary["trials"]] == [0, 1, 2]
    assert summary["trials"][1]["params"] == {"optimizer.lr": 0.05}
    assert summary["aside"] == []


@pytest.mark.slow
def test_what_was_asked_for_and_left_is_tried(command: Command) -> None:
    asked = begun(command).ask({"optimizer.lr": LR})
    summary, _ = gone_on(command)
    assert summary["trials"][1]["params"] == asked.params
    assert Path("studies/mine/1/metrics.json").is_file()


@pytest.mark.slow
def test_what_runs_with_values_that_do_not_fit_fails(command: Command) -> None:
    begun(command).ask({"optimizer.lr": FloatDistribution(1.0, 2.0, log=True)})
    summary, said = gone_on(command)
    assert "trial 1, which was put into the study from elsewhere, fails: optimizer.lr=" in said
    assert [trial["number"] for trial in summary["trials"]] == [0, 2, 3]


GRID = ["fit", "-m", "data=wine", *TINY, "sweep.name=mine", "seed=1,2", "model=linear,mlp"]


def test_many_at_once(command: Command) -> None:
    """All of it in one study, of which the slow tests look at each alone."""
    study = begun(command)
    for write, _ in ADDED.values():
        write(study)
    study.ask({"optimizer.lr": FloatDistribution(1.0, 2.0, log=True)})
    for values, _ in ENQUEUED.values():
        study.enqueue_trial(values)
    study.enqueue_trial({"optimizer.lr": 0.05})
    summary, said = gone_on(command, trials=3)
    assert said.count("is left aside") == len(ADDED)
    assert said.count("which was put into the study from elsewhere, fails") == len(ENQUEUED) + 1
    assert len(summary["aside"]) == len(ADDED) + len(ENQUEUED) + 1
    assert [trial["state"] for trial in summary["trials"]] == ["COMPLETE"] * 3
    assert summary["trials"][1]["params"] == {"optimizer.lr": 0.05}
    assert Path(summary["best"]["run"], "metrics.json").is_file()
    names = {"val/accuracy", "val/loss"}
    assert study.metric_names == ["val/accuracy"]
    assert names <= set(study.trials[0].user_attrs)


@pytest.mark.slow
def test_a_grid_tries_each_point_once_whatever_is_added(command: Command) -> None:
    study = begun(command, *GRID, trials=2)
    assert [trial.params for trial in study.trials] == [{"seed": 1, "model": "linear"}, {"seed": 1, "model": "mlp"}]
    among: dict[str, BaseDistribution]
    among = {"seed": CategoricalDistribution([1, 2]), "model": CategoricalDistribution(["linear", "mlp"])}
    study.add_trial(create_trial(params={"seed": 2, "model": "mlp"}, distributions=among, value=2.0))
    study.enqueue_trial({"seed": 1, "model": "mlp"})  # which is finished
    study.enqueue_trial({"seed": 2, "model": "mlp"})  # out of its turn
    summary, said = gone_on(command, *GRID, trials=4)
    assert "trial 3, which was put into the study from elsewhere, fails: trial 1 has the same values" in said
    tried = [(trial["params"]["seed"], trial["params"]["model"]) for trial in summary["trials"]]
    assert tried == [(1, "linear"), (1, "mlp"), (2, "mlp"), (2, "linear")]


@pytest.mark.slow
def test_a_winner_whose_run_is_gone_wins_no_more(command: Command) -> None:
    begun(command, trials=2)
    first = json.loads(Path("studies/mine/study.json").read_text())["best"]["number"]
    Path(f"studies/mine/{first}/metrics.json").unlink()
    summary, _ = gone_on(command)
    assert summary["best"]["number"] != first


@pytest.mark.slow
def test_a_study_that_was_deleted_is_said(command: Command) -> None:
    begun(command)
    optuna.delete_study(study_name="mine", storage="sqlite:///studies/mine/study.db")
    said = command(*SWEEP, "sweep.n_trials=3")
    assert (said.code, "does not hold the study 'mine'" in said.err) == (2, True), said.err
