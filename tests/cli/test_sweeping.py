"""What is said of a study: the winner, how sure that is, a table for a grid, a front for several objectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runcard.cli.sweeping import study_data, study_text
from runcard.studies import StudyFolder
from runcard.tuning.ranking import front
from runcard.tuning.sweep import Study


def trial(number: int, params: dict[str, Any], *values: float, state: str = "COMPLETE", **more: Any) -> dict[str, Any]:
    known = {"number": number, "state": state, "params": params, "run": str(Path(f"studies/x/{number}").absolute())}
    return {"value": values[0] if values else None, "values": list(values) or None, "seed_values": None} | known | more


def study(*trials: dict[str, Any], **more: Any) -> Study:
    directions = more.get("directions", ["maximize"])
    best = front(trials, directions)
    summary = {
        "metric": "val/accuracy",
        "metrics": ["val/accuracy"],
        "direction": "maximize",
        "directions": directions,
        "sampler": "tpe",
        "space": {key: "" for one in trials for key in one["params"]},
        "n_trials": len(trials),
        "states": {state: sum(one["state"] == state for one in trials) for state in ("COMPLETE", "PRUNED", "FAIL")},
        "trials": list(trials),
        "best": best[0],
        "front": best if len(directions) > 1 else [],
    }
    return Study(StudyFolder(Path("studies/x").absolute()), summary | more)


def test_the_winner_and_what_to_do_next() -> None:
    said = study_text(study(trial(0, {"lr": 0.1}, 0.5), trial(1, {"lr": 0.2}, 0.9), trial(2, {"lr": 0.3})), None)
    assert said.startswith("winner: trial 1, val/accuracy 0.9000\n  lr=0.2\n")
    assert "next    runcard evaluate studies/x/1\n        runcard package studies/x" in said


def test_how_trials_ended_that_were_not_finished() -> None:
    said = study_text(
        study(trial(0, {"a": 1}, 0.5), trial(1, {"a": 2}, 0.1, state="PRUNED"), trial(2, {"a": 3}, state="FAIL")), None
    )
    assert "1 of 3 trials pruned, 1 of 3 trials failed; study.json says why" in said


def test_one_that_is_not_complete() -> None:
    said = study_text(study(trial(0, {"a": 1}, 0.5), trial(1, {"a": 2}, state="RUNNING"), n_trials=5), None)
    assert "next    runcard resume studies/x  # 1 of 5 trials are done" in said


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (
            [0.90, 0.91, 0.92],
            "note    The next choice is lr=0.2: val/accuracy 0.9100, standard deviation 0.01 over",
        ),
        ([0.1, 0.2, 0.3], "note    Over its 3 runs of other seeds: val/accuracy 0.9133, standard deviation 0.015."),
    ],
)
def test_how_sure_it_is_with_several_seeds(second: list[float], says: str) -> None:
    runs = [[0.90, 0.91, 0.93], second]
    trials = [
        trial(number, {"lr": 0.1 * (number + 1)}, sum(values) / 3, seed_values=[[value] for value in values])
        for number, values in enumerate(runs)
    ]
    best = trials[0] | {"std": 0.0153}
    said = study_text(study(*trials, best=best, seeds=3), None)
    assert "val/accuracy 0.9133 ± 0.0153 over 3 seeds" in said
    assert says in said


def test_a_front_of_several_objectives() -> None:
    two = {"metrics": ["val/accuracy", "latency_ms"], "directions": ["maximize", "minimize"]}
    trials = [trial(0, {"m": "cnn"}, 0.9, 3.0), trial(1, {"m": "mlp"}, 0.8, 1.0), trial(2, {"m": "lstm"}, 0.7, 2.0)]
    made = study(*trials, **two)
    said = study_text(made, None)
    assert said.startswith("2 trials that no other beats in every objective:\ntrial  val/accuracy  latency_ms  m")
    assert "winner: trial 0, val/accuracy 0.9000, latency_ms 3.0000" in said
    assert [one["number"] for one in study_data(made)["front"]] == [0, 1]


def test_a_study_of_an_older_version_can_be_told() -> None:
    made = study(trial(0, {"lr": 0.1}, 0.5))
    for key in ("metrics", "directions", "front", "seeds"):
        made.summary.pop(key, None)
    assert study_text(made, 80).startswith("winner: trial 0, val/accuracy 0.5000")
