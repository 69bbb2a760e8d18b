"""Points that are tried first: read, refused, and really tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runcard
from runcard.card.plan import Plan
from runcard.errors import CardError
from tests.conftest import TINY, Command

WORDS = ["data=wine", "model=mlp,linear", "model.hidden=choice([64],[32]) if model=mlp"]
RANDOM = ["sweep=random", "optimizer.weight_decay=0.0", "sweep.n_trials=3"]
LR = "optimizer.lr=interval(0.001,0.5)"


def planned(first: str, *words: str) -> Plan:
    return runcard.load_sweep([*RANDOM, *WORDS, LR, f"sweep.first={first}", *words])


@pytest.mark.parametrize(
    ("first", "points"),
    [
        ("[{model: mlp, model.hidden: [32]}]", [{"model": "mlp", "model.hidden": [32]}]),
        ("[{optimizer: {lr: 0.1}}, {model: linear}]", [{"optimizer.lr": 0.1}, {"model": "linear"}]),
        ("[{optimizer.lr: 0.5, model: linear}]", [{"optimizer.lr": 0.5, "model": "linear"}]),
        ("[]", []),
        ("null", [{"model": "mlp", "optimizer.lr": 0.003}]),
    ],
)
def test_first_points_are_keys_of_the_space(first: str, points: list[dict[str, Any]]) -> None:
    assert planned(first).first == points


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ("[{modle: mlp}]", "sweep.first.0: names modle, which the sweep does not vary"),
        ("[{modle: mlp}]", "Did you mean model?"),
        ("[{model: linear}, {optimizer: {lrr: 0.1}}]", "sweep.first.1: names optimizer.lrr, which"),
        ("[{optimizer.lr: 0.9}]", "names optimizer.lr=0.9, which is not among interval(0.001,0.5)"),
        ("[{optimizer.lr: true}]", "names optimizer.lr=true, which is not among"),
        ("[{optimizer.lr: nan}]", "which is not among"),
        ("[{model: cnn}]", 'names model="cnn", which is not among mlp,linear'),
        ("[{model: mlp, model.hidden: [31]}]", "names model.hidden=[31], which is not among"),
        ("[{model: linear, model.hidden: [32]}]", "names model.hidden, which is tried only if model=mlp"),
        ("[{model.hidden: [32]}]", "Name it too, or leave this key out"),
        ("[{optimizer: {lr: 0.1}, optimizer.lr: 0.2}]", "sweep.first.0: names a key twice"),
        ("[{}]", "sweep.first.0: names no value"),
        ("[mlp]", "sweep.first.0: must be a mapping"),
        ("{model: mlp}", "sweep.first: must be a list"),
    ],
)
def test_first_points_that_are_refused(first: str, says: str) -> None:
    with pytest.raises(CardError) as caught:
        planned(first)
    assert says in str(caught.value)
    assert f"(override sweep.first={first})" in str(caught.value)


def test_a_first_point_that_the_card_refuses() -> None:
    large = ["seed=range(0,3000)", "data.batch_size=range(1,3000)", "problem.metric=accuracy,f1,auroc"]
    words = ["sweep=random", "data=wine", "optimizer.weight_decay=0.0", "sweep.n_trials=2", *large, LR]
    with pytest.raises(CardError, match="seed: must be a whole number"):
        runcard.load_sweep([*words, "sweep.first=[{seed: 3.0}]"])


def test_a_grid_has_no_first() -> None:
    words = ["data=wine", "seed=1,2"]
    with pytest.raises(CardError, match="is not for grid"):
        runcard.load_sweep([*words, "sweep.first=[{seed: 2}]"])
    assert runcard.load_sweep([*words, "sweep.first=[]"]).first == []


def test_first_points_are_tried_first(command: Command) -> None:
    Path("mine/sweep").mkdir(parents=True)
    lines = ["# @package _global_", "hydra:", "  mode: MULTIRUN", "sweep:", "  sampler: random", "  n_trials: 3"]
    lines += ["  first:", "    - optimizer:", "        lr: 0.125", "    - {optimizer.lr: 0.25, seed: 2}"]
    lines += ["  space:", "    optimizer.lr: interval(0.1,0.5)", "    seed: [1, 2, 3]"]
    Path("mine/sweep/own.yaml").write_text("\n".join(lines) + "\n")
    words = ["sweep=own", "data=wine", "model=linear", *TINY[:2], "--config-dir", "mine", "--json"]
    said = command("fit", *words)
    assert said.code == 0, said.err
    tried = [trial["params"] for trial in json.loads(Path(said.json["study"], "study.json").read_text())["trials"]]
    assert (tried[0]["optimizer.lr"], tried[1]) == (0.125, {"optimizer.lr": 0.25, "seed": 2})
    assert [point["seed"] in (1, 2, 3) for point in tried] == [True] * 3  # what a first point leaves out is drawn
    Path("mine/sweep/own.yaml").write_text("\n".join(lines).replace("lr: 0.125", "rl: 0.125") + "\n")
    refused = command("fit", *words)
    assert refused.code == 2
    assert "sweep.first.0: names optimizer.rl" in refused.err
    assert "own.yaml:7" in refused.err
