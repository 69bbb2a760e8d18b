"""What ``ls`` shows: a line a run whatever the width, the keys that somebody changed, and studies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runcard.cli import terminal
from runcard.evaluation.predictor import Run
from tests.conftest import TINY, Command

Copies = Callable[..., Path]


@pytest.fixture
def copies(wine_run: Run, away: Path) -> Copies:
    """Makes a run as if it had been fitted with other values and had got other scores."""
    made: list[Path] = []

    def copy(scores: dict[str, float] | None = None, settled: tuple[str, ...] = (), **values: Any) -> Path:
        folder = away / "runs" / "wine-mlp" / f"20260101-0000{len(made):02d}-abcdef"
        folder.mkdir(parents=True)
        made.append(folder)
        card = yaml.safe_load(wine_run.folder.card.read_text())
        for key, value in values.items():
            section, name = key.split("__")
            card[section][name] = value
        (folder / "card.yaml").write_text(yaml.safe_dump(card))
        (folder / "origin.json").write_text(json.dumps(dict.fromkeys(settled, "settled, conf/trainer/cpu.yaml:25")))
        (folder / "metrics.json").write_text(json.dumps(wine_run.metrics | (scores or {})))
        return folder

    return copy


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(terminal, "width_of", lambda _: 80)


KEYS = ("max_epochs", "gradient_clip", "accumulate", "limit_batches", "label_smoothing", "threads", "precision")


@pytest.mark.usefixtures("narrow")
def test_ten_runs_that_differ_in_twenty_keys_are_a_line_each(copies: Copies, command: Command) -> None:
    for number in range(10):
        trainer = {f"trainer__{key}": number / 7 for key in KEYS}
        optimizer = {f"optimizer__own{place}": number / 3 for place in range(8)}
        copies(**trainer, **optimizer, **{f"data__own{place}": f"a long text {number}" for place in range(6)})
    said = command("ls")
    lines = said.out.splitlines()
    assert (said.code, len(lines)) == (0, 12)
    assert max(map(len, lines[1:-1])) <= 80, said.out
    for number in range(10):
        assert f"runs/wine-mlp/20260101-0000{number:02d}-abcdef" in said.out, "whole, to be copied"
    assert "more keys differ: " in lines[-1]
    assert "runcard ls --columns " in lines[-1]
    assert "finished" not in said.out, "all of them are"


def test_elsewhere_all_keys_are_shown_on_one_line_each(copies: Copies, command: Command) -> None:
    for number in range(3):
        copies(**{f"optimizer__own{place}": f"a rather long text {number}" for place in range(20)})
    lines = command("ls").out.splitlines()
    assert len(lines) == 4
    assert lines[0].count("optimizer.own") == 20
    assert lines[1].count("a rather long text 2") == 20


def test_what_auto_settled_is_no_difference(copies: Copies, command: Command) -> None:
    for number in (1, 2):
        copies(trainer__steps_per_execution=number, optimizer__lr=number, settled=("trainer.steps_per_execution",))
    assert list(command("ls", "--json").json["runs"][0]["differs"]) == ["optimizer.lr"]
    copies(trainer__steps_per_execution=4, optimizer__lr=2)
    differs = command("ls", "--json").json["runs"][0]["differs"]
    assert set(differs) == {"optimizer.lr", "trainer.steps_per_execution"}, "one of them was typed"


def test_columns_are_chosen(copies: Copies, command: Command) -> None:
    copies(optimizer__lr=0.1)
    copies(optimizer__lr=0.123456789)
    said = command("ls", "--columns", "seed,optimizer.lr")
    assert said.out.splitlines()[0].split()[-2:] == ["seed", "optimizer.lr"]
    assert said.out.splitlines()[1].split()[-1] == "0.1235"
    said = command("ls", "--columns", "optimizer.rl")
    assert (said.code, "Did you mean optimizer.lr?" in said.err) == (2, True), said.err


def test_best_first_compares_one_metric_at_a_time(copies: Copies, command: Command) -> None:
    for value in (0.5, 0.9):
        copies({"val/f1": value}, problem__metric="f1")
    copies({"val/roc_auc": 0.7}, problem__metric="roc_auc")
    said = command("ls", "--sort", "best").out
    first, second = said.split("\n\n")
    assert "val f1" in first.splitlines()[0]
    assert [line.split()[1] for line in first.splitlines()[1:]] == ["0.9000", "0.5000"]
    assert "val roc_auc" in second.splitlines()[0]
    assert len(second.splitlines()) == 2


def test_studies_are_listed(command: Command, away: Path) -> None:
    assert command("fit", "-m", "data=wine", "model=linear", "seed=1,2", *TINY, "sweep.name=mine").code == 0
    (away / "studies/torn").mkdir()
    (away / "studies/torn/study.json").write_text("{")
    (away / "studies/odd").mkdir()
    odd = {"trials": [], "n_trials": 2, "metric": ["x"], "best": {"number": "0", "value": "much"}}
    (away / "studies/odd/study.json").write_text(json.dumps(odd))
    said = command("ls")
    assert said.code == 0, said.err
    assert said.out.splitlines()[0].split() == ["study", "trials", "metric", "best", "winner"]
    assert said.out.splitlines()[1].startswith("studies/mine  2 of 2  val/accuracy  0.")
    assert "studies/torn is damaged" in said.out
    mine, odd, torn = command("ls", "--json").json["studies"]
    assert (odd["value"], odd["winner"]) == (None, None)
    assert (mine["state"], mine["done"], torn["state"]) == ("finished", 2, "damaged")
    assert Path(mine["winner"], "card.yaml").is_file()
