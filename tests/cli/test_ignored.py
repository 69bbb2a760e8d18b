"""What would be ignored is refused or said: an option given twice, a section of null, a card changed after training."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import runcard
from runcard.files import read_json, write_json
from runcard.runs import CARD_DIGEST, RunFolder
from runcard.training.checkpoint import load, save
from tests.conftest import TINY, Command


@pytest.mark.parametrize(
    "line",
    [
        "init made --data rows.csv --target a --target=b",
        "init made --data rows.csv --ragged fill --target b --ragged fill",
        "fit -c job --cfg all",
        "check --config-dir a --config-dir b",
        "predict run rows.csv -o a.csv --output b.csv",
        "serve --port 3001 --port 3002",
        "ls --name a --name b",
    ],
)
def test_an_option_that_is_given_twice_is_refused(line: str, command: Command) -> None:
    done = command(*line.split())
    assert done.code == 2
    assert re.search(r"-\S+ is given twice, as .+ and as .+: leave one of them out", done.err)
    assert not Path("made").exists()


def test_an_option_that_may_be_given_twice_is_taken_twice(command: Command) -> None:
    Path("one.py").write_text("")
    Path("two.py").write_text("")
    assert command("check", "data=wine", "--trust", "one", "--trust", "two").code == 0


@pytest.mark.parametrize("section", ["trainer.early_stopping", "trainer.average"])
def test_a_section_of_null_is_answered_with_the_key_that_may_be_null(section: str, command: Command) -> None:
    done = command("check", "data=wine", f"{section}=null")
    assert done.code == 2
    (way,) = re.findall(r"Set (\S+=null)\.", done.err)
    assert command("check", "data=wine", way).code == 0


def test_a_section_of_another_value_is_answered_with_its_keys(command: Command) -> None:
    said = command("check", "data=wine", "data.split=3").err
    assert "Its keys are set one by one: data.split.seed, data.split.validation, data.split.test." in said


def changed(run: Path) -> None:
    card = run / "card.yaml"
    text = card.read_text()
    assert "max_epochs: 1" in text
    card.write_text(text.replace("max_epochs: 1", "max_epochs: 2"))


def test_a_card_changed_after_the_end_is_said_with_the_way(command: Command) -> None:
    run = Path(command("fit", "data=wine", "model=linear", *TINY, "--json").json["run"])
    assert "was changed" not in command("resume", str(run)).err
    before = (run / "metrics.csv").read_bytes()
    changed(run)
    for words in (["resume", str(run)], ["evaluate", str(run)]):
        done = command(*words)
        assert done.code == 0
        assert f"{run / 'card.yaml'} was changed since the run was trained" in done.err
    assert (run / "metrics.csv").read_bytes() == before
    (way,) = set(re.findall(r"`runcard (fit .+)`", done.err))
    new = command(*shlex.split(way), "--json")
    assert new.json["run"] != str(run)
    assert runcard.load_run(new.json["run"]).metrics["epochs"] == 2


def test_a_card_changed_before_the_end_is_said(command: Command) -> None:
    run = Path(command("fit", "data=wine", "model=linear", *TINY, "--json").json["run"])
    folder = RunFolder(run)
    last = load(folder.last)
    last["state"]["stopped"] = False
    save(folder.last, last)
    folder.metrics.unlink()
    changed(run)
    done = command("resume", str(run))
    assert done.code == 0
    assert f"{run / 'card.yaml'} was changed since the run began" in done.err
    assert len((run / "metrics.csv").read_text().splitlines()) == 3


def test_runs_of_earlier_versions_are_not_suspected(command: Command) -> None:
    run = Path(command("fit", "data=wine", "model=linear", *TINY, "--json").json["run"])
    folder = RunFolder(run)
    environment = read_json(folder.environment)
    assert environment.pop(CARD_DIGEST)
    write_json(folder.environment, environment)
    changed(run)
    assert "was changed" not in command("resume", str(run)).err


@pytest.mark.parametrize("verb", [["check"], ["fit", *TINY], ["fit", "-m", *TINY, "seed=1,2"]])
def test_an_override_that_another_takes_the_place_of_is_said_once(verb: list[str], command: Command) -> None:
    said = command(*verb, "data=digits", "data=wine", "model=linear", "optimizer.lr=1e-2", "optimizer.lr=1e-3")
    assert said.code == 0, said.err
    assert said.err.count("data=digits is not used: data=wine stands after it\n") == 1
    assert said.err.count("optimizer.lr=1e-2 is not used: optimizer.lr=1e-3 stands after it\n") == 1
    assert said.err.count("is not used") == 2
