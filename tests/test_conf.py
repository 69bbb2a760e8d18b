"""Every YAML file under ``conf/``, found by looking: explained, composed, and fitted for one step."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import torch
import yaml

import runcard
from runcard.card.groups import GROUPS, shipped_conf
from runcard.errors import CardError
from runcard.evaluation.predictor import Run
from tests.conftest import TINY, Command, customers, reviews, write_arrays

pytestmark = pytest.mark.usefixtures("undrawn")

CONF = shipped_conf()
FILES = sorted(CONF.rglob("*.yaml"))
# What a choice of model asks to be given.
NEEDED = {"pretrained": ["model.name=vit"]}
CHOICES = [file for file in FILES if file.parent != CONF]


def name(path: Path) -> str:
    return str(path.relative_to(CONF).with_suffix(""))


def overrides(path: Path) -> list[str]:
    """What must be said beside the choice so that a card comes out."""
    group, choice = path.parent.name, path.stem
    if choice == "table":
        return ["data=table", "data.path=rows.csv", "problem.target=churned"]
    if choice == "arrays":
        return ["data=arrays", "data.inputs=inputs.npy", "data.targets=targets.npy"]
    said = [f"{group}={choice}"]
    if group == "model":
        said += NEEDED.get(choice, [])
    if group == "problem":
        said += [f"data={choice}"]
    return said


def test_all_files_are_seen() -> None:
    assert len(FILES) >= 45
    assert {file.parent.name for file in CHOICES} == set(GROUPS)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_file_explains_itself(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    head = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert any(re.search(r"runcard \w+", line) for line in head), "the head shows no command"
    assert len([line for line in head if not re.match(r"# (@package|yaml-language-server:) ", line)]) >= 2
    bare = [
        line for line in lines if re.match(r"\s*[\w.]+:\s+[^#\s]", line) and "#" not in line and "_target_" not in line
    ]
    assert not bare, f"values without a word: {bare}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands name; a check of a card writes nothing beside it."""
    folder = tmp_path_factory.mktemp("files")
    customers().rename({"customer": "id", "city": "zip"}).write_csv(folder / "customers.csv")
    reviews().rename({"number": "id"}).drop("stars").write_csv(folder / "reviews.csv")
    write_arrays(folder)
    return folder


@pytest.mark.parametrize("path", FILES, ids=name)
def test_commands_in_the_head_are_right(
    path: Path, command: Command, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    for line in path.read_text(encoding="utf-8").replace("\\\n#", "").splitlines():
        if not line.startswith("#   runcard fit"):
            continue
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line[1:])][2:]
        if "trainer=gpu" in words:  # without a GPU the card itself must still be right
            assert runcard.load_card(words)
            continue
        assert command("check", *words).code == 0, line


# Those that start processes or a tracker of some seconds; each has its own tests in the default run.
LONG = ("trainer/ddp", "logger/mlflow", "logger/wandb", "model/mobilenet")
STEPPED = [
    pytest.param(path, marks=[pytest.mark.slow] if name(path) in LONG or place % 2 else [], id=name(path))
    for place, path in enumerate(path for path in CHOICES if path.parent.name != "sweep")
]


def test_those_that_take_long_are_files() -> None:
    assert set(LONG) <= {name(path) for path in CHOICES}
    assert len(STEPPED) >= 35


@pytest.mark.parametrize("path", STEPPED)
def test_choice_fits_for_one_step(path: Path, request: pytest.FixtureRequest) -> None:
    customers().write_csv("rows.csv")
    write_arrays(Path())
    if path.stem == "pretrained":
        Path("vit").symlink_to(request.getfixturevalue("tiny_vit"))
    # The smallest data set, but for what says itself which it is for.
    small = ["data=wine"] * (path.parent.name in ("optimizer", "scheduler", "trainer", "logger", "serve", "debug"))
    card = runcard.load_card([*overrides(path), *small, *TINY])
    if card.trainer.accelerator == "gpu" and torch.cuda.device_count() < card.trainer.devices:
        with pytest.raises(CardError, match=r"has (no GPU|1 GPUs)"):
            runcard.fit(card)
        return
    run = runcard.fit(card)
    assert run.metrics["epochs"] == 1
    assert f"test/{run.card.problem.metric}" in run.metrics


SWEEPS = sorted((CONF / "sweep").glob("*.yaml"))
OTHERS = [path for path in CHOICES if path.parent.name in ("model", "optimizer")]
# By default a sixth, in which each stands with some of the others.
PAIRS = [
    pytest.param(sweep, other, marks=[] if (number + place) % 6 == 0 else pytest.mark.slow)
    for number, sweep in enumerate(SWEEPS)
    for place, other in enumerate(OTHERS)
]


@pytest.mark.parametrize(("path", "other"), PAIRS, ids=name)
def test_sweep_goes_with_every_model_and_optimizer(path: Path, other: Path, command: Command) -> None:
    assert command("check", f"sweep={path.stem}", "data=digits", *overrides(other)).code == 0


BRIEF = ("tpe",)


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[] if path.stem in BRIEF else pytest.mark.slow) for path in SWEEPS], ids=name
)
def test_sweep_tries_one_step(path: Path) -> None:
    study = runcard.sweep(runcard.load_sweep([f"sweep={path.stem}", "data=wine", *TINY[:2], "sweep.n_trials=2"]))
    assert study.summary["sampler"] == path.stem
    assert study.summary["states"] == {"COMPLETE": 2, "PRUNED": 0, "FAIL": 0, "RUNNING": 0}


def test_cards_are_saved_as_they_are(wine_run: Run) -> None:
    saved = yaml.safe_load(wine_run.folder.card.read_text())
    assert saved == wine_run.card.to_dict()
    assert runcard.load_card([str(wine_run.folder.card)]).to_dict() == saved
