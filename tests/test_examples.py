"""Projects with classes of their own: the example as its README says, the page in docs/, what init makes."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from runcard.files import read_yaml
from tests.conftest import TINY, Command, Said

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own_classes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
MISTAKES = [tuple(re.findall(r"`([^`]+)`", line)) for line in PAGE.splitlines() if line.startswith("| `")]


def commands(text: str) -> list[list[str]]:
    """The runcard commands of a page's shell blocks, each as words without ``runcard``."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("runcard ")]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test imports of its project is another's in the next."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "shop")]:
        del sys.modules[name]


@pytest.fixture
def example(away: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, and the working directory in it."""
    project = away / "own_model"
    shutil.copytree(ROOT / "examples" / "own_model", project, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def page(away: Path) -> Path:
    """The files that the page shows, each under the name in its first line."""
    for kind, text in BLOCKS:
        first = re.match(r"# ([\w./]+)\n", text)
        assert (first is not None) == (kind != "sh"), text
        if first:
            file = away / first[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return away


def fits(said: Said, words: list[str]) -> None:
    assert said.code == 0, (words, said.err)
    assert "Traceback" not in said.err


def test_the_example_does_what_its_readme_says(example: Path, command: Command) -> None:
    typed = commands((example / "README.md").read_text(encoding="utf-8"))
    assert len(typed) == 5
    for words in typed:
        said = command(*words, *(TINY if words[0] == "fit" else []))
        if "data.dais=30" in words:
            assert said.code == 2
            assert "Did you mean days?" in said.err
            assert "model.width: must be above 0, not 0" in said.err
        else:
            fits(said, words)


def test_defaults_are_written_into_the_card(example: Path, command: Command) -> None:
    text = (example / "conf" / "model" / "residual.yaml").read_text(encoding="utf-8")
    (example / "conf" / "model" / "bare.yaml").write_text(text.partition("width:")[0])
    card = command("check", "model=bare", "--json").json["card"]
    assert card["model"] == {"_target_": "shop.models.Residual", "width": 32, "layers": 2, "activation": None}


@pytest.mark.slow
def test_the_whole_line_of_the_example(example: Path, installed: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = json.loads(installed("fit", "trainer.max_epochs=5", "--json").out)["run"]
    pl.DataFrame({"seconds": [9, 99], "last": ["home", "basket"]}).with_columns(
        *(pl.lit(1).alias(page) for page in ("home", "search", "product", "reviews", "basket"))
    ).write_csv("visits.csv")
    monkeypatch.chdir("conf")  # anywhere within the project
    for words in (
        ["resume", run],
        ["verify", run],
        ["evaluate", run],
        ["predict", run, "../visits.csv"],
        ["package", run],
    ):
        fits(installed(*words), words)
    assert pl.read_csv("answers.csv").height == 2


def test_without_trust_nothing_of_it_runs(example: Path, installed: Command) -> None:
    text = (example / "pyproject.toml").read_text(encoding="utf-8")
    (example / "pyproject.toml").write_text(text.replace('trust = ["shop"]', ""))
    (example / "shop" / "models.py").write_text("raise SystemExit('it ran')\n")
    said = installed("check")
    assert said.code == 2
    assert "the class 'shop.models.Residual' is not allowed" in said.err
    assert "trust = [" in said.err
    assert "it ran" not in said.err


def test_the_commands_of_the_page(page: Path, command: Command) -> None:
    typed = commands(PAGE)
    assert len(typed) == 3
    for words in typed:
        fits(command(*words, *TINY), words)


def test_a_rate_is_found_for_an_optimizer_of_ones_own(page: Path, command: Command) -> None:
    run = command("fit", "optimizer=sign", "optimizer.lr=auto", *TINY, "--json").json["run"]
    assert 0 < read_yaml(Path(run) / "card.yaml")["optimizer"]["lr"] < 1


@pytest.mark.parametrize(("typed", "said"), MISTAKES, ids=[typed for typed, _ in MISTAKES])
def test_the_mistakes_of_the_page(typed: str, said: str, page: Path, command: Command) -> None:
    found = command("check", *shlex.split(typed))
    assert found.code == 2, found.out
    assert said in found.err


def test_what_init_makes_has_a_network_of_its_own(
    table: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits(command("init", "mine", "--data", str(table), "--target", "churned"), ["init"])
    monkeypatch.chdir("mine")
    fits(command("fit", "model=own", "model.width=16", *TINY), ["fit"])
    assert "must be above 0" in command("check", "model=own", "model.width=0").err


def test_python_can_still_be_told_of_new_files(page: Path, command: Command) -> None:
    fits(command("check", "model=net"), ["check"])
    importlib.invalidate_caches()  # as pip and torch.compile do
