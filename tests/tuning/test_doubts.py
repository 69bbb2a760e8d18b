"""What a sweep may not rank, and what it says of its winner: ties, how many were tried, rows, seeds, the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runcard.tuning.doubts import find_doubts
from tests.conftest import TINY, Command

WINE = ["-m", "data=wine", "model=linear", *TINY]


def test_problems_are_not_ranked(command: Command) -> None:
    Path("rows.csv").write_text("a,b,c\n" + "".join(f"{i % 7},{i % 5 * 1.5},{i % 3 * 2.5}\n" for i in range(60)))
    done = command("fit", "-m", "data=table", "data.path=rows.csv", "model=linear", "problem.target=a,b", *TINY)
    assert done.code == 2
    assert "problem.target: the trials predict 'a' and 'b'" in done.err
    assert "Run a sweep for each, with one target." in done.err
    assert not Path("studies").exists()


def test_a_split_is_not_looked_for(command: Command) -> None:
    done = command("check", *WINE, "sweep=tpe", "sweep.n_trials=4", "data.split.seed=range(0,9)")
    assert done.code == 2
    assert "data.split.seed: is varied: trials on other rows are no contest" in done.err
    assert command("check", *WINE, "sweep=grid", "data.split.seed=0,1").code == 0


@pytest.mark.slow
def test_choices_are_averaged_over_splits(command: Command) -> None:
    words = ["-m", "data=wine", *TINY, "model=linear,mlp", "data.split.seed=0,1,2", "sweep.name=s"]
    done = command("fit", *words)
    assert done.code == 0
    assert "Over its 3 runs of other splits and seeds: val/accuracy" in done.out
    assert "It is the best of 2 choices" in done.out
    assert "It is judged by 27 validation rows" in done.out


def summary(values: list[float], **more: Any) -> dict[str, Any]:
    trials = [
        {"number": n, "state": "COMPLETE", "value": value, "values": [value], "params": {"lr": n / 10}}
        for n, value in enumerate(values)
    ]
    best = max(trials, key=lambda trial: trial["value"])  # type: ignore[arg-type, return-value]
    found = {"metric": "val/accuracy", "direction": "maximize", "trials": trials}
    return found | {"best": {"number": best["number"], "value": best["value"], "validation_rows": 100}} | more


def test_the_error_of_a_share_is_of_the_binomial_distribution() -> None:
    assert any("validation rows: val/accuracy 0.8000 ± 0.04 (" in line for line in find_doubts(summary([0.8, 0.5])))
    others = find_doubts(summary([0.8, 0.5], metric="val/f1"))
    assert any(line.endswith("100 validation rows: val/f1 0.8000.") for line in others)


def test_ties_are_counted_and_one_choice_is_no_choice() -> None:
    said = find_doubts(summary([1.0, 0.5, 1.0, 1.0]))
    assert said[0] == "3 of 4 finished trials have the winner's value; the earliest of them is taken."
    assert said[1].startswith("It is the best of 4 choices")
    assert not any("best of" in line or "next choice" in line for line in find_doubts(summary([0.7])))


def test_nothing_is_said_of_several_objectives_or_of_nothing() -> None:
    assert find_doubts(summary([0.7], metrics=["val/accuracy", "size_mb"])) == []
    assert find_doubts(summary([0.7]) | {"best": None}) == []


BASELINES = {"metric": "accuracy", "baseline/linear/accuracy": 0.7, "baseline/trivial/accuracy": 0.4}


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (0.8, None),
        (0.7, "On the test rows its accuracy is 0.7000, no better than the linear baseline with 0.7000."),
        (0.3, "On the test rows its accuracy is 0.3000, no better than the linear baseline with 0.7000."),
        (None, None),
    ],
)
def test_a_winner_that_does_not_beat_a_baseline_is_said(test: float | None, says: str | None) -> None:
    study = summary([0.8, 0.5])
    study["best"]["test"] = test
    said = [line for line in find_doubts(study | {"baselines": BASELINES}) if "baseline" in line]
    assert said == ([says] if says else [])
    assert not any("baseline" in line for line in find_doubts(study))


def test_the_trivial_baseline_is_named_where_there_is_no_other() -> None:
    study = summary([0.8, 0.5])
    study["best"]["test"] = 3.0
    known = {"metric": "rmse", "baseline/trivial/rmse": 2.0}
    said = find_doubts(study | {"baselines": known})
    assert "On the test rows its rmse is 3.0000, no better than the trivial baseline with 2.0000." in said


def test_a_sweep_says_that_its_winner_is_below_the_linear_baseline(command: Command) -> None:
    words = ["-m", "data=wine", "model=linear", *TINY[:2], "optimizer.lr=1e-6,1e-7"]
    done = command("fit", *words, "sweep.name=low")
    assert done.code == 0, done.err
    assert "note    On the test rows its accuracy is 0." in done.out
    assert "no better than the linear baseline with 0.9714.\n" in done.out
    assert "no better than the linear baseline" in Path("studies/low/report.html").read_text()
    known = json.loads(Path("studies/low/study.json").read_text())
    assert known["baselines"]["baseline/linear/accuracy"] == pytest.approx(0.9714, abs=1e-4)
    run = json.loads(Path("studies/low/0/metrics.json").read_text())
    assert not [name for name in run if name.startswith("baseline/")]
    other = ["data.split.seed=0,1", *words[1:4], "optimizer.lr=1e-6"]
    for name, more in (("quiet", [*words, "report=false"]), ("rows", ["-m", *other])):
        assert command("fit", *more, f"sweep.name={name}").code == 0
        assert not Path("studies", name, "baselines.json").exists()
