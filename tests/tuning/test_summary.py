"""A study as ``study.json`` holds it, and which of its trials are best."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
from hypothesis import given
from hypothesis import strategies as st

import runcard
from runcard.studies import StudyFolder
from runcard.tuning.points import distributions, encoded
from runcard.tuning.ranking import SPLIT, front, grouped, winners
from runcard.tuning.summary import Summary, importances
from tests.tuning.test_report import finish

VALUES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@given(VALUES)
def test_the_front_holds_who_is_not_beaten(values: list[tuple[int, int]]) -> None:
    trials = [{"number": n, "state": "COMPLETE", "values": list(pair)} for n, pair in enumerate(values)]
    found = {tuple(trial["values"]) for trial in front(trials, ["maximize", "minimize"])}
    assert found == {(a, b) for a, b in values if not any(x >= a and y <= b and (x, y) != (a, b) for x, y in values)}


def test_seeds_are_put_together() -> None:
    points = [("mlp", 0.8), ("cnn", 0.9), ("mlp", 0.9), ("cnn", 1.0)]
    trials = [
        {"number": n, "state": "COMPLETE", "value": v, "values": [v], "params": {"seed": n // 2, "model": m}}
        for n, (m, v) in enumerate(points)
    ]
    rows = grouped({"trials": trials, "direction": "maximize"})
    assert [(row["params"], round(row["mean"], 6), row["n"], row["winner"]) for row in rows] == [
        ({"model": "cnn"}, 0.95, 2, True),
        ({"model": "mlp"}, 0.85, 2, False),
    ]


def test_trials_on_other_splits_are_no_contest() -> None:
    """The luckiest split of the worse choice is above all; a choice that lacks the hard split is not compared."""
    found = {"linear": [0.8, 0.7, 0.9], "mlp": [0.95, 0.5, 0.6], "cnn": [0.99]}
    points = [(model, split, value) for model, values in found.items() for split, value in enumerate(values)]
    trials = [
        {"number": n, "state": "COMPLETE", "value": v, "values": [v], "params": {"model": m, SPLIT: s}}
        for n, (m, s, v) in enumerate(points)
    ]
    assert [trial["number"] for trial in front(trials, ["maximize"])] == [6]
    assert [trial["number"] for trial in winners(trials, ["maximize"])] == [0]
    assert [trial["number"] for trial in winners(trials[3:6], ["minimize"])] == [3]
    assert winners([], ["maximize"]) == []


def test_what_a_summary_holds() -> None:
    plan = runcard.load_sweep(["data=wine", "seed=1,2,3", "model=linear,mlp"])
    study, folder = optuna.create_study(direction="maximize"), StudyFolder(Path("studies/x"))
    study.enqueue_trial(encoded({"seed": 1, "model": "mlp"}))
    for value in (0.5, 0.9, None, 0.9):
        trial = study.ask(distributions(plan.space))
        trial.report(float("nan"), 0)
        state = optuna.trial.TrialState.FAIL if value is None else None
        trial.set_user_attr("run", f"studies/x/{trial.number}")
        study.tell(trial, value, state)
        finish(folder, trial.number)
    study.ask(distributions(plan.space))
    summary = Summary(plan, ["val/accuracy"], folder).of(study, seconds=1.0)
    assert summary["states"] == {"COMPLETE": 3, "PRUNED": 0, "FAIL": 1, "RUNNING": 1}
    assert (summary["best"]["number"], summary["best"]["value"], summary["front"]) == (1, 0.9, [])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert isinstance(importances(study), dict)
    assert importances(optuna.create_study()) == {}
