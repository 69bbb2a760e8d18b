"""Saved cards of an earlier form, of a later one, and of none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import runcard
from runcard.card.schema import CARD_VERSION
from runcard.errors import CardError
from runcard.evaluation.predictor import Run
from runcard.yamltext import dump_yaml, parse_yaml
from tests.conftest import Command

pytestmark = pytest.mark.usefixtures("undrawn")


def older(run: Run, where: Path) -> Path:
    """A run as version 1 wrote it, in a place of its own."""
    shutil.copytree(run.path, where)
    card = parse_yaml((where / "card.yaml").read_text())
    assert card["version"] == CARD_VERSION == 3
    card["version"] = 1
    del card["trainer"]["callbacks"], card["serve"]
    (where / "card.yaml").write_text(dump_yaml(card))
    return where


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate"],
        ["resume"],
        *(pytest.param(words, marks=pytest.mark.slow) for words in (["verify"], ["package", "--no-http"])),
    ],
)
def test_a_run_of_version_1_is_used_as_any_other(words: list[str], wine_run: Run, away: Path, command: Command) -> None:
    run = older(wine_run, away / "wine" / "old")
    assert runcard.load_card([str(run / "card.yaml")]) == wine_run.card
    said = command(*words, str(run))
    assert said.code == 0, said.err
    assert parse_yaml((run / "card.yaml").read_text())["version"] == 1, "the file stays as it is"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (4, "is 4, and 3 is the newest known here  (card.yaml:1)"),
        (0, "is 0, and there never was such a form"),
        (-1, "is -1, and there never was such a form"),
        ("2", "must be a whole number, not '2'"),
        (True, "must be a whole number, not True"),
        (None, "must be a whole number, not None"),
    ],
)
def test_a_version_that_is_not_known(version: object, said: str) -> None:
    Path("card.yaml").write_text(dump_yaml(runcard.load_card().to_dict() | {"version": version}))
    with pytest.raises(CardError) as caught:
        runcard.load_card(["card.yaml"])
    assert said in str(caught.value)


def test_groups_of_ones_own_need_no_version(away: Path) -> None:
    (away / "conf" / "experiment").mkdir(parents=True)
    (away / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nversion: 1\n")
    with pytest.raises(CardError, match="version: must be 3, not 1"):
        runcard.load_card(["experiment=mine"], "conf")
