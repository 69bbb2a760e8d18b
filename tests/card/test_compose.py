"""Composing: groups, overrides, a folder of one's own, saved cards, and where each value came from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import runcard
from runcard.card.compose import compose, group_choices
from runcard.card.groups import GROUPS, shipped_conf
from runcard.card.overrides import parse_overrides
from runcard.errors import CardError, Mistake


def test_data_brings_its_problem_and_the_run_its_name() -> None:
    card = runcard.load_card(["data=wine", "model=linear"])
    assert (card.problem.target, card.name) == ("cultivar", "wine-linear")


def test_an_experiment_changes_only_what_differs_and_overrides_win() -> None:
    card = runcard.load_card(["experiment=digits_cnn", "seed=7", "model.dropout=0.5"])
    assert (card.name, card.seed, card.model.dropout) == ("digits_cnn", 7, 0.5)  # type: ignore[union-attr]
    assert card.optimizer == runcard.load_card(["data=digits"]).optimizer


def test_overrides_give_what_hydra_gives() -> None:
    overrides = ["data=breast_cancer", "model.hidden=[3,4]", "optimizer.lr=1e-2", "trainer.gradient_clip_norm=null"]
    with initialize_config_dir(str(shipped_conf()), version_base="1.3"):
        theirs = hydra_compose("config", overrides=overrides)
    ours = compose(overrides).values
    assert ours | {"name": None} == OmegaConf.to_container(theirs, resolve=True)


def test_hydra_in_use_elsewhere_is_left_as_it_was() -> None:
    with initialize_config_dir(str(shipped_conf()), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        runcard.load_card()
        assert GlobalHydra.instance().hydra is before


def test_origins_name_file_and_line_or_override() -> None:
    origins = runcard.load_card(["experiment=digits_cnn", "seed=3"]).origins
    assert origins["seed"] == "override seed=3"
    for key in ("optimizer.lr", "name", "trainer.early_stopping.patience"):
        file, _, line = origins[key].rpartition(":")
        assert Path(file).read_text().splitlines()[int(line) - 1].strip().startswith(key.rpartition(".")[2])
    assert "experiment/digits_cnn.yaml" in origins["name"]


def test_a_folder_of_ones_own() -> None:
    Path("mine/optimizer").mkdir(parents=True)
    lines = (shipped_conf() / "optimizer/adamw.yaml").read_text().replace("lr: 3.0e-3 ", "lr: 0.5 ")
    Path("mine/optimizer/steep.yaml").write_text(lines)
    card = runcard.load_card(["optimizer=steep"], "mine")
    assert card.optimizer.lr == 0.5
    assert card.origins["optimizer.lr"].startswith("mine/optimizer/steep.yaml:")
    assert "steep" in group_choices("mine")["optimizer"]
    with pytest.raises(CardError, match="no optimizer=steep"):
        runcard.load_card(["optimizer=steep"])


def test_a_file_that_changed_meanwhile_is_read_again(away: Path) -> None:
    file = away / "own" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    for model in ("cnn", "linear", "cnn"):
        file.write_text(f"# @package _global_\ndefaults:\n  - override /model: {model}\nseed: 7\n")
        assert compose(["experiment=mine"], away / "own").values["model"]["_target_"].lower().endswith(model)


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(CardError, match="there is no folder"):
        runcard.load_card([], "nowhere")


@pytest.mark.parametrize("text", ["a: [1", "- a list\n", "hidden: ${oops\n"], ids=["broken", "list", "interpolation"])
def test_a_file_that_cannot_be_composed(text: str) -> None:
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/bad.yaml").write_text(text)
    with pytest.raises(CardError):
        runcard.load_card(["model=bad"], "mine")


def test_a_saved_card_is_taken_whole(away: Path) -> None:
    first = runcard.load_card(["experiment=wine", "seed=5"])
    Path("card.yaml").write_text(yaml.safe_dump(first.to_dict()))
    again = runcard.load_card(["card.yaml"])
    assert again == first
    changed = runcard.load_card(["card.yaml", "seed=6"])
    assert (changed.seed, changed.origins["seed"]) == (6, "override seed=6")
    assert again.origins["seed"].startswith("card.yaml:")


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "just words"], ids=["empty", "list", "broken", "words"])
def test_a_file_that_is_no_card(text: str) -> None:
    Path("card.yaml").write_text(text)
    with pytest.raises(CardError):
        runcard.load_card(["card.yaml"])


def test_a_saved_card_that_is_not_there_or_asked_for_groups() -> None:
    with pytest.raises(CardError, match=r"cannot read the card nowhere\.yaml"):
        runcard.load_card(["nowhere.yaml"])
    Path("card.yaml").write_text(yaml.safe_dump(runcard.load_card().to_dict()))
    with pytest.raises(CardError, match="no groups"):
        runcard.load_card(["card.yaml", "model=linear"])


def test_groups_are_those_of_the_folder() -> None:
    assert set(GROUPS) == {folder.name for folder in shipped_conf().glob("[!.]*") if folder.is_dir()}


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("data.path=~/my rows (1)=é.csv", "data.path", "~/my rows (1)=é.csv"),
        (
            'data.kinds={"sepal length (cm)": number, "ключ": category}',
            "data.kinds",
            {"sepal length (cm)": "number", "ключ": "category"},
        ),
        ("data.kinds={zip: category}", "data.kinds", {"zip": "category"}),
        ("data.null_values=['-999','']", "data.null_values", ["-999", ""]),
        ("problem.goal=more, and 'better'", "problem.goal", "more, and 'better'"),
        ("++seed=5", "seed", 5),
        ("~seed", "seed", None),
    ],
)
def test_what_can_be_typed(typed: str, key: str, value: object) -> None:
    mistakes: list[Mistake] = []
    (override,) = parse_overrides([typed], mistakes)
    assert (override.key, override.value, override.delete, mistakes) == (key, value, typed.startswith("~"), [])


def test_an_experiment_without_its_first_line() -> None:
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/experiment/own.yaml").write_text("defaults:\n  - override /data: wine\nseed: 3\n")
    with pytest.raises(CardError, match="must begin with the line '# @package _global_'"):
        runcard.load_card(["experiment=own"], "mine")
    Path("mine/experiment/own.yaml").write_text("# @package _global_\ndefaults:\n  - override /data: wine\nseed: 3\n")
    assert runcard.load_card(["experiment=own"], "mine").seed == 3
