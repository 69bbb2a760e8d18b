"""The project's own settings: found above the working directory, checked, and used where nothing else is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import runcard
from runcard.card import project
from runcard.errors import CardError

CHURN = "# @package _global_\ndefaults:\n  - override /data: wine\n  - override /model: linear\nname: churn\n"


@pytest.fixture
def churn(away: Path) -> Path:
    (away / "cards" / "experiment").mkdir(parents=True)
    (away / "cards" / "experiment" / "churn.yaml").write_text(CHURN)
    (away / "pyproject.toml").write_text('[tool.runcard]\nconfig_dir = "cards"\nexperiment = "churn"\n')
    return away


def test_the_projects_card_is_the_one_when_none_is_named(churn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runcard.load_card().name == "churn"
    assert runcard.load_card(["seed=3"]).seed == 3
    assert runcard.load_card(["experiment=wine"]).name == "wine"
    assert runcard.load_card(["experiment=null"]).name == "digits-mlp"
    assert runcard.load_card(["~experiment"]).name == "digits-mlp"
    assert runcard.load_sweep(["seed=1,2"]).name == "churn"
    (churn / "deep").mkdir()
    monkeypatch.chdir(churn / "deep")
    assert runcard.load_card().name == "churn"


def test_a_folder_that_is_typed_wins(churn: Path) -> None:
    (churn / "other" / "model").mkdir(parents=True)
    with pytest.raises(CardError, match="there is no experiment=churn"):
        runcard.load_card([], "other")
    assert runcard.load_card(["experiment=null"], "other").name == "digits-mlp"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.runcard]\ntrsut = ['a']\n", "tool.runcard.trsut: there is no such key"),
        ("[tool.runcard]\ntrsut = ['a']\n", "Did you mean trust?"),
        ("[tool.runcard]\ntrust = 'a'\n", "tool.runcard.trust"),
        ("[tool.runcard]\nconfig_dir = 'nowhere'\n", "config_dir in pyproject.toml: there is no folder"),
        ("[tool.runcard\n", "cannot be read"),
    ],
)
def test_wrong_settings(text: str, said: str, away: Path) -> None:
    (away / "pyproject.toml").write_text(text)
    with pytest.raises(CardError) as caught:
        runcard.load_card()
    assert said in str(caught.value)


def test_someone_elses_file_is_not_believed(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "pyproject.toml").write_text("[tool.runcard]\ntrust = ['theirs']\n")
    if os.geteuid() == 0:
        os.chown(away / "pyproject.toml", 4_000_000, 4_000_000)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
    assert project.find().trust == ()
    with pytest.raises(CardError, match=r"pyproject\.toml belongs to another user, and is not read"):
        runcard.load_card(["model._target_=theirs.Net"])
