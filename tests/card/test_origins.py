"""Where each value of a card came from: every one has a place, and it is the right one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

import runcard
from runcard.card.compose import group_choices
from runcard.card.groups import shipped_conf
from runcard.card.places import Places, places_of
from runcard.card.schema import Card
from runcard.leaves import flatten
from runcard.runs import RunFolder
from tests.conftest import TINY

WINE = ["data=wine", "model=linear"]


def saved(card: Card, folder: str = ".") -> Path:
    """A card as a run keeps it, with its origins."""
    Path(folder).mkdir(exist_ok=True)
    path = Path(folder, "card.yaml")
    path.write_text(yaml.safe_dump(card.to_dict()))
    path.with_name("origin.json").write_text(json.dumps(card.origins))
    return path


@pytest.mark.parametrize(
    "choice",
    [f"{group}={choice}" for group in ("experiment", "debug", "trainer", "logger") for choice in group_choices()[group]]
    + ["data.kinds={a: number}", "model.hidden=[3]", "trainer.lightning={benchmark: true}", "name=x", "data=diabetes"],
)
def test_every_value_has_a_place_that_names_it(choice: str) -> None:
    words = ["data=table", "data.path=x.csv", "problem.target=y"] if "kinds" in choice else []
    card = runcard.load_card([*words, choice])
    for key in flatten(card.to_dict()):
        file, _, line = card.origins[key].rpartition(":")
        if card.origins[key].startswith("override "):
            assert key.rpartition(".")[2] in card.origins[key]
        elif file:
            written = Path(file).read_text().splitlines()[int(line) - 1]
            assert written.strip().startswith(f"{key.rpartition('.')[2]}:")
        else:
            assert key == "name"


def test_a_mapping_laid_over_another_sets_what_it_names_and_no_more() -> None:
    origins = runcard.load_card([*WINE, "data.split={test: 0.3}"]).origins
    assert origins["data.split.test"] == "override data.split={test: 0.3}"
    assert origins["data.split.seed"].endswith("data/wine.yaml:11")


def test_a_group_keeps_its_file_when_a_mapping_is_laid_over_it() -> None:
    origins = runcard.load_card(["trainer={max_epochs: 3, early_stopping: {patience: 2}}"]).origins
    assert origins["trainer"].endswith("conf/trainer/cpu.yaml")
    assert origins["trainer.early_stopping.patience"].startswith("override trainer={")
    assert origins["trainer.early_stopping.min_delta"].endswith("trainer/cpu.yaml:14")


def test_what_was_set_one_by_one_and_then_whole_is_of_the_last() -> None:
    kinds = ["data=table", "data.path=x.csv", "problem.target=y", "data.kinds={a: number}", "data.kinds={b: category}"]
    origins = runcard.load_card(kinds).origins
    assert origins["data.kinds.a"] == "override data.kinds={a: number}"
    assert origins["data.kinds.b"] == "override data.kinds={b: category}"


@pytest.mark.parametrize("words", [[], ["name=null"]])
def test_a_name_that_was_filled_in_says_what_it_was_made_of(words: list[str]) -> None:
    card = runcard.load_card([*WINE, *words])
    assert card.name == "wine-linear"
    assert card.origins["name"] == "made of data=wine and model=linear"
    assert not places_of(card).changed("name")


def test_what_was_found_for_auto_says_so_and_keeps_its_place() -> None:
    run = runcard.fit(runcard.load_card([*WINE, "optimizer.lr=auto", *TINY]))
    origins = json.loads(run.folder.origin.read_text())
    assert set(flatten(run.card.to_dict())) <= set(origins)
    assert origins["optimizer.lr"] == "settled, override optimizer.lr=auto"
    assert origins["trainer.threads"].startswith("settled, ")
    assert Places(origins).shown("trainer.threads").startswith("settled, conf/trainer/cpu.yaml:")
    assert Places(origins).changed("optimizer.lr")
    assert not Places(origins).changed("trainer.threads")
    again = runcard.load_card([str(run.folder.card), "seed=5"]).origins
    assert again == origins | {"seed": "override seed=5"}


def test_a_runs_card_keeps_its_first_places_until_it_is_edited() -> None:
    path = saved(runcard.load_card([*WINE, "seed=3"]), "run")
    card = runcard.load_card([str(path), "optimizer.lr=0.5"])
    assert card.origins["seed"] == "override seed=3"
    assert card.origins["data.name"].endswith("data/wine.yaml:6")
    assert card.origins["optimizer.lr"] == "override optimizer.lr=0.5"
    later = RunFolder(path.parent).origin.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))
    edited = runcard.load_card([str(path)])
    assert edited.origins["seed"].startswith("run/card.yaml:")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"seed": 3}'])
def test_a_card_beside_which_nothing_sound_is_noted_has_its_own_lines(text: str) -> None:
    path = saved(runcard.load_card(WINE))
    path.with_name("origin.json").write_text(text)
    assert runcard.load_card([str(path)]).origins["seed"].startswith("card.yaml:")


@pytest.mark.parametrize(
    ("place", "shown", "changed"),
    [
        ("conf/data/wine.yaml:5", "conf/data/wine.yaml:5", ""),
        ("/env/site-packages/runcard/conf/data/wine.yaml:5", "conf/data/wine.yaml:5", ""),
        (f"{shipped_conf()}/experiment/wine.yaml:9", "conf/experiment/wine.yaml:9", "conf/experiment/wine.yaml"),
        ("conf/data/own.yaml:5", "./conf/data/own.yaml:5", "./conf/data/own.yaml"),
        ("mine/data/own.yaml:5", "mine/data/own.yaml:5", "mine/data/own.yaml"),
        ("override a=conf/data/wine.yaml", "override a=conf/data/wine.yaml", "override"),
        ("override a=\x1b[31m\n", "override a=\\x1b[31m\\n", "override"),
        ("settled, override a=auto", "settled, override a=auto", "override"),
        ("run/card.yaml:5", "run/card.yaml:5", ""),
    ],
)
def test_places_are_said_short(place: str, shown: str, changed: str) -> None:
    places = Places({"a": place}, saved="run/card.yaml")
    assert (places.shown("a.b"), places.changed_by("a"), places.changed("a")) == (shown, changed, bool(changed))
