"""What README.md says is so: its commands run, its Python runs, its tables name what is there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import runcard
from runcard.card.compose import group_choices
from runcard.cli.verbs import VERBS
from runcard.evaluation.predictor import Run
from tests.conftest import TINY, Command, Made, customers, write_arrays
from tests.servers import BIN, free_port, starting, wait_until_ready

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [
    line.partition(" #")[0].strip()
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    if line.startswith("runcard ")
]


def test_commands_are_found_and_cover_every_verb() -> None:
    assert len(COMMANDS) >= 10
    assert {shlex.split(line)[1] for line in COMMANDS} == {verb.name for verb in VERBS}


# In processes and services of their own; tests/earlier and tests/packaging do the same in the default run.
LONG = ("runcard verify $RUN", "runcard package $STUDY")
TYPED = [
    pytest.param(line, marks=[pytest.mark.slow] if line in LONG else [], id=line)
    for line in COMMANDS
    if not line.startswith("runcard serve")
]


def test_lines_that_take_long_are_there() -> None:
    assert set(LONG) < set(COMMANDS)
    assert len(TYPED) >= 30


@pytest.mark.parametrize("line", TYPED)
def test_command_runs(line: str, command: Command, request: pytest.FixtureRequest) -> None:
    customers(100).write_csv("customers.csv")
    write_arrays(Path())
    words = shlex.split(line)[1:]
    if "$RUN" in line or words[0] == "ls":
        table = ["data=table", "data.path=customers.csv", "problem.target=churned"]
        run = command("fit", *table, *TINY, "--json").json["run"]
        words = [word.replace("$RUN", run) for word in words]
    if "$BUNDLE" in line:
        made: Made = request.getfixturevalue("table_made")
        words = [word.replace("$BUNDLE", made.bundle.tag) for word in words]
    if "$OTHER" in line:
        other = command("fit", "data=wine", *TINY, "--json").json["run"]
        words = [word.replace("$OTHER", other) for word in words]
    if "$STUDY" in line or "studies" in line:
        study = command("fit", "-m", "data=wine", *TINY[:2], "seed=1,2", "sweep.name=wine", "--json").json["study"]
        words = [word.replace("$STUDY", study) for word in words]
    # Rows that are learned by heart are few anyway, and one step does not do it.
    tiny = TINY[:2] if words[0] == "fit" and "debug=overfit" not in words else []
    if words[0] == "fit" and ("-m" in words or any(word.startswith("sweep=") for word in words)):
        words = [*(word for word in words if not word.startswith("sweep.n_trials=")), "sweep.n_trials=3"]
    said = command(*words, *tiny)
    assert said.code == 0, said.err
    assert said.out


def test_the_service_answers_as_shown(table_made: Made, away: Path) -> None:
    (line,) = [line for line in COMMANDS if line.startswith("runcard serve")]
    port = free_port()
    words = [*shlex.split(line)[1:], table_made.bundle.tag, "--port", str(port)]
    body, answer = (json.loads(block) for kind, block in BLOCKS if kind == "json")
    with starting([str(BIN / "runcard"), *words], away, port) as service:
        wait_until_ready(service)
        status, said = service.post(body)
    assert status == 200
    assert list(said) == list(answer)
    assert list(said["probabilities"]) == list(answer["probabilities"])
    assert [warning.partition(" is outside")[0] for warning in said["warnings"]] == [
        warning.partition(" is outside")[0] for warning in answer["warnings"]
    ]


def test_scripts_that_are_named_exist() -> None:
    named = re.findall(r"(?:scripts|bench)/\w+(?:\.py)?", TEXT)
    assert len(named) >= 5
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_python_runs(wine_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    rows = {feature.name: [1.0, 2.0] for feature in wine_run.signature.features}
    names = {"rows": rows}
    exec(code, names)
    assert "wine-linear" in capsys.readouterr().out
    assert len(names["answers"]) == 2


def test_the_refusal_is_quoted_as_it_is(command: Command) -> None:
    words = re.search(r"`runcard (check trainer[^`]*)` says", TEXT)
    assert words
    said = command(*words[1].split())
    assert said.err in TEXT
    assert said.code == 2


def test_groups_and_choices_are_those_of_conf() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*?) \|$", TEXT, flags=re.MULTILINE))
    for group, choices in group_choices().items():
        if group == "problem":
            assert rows[group] == "one for each `data`"
            assert choices == group_choices()["data"]
        else:
            assert sorted(rows[group].split(", ")) == choices


def test_files_of_a_run_are_those_that_are_there(wine_run: Run) -> None:
    section = TEXT.partition("## The run folder")[2].partition("\n## ")[0]
    named = set(re.findall(r"[\w/]+\.(?:yaml|json|parquet|ckpt|csv|html|log)", section))
    there = {path.name for path in wine_run.path.rglob("*") if path.is_file() and path.suffix != ".sha256"}
    assert {Path(name).name for name in named} == there
    assert runcard.load_run(wine_run.path).metrics


def test_files_of_a_study_are_those_that_are_there(command: Command) -> None:
    section = TEXT.partition("## The study folder")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `([\w.]+/?)`", section, flags=re.MULTILINE))
    study = Path(command("fit", "-m", "data=wine", *TINY[:2], "seed=1,2", "--json").json["study"])
    there = {f"{path.name}/" if path.is_dir() else path.name for path in study.iterdir()}
    assert there - {"1/"} == named
