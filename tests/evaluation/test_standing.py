"""What a score is held against, and what is said where it falls short."""

from __future__ import annotations

import pytest

import runcard
from runcard.evaluation.standing import is_acceptable, shortfalls, standards
from tests.conftest import TINY, Command

WORDS = ["data=wine", "problem.today_value=0.8", "problem.least_value=0.9"]
NUMBERS = {"test/accuracy": 0.95, "baseline/linear/accuracy": 0.9, "baseline/trivial/accuracy": 0.4}


def test_a_good_score_meets_all() -> None:
    card = runcard.load_card(WORDS)
    assert [standard.met for standard in standards(card, NUMBERS)] == [True] * 4
    assert (is_acceptable(card, NUMBERS), [*shortfalls(card, NUMBERS)]) == (True, [])


def test_what_is_not_known_is_neither_met_nor_missed() -> None:
    card = runcard.load_card(["data=wine", "problem.least_value=null", "problem.today_value=null"])
    assert {standard.met for standard in standards(card, {"test/accuracy": 0.1})} == {None}
    assert is_acceptable(card, {"test/accuracy": 0.1})
    assert is_acceptable(runcard.load_card(WORDS), {}), "a run of before, which has no such number"


def test_each_that_is_missed_is_said() -> None:
    card = runcard.load_card(WORDS)
    said = [*shortfalls(card, NUMBERS | {"test/accuracy": 0.4})]
    assert said == [
        "accuracy is 0.4000 on the test rows, and problem.least_value asks for 0.9000",
        "accuracy is 0.4000 on the test rows, no better than what is done today with 0.8000",
        "accuracy is 0.4000 on the test rows, no better than the trivial baseline with 0.4000",
        "accuracy is 0.4000 on the test rows, no better than the linear baseline with 0.9000",
    ]


@pytest.mark.parametrize(("metric", "value", "met"), [("log_loss", 0.2, True), ("log_loss", 0.4, False)])
def test_of_a_loss_less_is_better(metric: str, value: float, met: bool) -> None:
    card = runcard.load_card(["data=wine", f"problem.metric={metric}", "problem.least_value=0.3"])
    assert is_acceptable(card, {f"test/{metric}": value}) is met


def test_evaluate_ends_with_3_unless_it_is_accepted(command: Command, undrawn: None) -> None:
    run = command("fit", "data=wine", "model=linear", *TINY[:3], "problem.least_value=1.0", "--json").json["run"]
    said = command("evaluate", run)
    assert (said.code, "least acceptable 1.0000, NOT reached" in said.out, said.err) == (3, True, "")
    assert "linear baseline" in said.out
    assert "NOT beaten" in said.out, "one step of a network is no better than a line that has converged"
    said = command("evaluate", run, "--accept", "--json")
    assert (said.code, said.json["acceptable"]) == (0, False)


def test_evaluate_ends_with_0_where_it_is_reached(command: Command, undrawn: None) -> None:
    run = command("fit", "data=wine", "model=linear", *TINY[:3], "problem.least_value=0.01", "--json").json["run"]
    said = command("evaluate", run, "--json")
    assert (said.code, said.json["acceptable"]) == (0, True)
