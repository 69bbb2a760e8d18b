"""What a sweep may not rank, and what it says of its winner: ties, how many were tried, rows, seeds, the next."""

from __future__ import annotations

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
