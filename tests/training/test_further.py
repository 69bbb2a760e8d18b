"""More epochs than a finished run has: a new run, which names the other and comes out the same again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import runcard
from runcard.files import read_json
from runcard.runs import RunFolder
from runcard.training.checkpoint import load
from tests.conftest import Command

WORDS = ["data=wine", "model=linear", "trainer.max_epochs=2", "report=false", "problem.least_value=null"]


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    return runcard.fit(runcard.load_card([*WORDS, f"runs_dir={folder}"])).path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_goes_on_where_the_other_ended_and_leaves_it_as_it_is(parent: Path, command: Command) -> None:
    before = contents(parent)
    said = command("resume", str(parent), "trainer.max_epochs=4", "--json")
    assert said.code == 0, said.err
    run = RunFolder(Path(said.json["run"]))
    assert run.path != parent
    assert contents(parent) == before
    lines, first = (path.read_text().splitlines() for path in (run.history, RunFolder(parent).history))
    assert lines[:3] == first
    assert [line.partition(",")[0] for line in lines[1:]] == ["0", "1", "2", "3"]
    losses, earlier = (load(folder.last)["state"]["losses"] for folder in (run, RunFolder(parent)))
    assert losses[: len(earlier)].equal(earlier)
    assert len(losses) == 2 * len(earlier)
    assert "going on from" in said.err
    assert "the schedule is that of 4 epochs from here on" in said.err
    named = read_json(run.parent)
    assert (named["run"], named["epochs"], named["overrides"]) == (str(parent), 2, ["trainer.max_epochs=4"])
    assert read_json(run.environment)["card_sha256"] != read_json(RunFolder(parent).environment)["card_sha256"]


def test_the_rate_is_that_of_the_longer_schedule(parent: Path, command: Command) -> None:
    run = command("resume", str(parent), "trainer.max_epochs=4", "--json").json["run"]
    whole = runcard.fit([*WORDS, "trainer.max_epochs=4"]).path
    rates = [line.split(",")[1] for line in Path(run, "metrics.csv").read_text().splitlines()[3:]]
    assert rates == [line.split(",")[1] for line in Path(whole, "metrics.csv").read_text().splitlines()[3:]]


@pytest.mark.slow
def test_it_is_verified_leg_by_leg_also_where_the_others_are_gone(parent: Path, command: Command) -> None:
    run = command("resume", str(parent), "trainer.max_epochs=3", "--json").json["run"]
    run = command("resume", run, "trainer.max_epochs=5", "--json").json["run"]
    moved = parent.rename(parent.with_name("gone"))
    said = command("verify", run)
    assert said.code == 0, said.err
    assert said.out.startswith("the same to the last bit: ")
    assert "3 legs" in said.err
    moved.rename(parent)
    kept = RunFolder(Path(run))
    content = json.loads(kept.parent.read_text())
    content["parent"]["card"]["seed"] = 7
    kept.parent.write_text(json.dumps(content))
    assert command("verify", run).code == 3


def test_patience_counts_anew(command: Command) -> None:
    patient = ["trainer.early_stopping.patience=1", "trainer.early_stopping.min_delta=100", "trainer.max_epochs=9"]
    run = command("fit", *WORDS, *patient, "--json").json["run"]
    assert len(load(RunFolder(Path(run)).last)["state"]["history"]) == 2  # nothing is better by so much
    further = ["trainer.early_stopping.patience=3", "trainer.max_epochs=20"]
    longer = command("resume", run, *further, "--json").json["run"]
    assert len(load(RunFolder(Path(longer)).last)["state"]["history"]) == 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trainer.max_epochs=2"], "trainer.max_epochs: must be more than 2, the epochs that the run has, not 2"),
        (["trainer.early_stopping.patience=4"], "must be more than 2, the epochs that the run has, not 2"),
        (["trainer.max_epochs=4", "trainer.accumulate=2"], "trainer.accumulate: stays as it is where a run goes on"),
        (["trainer.max_epoch=4"], "Did you mean trainer.max_epochs?"),
        (["trainer.max_epochs=4", "optimizer.lr=1"], "optimizer.lr=1: is not where the rows of this run are"),
    ],
)
def test_what_is_no_going_on_is_refused_and_nothing_is_left(
    words: list[str], says: str, parent: Path, command: Command
) -> None:
    said = command("resume", str(parent), *words)
    assert said.code == 2
    assert says in said.err
    assert not Path("runs").exists()
    assert len([*parent.parent.iterdir()]) == len([*parent.parent.glob("[!.]*")])


def test_an_unfinished_run_is_finished_first(parent: Path, command: Command) -> None:
    run = command("fit", *WORDS, "--json").json["run"]
    Path(run, "metrics.json").unlink()
    said = command("resume", run, "trainer.max_epochs=4")
    assert said.code != 0
    assert f"`runcard resume {run}`" in said.err
