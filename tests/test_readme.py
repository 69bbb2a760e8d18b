"""What README.md says is so: its commands run, its Python runs, its tables name what is there."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

import runcard
from runcard.card.compose import group_choices
from runcard.cli.verbs import VERBS
from runcard.evaluation.predictor import Run
from runcard.packaging.bundle import open_bundle
from runcard.serving.launch import Start
from runcard.serving.predictor import Predictor
from tests.conftest import TINY, Command, Made, customers, write_arrays
from tests.servers import BIN, free_port, starting, wait_until_ready

pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.whole]

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


@dataclass(frozen=True)
class Ours:
    """What commands are given; tests copy it."""

    folder: Path
    run: Path
    other: Path
    study: Path


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """A folder with two runs and a study, their paths as seen from it."""
    folder = tmp_path_factory.mktemp("ours")
    with contextlib.chdir(folder):
        customers(100).write_csv("customers.csv")
        table = ["data=table", "data.path=customers.csv", "problem.target=churned"]
        runs = [runcard.fit(runcard.load_card([*words, *TINY])) for words in (table, ["data=wine"])]
        quick = [*TINY[:2], TINY[3]]  # with all files that a study has
        study = runcard.sweep(runcard.load_sweep(["data=wine", *quick, "seed=1,2", "sweep.name=wine"]))
    run, other, made = (path.relative_to(folder) for path in (*(run.path for run in runs), study.folder.path))
    return Ours(folder, run, other, made)


RUNNABLE = [line for line in COMMANDS if not line.startswith("runcard serve")]


# What these do, tests beside them hold.
LONG = ("debug=fast", "debug=profile", "data=digits model=cnn")


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=[pytest.mark.slow] * any(word in line for word in LONG)) for line in RUNNABLE]
)
def test_command_runs(line: str, command: Command, ours: Ours, request: pytest.FixtureRequest) -> None:
    words = given(line, ours, request)
    # Rows that are learned by heart are few anyway, and one step does not do it.
    if words[0] == "fit" and "debug=overfit" not in words:
        words += TINY[:2] + ["sweep.n_trials=2"] * any(word == "-m" or word.startswith("sweep") for word in words)
    if words[0] == "package":
        words += ["--no-http"]
    said = command(*words)
    assert said.code == 0, said.err
    assert said.out


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in RUNNABLE if line.startswith("runcard package")])
def test_packaging_runs_as_it_is_written(
    line: str, command: Command, ours: Ours, request: pytest.FixtureRequest
) -> None:
    said = command(*given(line, ours, request))
    assert said.code == 0, said.err


def given(line: str, ours: Ours, request: pytest.FixtureRequest) -> list[str]:
    """The words of a line, and beside the test what they name."""
    customers(100).write_csv("customers.csv")
    write_arrays(Path())
    words = shlex.split(line)[1:]
    if "$RUN" in line or words[0] == "ls":
        shutil.copytree(ours.folder / "runs", "runs")
    if "$STUDY" in line or "studies" in line:
        shutil.copytree(ours.folder / "studies", "studies")
    names = {"$RUN": ours.run, "$OTHER": ours.other, "$STUDY": ours.study}
    if "$BUNDLE" in line:
        made: Made = request.getfixturevalue("table_made")
        names["$BUNDLE"] = Path(made.bundle.tag)
    for name, path in names.items():
        words = [word.replace(name, str(path)) for word in words]
    return words


(SERVE,) = [line for line in COMMANDS if line.startswith("runcard serve")]
BODY, ANSWER = (json.loads(block) for kind, block in BLOCKS if kind == "json")


def test_a_bundle_answers_as_shown(table_made: Made, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the service is started with, and what it answers with, without a process of its own."""
    started: list[Start] = []

    def become_server(start: Start) -> NoReturn:
        started.append(start)
        sys.exit(0)

    monkeypatch.setattr("runcard.serving.launch.become_server", become_server)
    assert command(*shlex.split(SERVE)[1:], table_made.bundle.tag, "--port", str(free_port())).code == 0
    (start,) = started
    predictor = Predictor(open_bundle(start.admitted.path), start.admitted.tag)
    said = predictor.predict(json.dumps(BODY).encode())
    assert isinstance(said, dict)
    check_answer(said)


@pytest.mark.slow
def test_the_service_answers_as_shown(table_made: Made, away: Path) -> None:
    port = free_port()
    words = [*shlex.split(SERVE)[1:], table_made.bundle.tag, "--port", str(port)]
    with starting([str(BIN / "runcard"), *words], away, port) as service:
        wait_until_ready(service)
        status, said = service.post(BODY)
    assert status == 200
    check_answer(said)


def check_answer(said: dict[str, Any]) -> None:
    assert list(said) == list(ANSWER)
    assert list(said["probabilities"]) == list(ANSWER["probabilities"])
    assert [warning.partition(" is outside")[0] for warning in said["warnings"]] == [
        warning.partition(" is outside")[0] for warning in ANSWER["warnings"]
    ]


def test_scripts_that_are_named_exist() -> None:
    named = re.findall(r"(?:scripts|bench)/\w+(?:\.py)?", TEXT)
    modules = re.findall(r"python -m (bench\.\w+)", TEXT)
    assert len(set(named)) >= 7
    assert len(set(modules)) >= 2
    for name in named:
        assert (ROOT / name).is_file(), name
    for name in modules:
        place = ROOT / name.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), name


@pytest.mark.slow
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
    some = {"parent.json", "rows.parquet"}  # of runs that went on from another, or on rows at hand
    assert {Path(name).name for name in named} == there | some
    assert runcard.load_run(wine_run.path).metrics


def test_files_of_a_study_are_those_that_are_there(ours: Ours) -> None:
    section = TEXT.partition("## The study folder")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `([\w.]+/?)`", section, flags=re.MULTILINE))
    there = {f"{path.name}/" if path.is_dir() else path.name for path in (ours.folder / ours.study).iterdir()}
    assert there - {"1/"} == named - {"tracker.json"}  # of those that are tracked
