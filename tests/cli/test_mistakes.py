"""Users' mistakes: a clear message, the right exit code, no traceback, nothing left that could be trusted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from runcard.evaluation.predictor import Run
from tests.conftest import HANG_S, TINY, Command, customers

TABLE = ["fit", "data=table", "data.path=rows.csv", "problem.target=y"]

# What is typed, the exit code, and what must be said; {run} is a finished run.
TYPED = {
    "unknown verb": (["ft"], 2, "Did you mean fit?"),
    "unknown key": (["fit", "trainer.max_epoch=5"], 2, "Did you mean trainer.max_epochs?"),
    "wrong type": (["fit", "optimizer.lr=fast"], 2, 'must be a number or auto, not "fast"'),
    "two at once": (["check", "trainer.max_epoch=5", "optimzer.lr=3"], 2, "the card has 2 mistakes"),
    "unknown choice": (["fit", "model=cn"], 2, "Did you mean cnn"),
    "unknown flag": (["fit", "--jason"], 2, "unrecognized arguments: --jason"),
    "empty multirun": (["fit", "-m"], 2, "sweep.space: is empty"),
    "several values": (["fit", "seed=1,2"], 2, "Add -m to try them all"),
    "no bundle": (["serve", "nothing:here"], 2, "there is no bundle nothing:here"),
    "nothing to package": (["package", "studies/nowhere"], 2, "there is no folder"),
    "no config dir": (["fit", "--config-dir", "nowhere"], 2, "there is no folder"),
    "no card file": (["fit", "nowhere.yaml"], 2, "cannot read the card nowhere.yaml"),
    "no GPU": (["fit", "trainer=gpu"], 2, "no GPU"),
    "deep network for small images": (["fit", "model=cnn", "model.channels=[4,4,4,4]"], 2, "Give fewer"),
    "wrong task": (["fit", "data=wine", "problem.task=regression", "problem.metric=r2"], 2, "is for classification"),
    "missing file": (["fit", "data=table", "data.path=no.csv", "problem.target=y"], 4, "there is no file"),
    "check: missing file": (["check", "data=table", "data.path=no.csv", "problem.target=y"], 4, "there is no file"),
    "runs below a file": (["fit", "data=wine", "runs_dir=afile"], 2, "cannot make a run folder"),
    "runs where none may be": (["fit", "data=wine", "runs_dir=/proc/here"], 2, "cannot make a run folder"),
    "no such run": (["evaluate", "nowhere"], 2, "there is no folder"),
    "a folder that is no run": (["evaluate", "folder"], 2, "is not a run folder"),
    "predict: no such run": (["predict", "nowhere", "rows.csv"], 2, "there is no folder"),
    "predict: a folder that is no run": (["predict", "folder", "rows.csv"], 2, "is no run folder"),
    "predict: no rows file": (["predict", "{run}", "no.csv"], 4, "there is no file"),
    "predict: other rows": (["predict", "{run}", "other.csv"], 4, "lack 13 of the model's 13 columns"),
    "predict: unknown format": (["predict", "{run}", "wine.csv", "-o", "answers.xls"], 2, "files of answers end in"),
    "predict: over its own rows": (["predict", "{run}", "wine.csv", "-o", "wine.csv"], 2, "name another file"),
    "predict: over the run": (
        ["predict", "{run}", "wine.csv", "-o", "{run}/predictions.parquet"],
        2,
        "name another file",
    ),
    "predict: no rows named": (["predict", "{run}"], 2, "the following arguments are required: ROWS"),
    "predict: rows without any": (["predict", "{run}", "none.csv"], 0, "0 answers"),
    "flag without its value": (["ls", "--sort"], 2, "expected one argument"),
    "abbreviated flag": (["check", "--js"], 2, "unrecognized arguments: --js"),
    "ls: no such name": (["ls", "--runs-dir", "folder", "--name", "x"], 2, "there are no runs of this name"),
    "left out section": (["fit", "model=null"], 2, "a card needs this section"),
    "package": (["fit", "model@foo=linear"], 2, "without @"),
    "delete what is not there": (["fit", "~model.dropuot"], 2, "no such key to delete"),
    "another target": (["fit", "data=wine", "problem.target=foo"], 2, "It has 'cultivar'"),
    "another problem": (["check", "problem=wine"], 2, "the data set digits has no target 'cultivar'"),
    "too large a model": (["fit", "model.hidden=[999999999,999999999]"], 2, "Make the layers smaller"),
    "a number for a text": (["fit", "problem.target=2"], 2, "Quote a text that looks like a number"),
    "a number in a list of texts": (
        ["fit", "data=table", "data.null_values=[-9]"],
        2,
        "within the list: 'data.null_values=[\"-9\"]'",
    ),
    "a tab": (["check", "data=table", "data.path=tabs.txt", "problem.target=y", r"data.separator=\t"], 0, "right"),
    "blanks in a name": (
        ["fit", "data=table", "data.path=blanks.csv", "problem.target=y"],
        2,
        """'problem.target=" y"'""",
    ),
    "blanks in a name, typed": (["check", "data=table", "data.path=blanks.csv", 'problem.target=" y"'], 0, "right"),
    "a rate that diverges": (["fit", "data=diabetes", "optimizer=sgd", "optimizer.lr=1e30"], 2, "Lower optimizer.lr"),
    "odd path": (["fit", "data=table", "data.path=~/my (1)=é.csv", "problem.target=y"], 4, "my (1)=é.csv"),
    "a saved card and a folder": (["fit", "nowhere.yaml", "--config-dir", "folder"], 2, "no groups are looked up"),
    "predict: no place": (["predict", "{run}", "wine.csv", "-o", "no/answers.csv"], 2, "there is no folder"),
    "ls: no folder": (["ls", "--runs-dir", "nowhere"], 2, "there is no folder nowhere"),
}

# The rows, the exit code, and what must be said.
ROWS = {
    "target not there": ("x,z\n1,a\n", 2, "has no column 'y'"),
    "class with one row": ("x,y\n" + "1,a\n2,b\n" * 10 + "3,c\n", 4, "single row: 'c'"),
    "empty": ("", 4, "is empty"),
    "header only": ("x,y\n", 4, "a header and no rows"),
    "gap in target": ("x,y\n" + "1,a\n2,b\n" * 10 + "3,\n", 4, "is missing in 1 of 21 rows (row 21)"),
    "NaN in target": ("x,y\n" + "1,1.5\n2,2.5\n" * 10 + "3,NaN\n", 4, "is missing in 1 of 21 rows (row 21)"),
    "one class": ("x,y\n" + "1,a\n2,a\n" * 10, 4, "'a' in every row"),
    "few rows": ("x,y\n" + "1,a\n2,b\n" * 3, 4, "6 rows are too few"),
    "nothing to learn from": ("y\n" + "a\nb\n" * 10, 4, "no column to learn from"),
}


def finished(code: int, out: str, err: str, expected: int, text: str) -> None:
    assert code == expected, err
    assert text in (err if code else out)
    assert "Traceback" not in err + out


def nothing_to_trust() -> None:
    assert not list(Path.cwd().glob("runs/*/*/metrics.json"))
    assert not [path for path in Path.cwd().rglob("answers*") if path.read_text().count("\n") > 1]


@pytest.mark.parametrize("case", TYPED)
def test_typed(case: str, command: Command, wine_run: object) -> None:
    words, code, text = TYPED[case]
    from runcard.evaluation.predictor import Run

    assert isinstance(wine_run, Run)
    Path("folder").mkdir()
    Path("afile").write_text("")
    Path("blanks.csv").write_text("x, y\n1,a\n")
    Path("tabs.txt").write_text("x\ty\n1\ta\n")
    customers(5).write_csv("other.csv")
    rows = pl.DataFrame({feature.name: [1.0] for feature in wine_run.signature.features})
    rows.write_csv("wine.csv")
    rows[:0].write_csv("none.csv")
    said = command(*[word.replace("{run}", str(wine_run.path)) for word in words])
    finished(said.code, said.out, said.err, code, text)
    nothing_to_trust()


@pytest.mark.parametrize("case", ROWS)
def test_rows(case: str, command: Command) -> None:
    text, code, message = ROWS[case]
    Path("rows.csv").write_text(text)
    said = command(*TABLE)
    finished(said.code, said.out, said.err, code, message)
    assert not Path("runs").exists(), "bad data must be found before a folder is made"


def test_an_error_as_json(command: Command) -> None:
    said = command("fit", "trainer.max_epoch=5", "--json")
    assert said.code == 2
    error = said.json["error"]
    assert (error["kind"], error["exit_code"]) == ("CardError", 2)
    assert error["mistakes"][0]["hint"] == "Did you mean trainer.max_epochs?"


def test_traceback_on_demand(command: Command) -> None:
    assert "Traceback" in command("fit", "seed=-1", "--traceback").err


def test_a_fault_of_ours_is_said_to_be_one(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("runcard.api.load_checked", broken)
    said = command("check")
    finished(said.code, said.out, said.err, 1, "a fault in Runcard: ZeroDivisionError: by design")


@pytest.mark.parametrize(
    "words", [["predict", "--json"], ["ls", "--sort", "worst", "--json"], ["check", "--json", "--nope"]]
)
def test_mistakes_in_flags_as_json(words: list[str], command: Command) -> None:
    said = command(*words)
    assert said.code == said.json["error"]["exit_code"] == 2


def test_a_file_of_ones_own_is_not_passed_over(command: Command) -> None:
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/mlp.yaml").write_text("_target_: runcard.models.linear.Linear\n")
    said = command("check", "--config-dir", "mine")
    finished(said.code, said.out, said.err, 2, "would not be read")


@pytest.mark.parametrize(
    "content", ["hidden: [\xfc]", "[" * 3000, "- 1", "a: *b"], ids=["latin-1", "deep", "list", "alias"]
)
def test_files_of_ones_own_that_are_no_yaml(content: str, command: Command) -> None:
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/odd.yaml").write_bytes(content.encode("latin-1"))
    Path("card.yaml").write_bytes(content.encode("latin-1"))
    for words in (["check", "model=odd", "--config-dir", "mine"], ["check", "card.yaml"]):
        said = command(*words)
        assert said.code == 2, said.err
        assert "Traceback" not in said.err


def test_a_card_of_aliases_is_refused_at_once(command: Command) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10))]
    Path("card.yaml").write_text("\n".join(lines))
    said = command("check", "card.yaml")
    finished(said.code, said.out, said.err, 2, "aliases are not allowed")


DAMAGE = {
    "metrics.csv": "garbage\n1,2,3\n",
    "metrics.json": '{"best_epoch": 0, "test/accuracy": "high"}',
    "data.json": '{"signature": {"features": []}}',
    "card.yaml": "goal: 2024-01-01\n",
    "checkpoints/best.ckpt": "",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_refused_and_hides_no_other(name: str, wine_run: Run, command: Command) -> None:
    for copy in ("one", "other"):
        shutil.copytree(wine_run.path, f"runs/wine-mlp/{copy}")
    run = Path("runs/wine-mlp/other")
    (run / name).write_text(DAMAGE[name])
    said = command("evaluate", str(run))
    assert said.code == 2, said.err
    assert "a fault in Runcard" not in said.err
    assert len(command("ls", "--json").json["runs"]) == 2


def test_a_refused_permission_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/closed/folder")

    monkeypatch.setattr("runcard.runs.open_run", refused)
    said = command("evaluate", "x")
    finished(said.code, said.out, said.err, 2, "no permission for /closed/folder")


TWO = """
import json, sys
from runcard.cli.main import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as error:
        assert not error.code
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.slow
def test_what_a_terminal_has_no_letter_for_is_escaped(encoding: str, away: Path) -> None:
    rows = "".join(f"{number}.5,{'abc'[number % 3]},{'yn'[number % 2]}\n" for number in range(60))
    (away / "rows.csv").write_text(f"größe,дом,y\n{rows}")
    words = ["--data", "rows.csv", "--target", "y"]
    commands = [["init", "one", *words], ["init", "two", *words, "--json"]]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    program = [sys.executable, "-c", TWO, json.dumps(commands)]
    done = subprocess.run(program, env=environment, capture_output=True, timeout=HANG_S)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    *text, data = done.stdout.decode(encoding).splitlines()
    assert "\\u0434\\u043e\\u043c" in "\n".join(text)
    assert "дом" in json.loads(data)["data"]["columns"]


def test_a_full_disk_for_output_is_said() -> None:
    program = Path(sys.executable).with_name("runcard")
    done = subprocess.run(f"{program} check > /dev/full", shell=True, capture_output=True, text=True, timeout=HANG_S)
    finished(done.returncode, done.stdout, done.stderr, 1, "cannot write to stdout: No space left")


def test_an_unfinished_run_is_refused(wine_run: Run, command: Command) -> None:
    run = Path(shutil.copytree(wine_run.path, "run"))
    (run / "metrics.json").unlink()
    for words in (["evaluate", str(run)], ["predict", str(run), "rows.csv"]):
        said = command(*words)
        finished(said.code, said.out, said.err, 2, "is not finished")


def test_a_missing_package_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytorch_lightning.loggers.wandb._WANDB_AVAILABLE", False)
    said = command("fit", "data=wine", "logger=wandb", *TINY)
    finished(said.code, said.out, said.err, 2, "pip install 'runcard[wandb]'")


SIGNALS = [(signum, code, times) for signum, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)) for times in (1, 2)]


@pytest.mark.slow  # by default a signal at predict, in writing a study, and a sweep that is killed
@pytest.mark.parametrize(("signum", "code", "times"), SIGNALS)
def test_signals_end_a_fit(signum: signal.Signals, code: int, times: int) -> None:
    program = [str(Path(sys.executable).with_name("runcard")), "fit", "data=wine", "trainer.max_epochs=1000000"]
    patience = ["trainer.early_stopping.patience=null"]
    with subprocess.Popen([*program, *patience], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        give_up = time.monotonic() + HANG_S
        while not list(Path("runs").glob("*/*/metrics.csv")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < give_up
            time.sleep(0.05)
        for _ in range(times):
            os.kill(process.pid, signum)
        out, err = process.communicate(timeout=HANG_S)
    finished(process.returncode, out, err, code, f"stopped by {signum.name}")
    nothing_to_trust()


@pytest.mark.slow
def test_a_signal_within_an_import_is_not_lost(away: Path) -> None:
    # As libraries do that can do without another one; and what is raised in a module in C is an ImportError after it.
    swallows = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException:\n    pass\n"
    # Slow enough to be there still when the signal comes again.
    slow = "import time, torch\nclass Net(torch.nn.Module):\n    def __init__(self, input_shape, outputs):\n"
    (away / "swallows.py").write_text(f"{swallows}{slow}        super().__init__()\n        time.sleep({HANG_S})\n")
    (away / "own" / "model").mkdir(parents=True)
    (away / "own" / "model" / "slow.yaml").write_text("_target_: swallows.Net\n")
    words = ["fit", "--trust", "swallows", "--config-dir", "own", "model=slow", "data=wine"]
    environment = {**os.environ, "PYTHONPATH": str(away)}
    program = str(Path(sys.executable).with_name("runcard"))
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, timeout=HANG_S)
    finished(done.returncode, done.stdout, done.stderr, 143, "stopped by SIGTERM")


def test_a_closed_pipe_is_no_error(wine_run: object) -> None:
    program = Path(sys.executable).with_name("runcard")
    done = subprocess.run(f"{program} check | head -n 1", shell=True, capture_output=True, text=True, timeout=HANG_S)
    assert done.stdout == "  version: 3\n"
    assert not done.stderr
