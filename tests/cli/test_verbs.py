"""The verbs, as typed: what they print, what they leave behind, how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import runcard
from runcard.cli.verbs import VERBS
from tests.conftest import HANG_S, TINY, Command, customers

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_help_with_an_example(verb: str, command: Command) -> None:
    said = command(verb, "--help")
    assert said.code == 0
    assert f"runcard {verb}" in said.out.split("example:")[1]
    assert "--json" in said.out


def test_help_names_every_verb_and_version_is_told(command: Command) -> None:
    for words in ([], ["--help"]):
        said = command(*words)
        assert said.code == 0
        assert all(f"    {verb.name} " in said.out for verb in VERBS)
    assert command("--version").out == f"runcard {runcard.__version__}\n"


@pytest.mark.parametrize("signum", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_on_the_way_out_changes_nothing(signum: str) -> None:
    script = f"""
import atexit, os, signal, sys
atexit.register(os.kill, os.getpid(), signal.{signum})
sys.argv = ["runcard", "--version"]
from runcard.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0
    assert done.stdout == f"runcard {runcard.__version__}\n"


def test_the_whole_line(command: Command, table: Path) -> None:
    fit = ["fit", "data=table", f"data.path={table}", "problem.target=churned", "trainer.max_epochs=2", "--json"]
    fitted = command(*fit).json
    assert set(fitted) == {"run", "metrics", "seconds"}
    assert fitted["metrics"]["test/accuracy"] > 0
    run = Path(fitted["run"])
    evaluated = command("evaluate", str(run), "--json").json
    assert evaluated["metrics"] == fitted["metrics"]
    customers(30, seed=9).drop("churned").write_csv("new.csv")
    predicted = command("predict", str(run), "new.csv", "-o", "new.parquet", "--json").json
    assert pl.read_parquet(predicted["answers"]).height == predicted["rows"] == 30
    (row,) = command("ls", "--json").json["runs"]
    assert (row["run"], row["state"], row["test"]) == (
        str(run.relative_to(Path.cwd())),
        "finished",
        evaluated["metrics"]["test/accuracy"],
    )


def test_text_for_people(command: Command) -> None:
    said = command("fit", "data=wine", "model=linear", "trainer.max_epochs=2")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("wine-linear: accuracy 0.")
    assert [line.split()[0] for line in lines[1:]] == ["linear", "trivial", "least", "run", "report"]
    assert Path(lines[-1].split()[1]).is_file()


def test_json_is_all_of_stdout_and_text_goes_to_stderr(command: Command) -> None:
    said = command("check", "data=wine", "--json")
    assert said.json["card"]["data"]["name"] == "wine"
    assert said.json["origins"]["data.name"].endswith("data/wine.yaml:6")
    assert "the card is right" in said.err


def test_flags_may_stand_between_overrides(command: Command) -> None:
    assert command("check", "data=wine", "--json", "seed=5").json["card"]["seed"] == 5


def test_a_saved_card_fits_to_the_same_run(command: Command) -> None:
    first = command("fit", "data=wine", "seed=4", *TINY, "--json").json
    again = command("fit", f"{first['run']}/card.yaml", "--json").json
    assert again["metrics"] == first["metrics"]
    assert again["run"] != first["run"]


def test_ls_sorts_and_shows_what_differs(command: Command) -> None:
    for seed in (1, 2, 3):
        command("fit", "data=wine", f"seed={seed}", "optimizer.lr=1e-4" if seed == 1 else "optimizer.lr=1e-2", *TINY)
    Path("runs/wine-mlp/20200101-000000-aaaaaa").mkdir()
    Path("runs/wine-mlp/20200101-000000-aaaaaa/card.yaml").write_text("name: x\n")
    newest = command("ls", "--json").json["runs"]
    assert [row["state"] for row in newest] == ["finished"] * 3 + ["unfinished"]
    assert [row["differs"]["seed"] for row in newest[:3]] == [3, 2, 1]
    best = command("ls", "--sort", "best", "--json").json["runs"]
    scores = [row["validation"] for row in best if row["validation"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert best[-1]["state"] == "unfinished"
    text = command("ls").out
    assert "optimizer.lr" in text.splitlines()[0]
    assert "problem.goal" not in text


def test_doctor(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    said = command("doctor", "--json")
    assert said.code == 0
    assert {"Python", "torch", "GPU", "runs folder", "git"} <= {item["what"] for item in said.json["findings"]}
    import importlib.metadata

    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.0" if name == "torch" else version(name))
    said = command("doctor")
    assert said.code == 3
    assert "MISSING torch: 2.0; Runcard needs >=2.10: pip install" in said.out


@pytest.mark.parametrize("words", [["--cfg", "job"], ["--cfg", "job", "--resolve"], ["--info", "defaults"]])
def test_flags_of_hydra(words: list[str], command: Command) -> None:
    said = command("fit", *words, "data=wine")
    assert said.code == 0, said.err
    assert "wine" in said.out
    assert not Path("runs").exists()


def test_warnings_of_a_prediction(command: Command) -> None:
    run = command("fit", "data=wine", *TINY, "--json").json["run"]
    from sklearn.datasets import load_wine

    names = load_wine().feature_names
    pl.DataFrame({name: [1e6] for name in names}).write_csv("odd.csv")
    said = command("predict", run, "odd.csv")
    assert said.code == 0
    assert f"warning: {names[0]}: 1 of 1 rows outside" in said.out
    assert pl.read_csv("answers.csv").columns[0] == "prediction"


@pytest.mark.slow
def test_the_module_is_the_command(command: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runcard", "check", "data=wine", "--json"], capture_output=True, text=True
    )
    assert json.loads(done.stdout) == command("check", "data=wine", "--json").json


@pytest.mark.slow
def test_the_whole_line_as_installed(installed: Command, away: Path) -> None:
    customers(100).write_csv("customers.csv")
    table = ["data=table", "data.path=customers.csv", "problem.target=churned"]
    run = installed("fit", *table, *TINY, "--json").json["run"]
    assert installed("evaluate", run).code == 0
    assert installed("predict", run, "customers.csv").code == 0
    assert pl.read_csv("answers.csv").height == 100
    assert os.path.relpath(run) in installed("ls").out
