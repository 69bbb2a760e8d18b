"""``predict`` on files of any length, by a run or a bundle: the answers, what is said, and what is left behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import runcard
from runcard.data.reading import batches
from runcard.data.reading.frames import read_frame
from runcard.packaging import store, trial
from runcard.packaging.store import find
from tests.conftest import HANG_S, Command, Made, customers
from tests.terminals import each_in_terminal, without_codes

ROWS = 2 * 1024 + 100
FORMATS = ("rows.csv", "rows.tsv", "rows.parquet", "rows.json", "rows.ndjson")
STOPPED = """
import os, sys
from runcard.cli.main import main
from runcard.data import answers
from runcard.data.reading import batches
batches.TIMES = 1
seen = answers.Unusual.add
def add(self, columns):
    seen(self, columns)
    if self.rows > 1024:
        os.kill(os.getpid(), int(sys.argv[1]))
answers.Unusual.add = add
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def tried() -> dict[Path, str]:
    """Which bundles have been tried out, and their digests."""
    return {}


@pytest.fixture(autouse=True)
def tried_once(tried: dict[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that tests share is tried out by one process, and not by one for each answer."""
    really = trial.try_out

    def try_out(folder: Path) -> str:
        place = folder.resolve()
        if place not in tried:
            tried[place] = really(folder)
        return tried[place]

    monkeypatch.setattr(trial, "try_out", try_out)


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest batches that there are."""
    monkeypatch.setattr(batches, "TIMES", 1)


@pytest.fixture
def rows(away: Path) -> pl.DataFrame:
    """Rows in a file of each format."""
    frame = customers(ROWS, seed=7).drop("churned")
    frame.write_csv("rows.csv")
    frame.write_csv("rows.tsv", separator="\t")
    frame.write_parquet("rows.parquet")
    frame.write_json("rows.json")
    frame.write_ndjson("rows.ndjson")
    return frame


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "times", [2, pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.slow)]
)
def test_the_answers_are_those_of_the_whole_file(
    name: str, times: int, table_made: Made, rows: pl.DataFrame, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "TIMES", times)
    expected = table_made.run.predict(name)
    said = command("predict", str(table_made.run.path), name, "-o", "answers.parquet", "--json")
    assert pl.read_parquet("answers.parquet").equals(expected)
    assert expected.equals(table_made.run.predict(rows))
    whole = table_made.run.warnings(table_made.run.columns(name))
    assert said.json == {
        "answers": str(Path("answers.parquet").absolute()),
        "rows": ROWS,
        "warnings": whole,
        "run": str(table_made.run.path),
    }
    assert whole


@pytest.mark.usefixtures("few_at_once", "rows")
@pytest.mark.parametrize(
    "output",
    [
        "answers.csv",
        *(pytest.param(f"answers.{each}", marks=pytest.mark.slow) for each in ("tsv", "ndjson", "parquet")),
    ],
)
def test_a_bundle_answers_as_its_run(output: str, table_made: Made, command: Command) -> None:
    expected = table_made.run.predict("rows.csv")
    bundle = table_made.bundle
    name = bundle.tag.partition(":")[0]
    newest = find(name)[0]  # which another test may have made of the same run
    for what, answering in ((bundle.tag, bundle.tag), (name, newest), (str(bundle.path), str(bundle.path))):
        said = command("predict", what, "rows.csv", "-o", output, "--json")
        assert said.code == 0, said.err
        assert said.json["bundle"] == answering
        found = read_frame(output).cast({"probability_yes": pl.Float64})
        assert found["prediction"].equals(expected["prediction"])
        assert (found["probability_yes"] - expected["probability_yes"]).abs().max() < 1e-5  # type: ignore[operator]


KINDS: list[Any] = ["sequence_made"]
KINDS += [pytest.param(kind, marks=pytest.mark.slow) for kind in ("vector_made", "digits_made", "text_made")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_bundle(kind: str, request: pytest.FixtureRequest, command: Command) -> None:
    made: Made = request.getfixturevalue(kind)
    found, _ = runcard.tested_rows(made.run.path)
    Path("rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in found))
    for what in (str(made.run.path), made.bundle.tag):
        said = command("predict", what, "rows.ndjson", "-o", "answers.parquet")
        assert said.code == 0, said.err
        answers = pl.read_parquet("answers.parquet")["prediction"]
        assert answers.equals(made.run.predict("rows.ndjson")["prediction"])


def test_a_bundle_needs_no_torch_and_reads_as_its_run_did(away: Path, command: Command, installed: Command) -> None:
    rows = customers(200).with_columns(city=pl.col("city").fill_null("?"))
    rows.write_csv("rows.csv", separator=";")
    reading = ["data.separator=';'", "data.null_values=['', '?']", "data.kinds={customer: ignore}"]
    words = ["fit", "data=table", "data.path=rows.csv", "problem.target=churned", "report=false", *reading]
    run = command(*words, "trainer.max_epochs=2", "--json").json["run"]
    path = command("package", "--no-http", run, "--json").json["path"]
    script = "import sys\nfrom runcard.cli.main import run\nassert run(sys.argv[1:]) == 0\n"
    script += "print(sorted({'torch', 'pytorch_lightning', 'hydra', 'optuna'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", path, "rows.csv"], capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "city" not in done.stdout  # a gap is no city that was never seen
    assert read_frame("answers.csv")["prediction"].equals(runcard.load_run(run).predict("rows.csv")["prediction"])


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize("output", ["answers.csv", "answers.parquet"])
@pytest.mark.parametrize(
    ("column", "value", "message"), [("age", "old", "'old' is none (row 1500)"), ("member", "2", "row 1500")]
)
def test_a_wrong_row_in_the_middle(
    output: str, column: str, value: str, message: str, rows: pl.DataFrame, table_made: Made, command: Command
) -> None:
    texts = rows[column].cast(pl.String).to_list()
    texts[1499] = value
    rows.with_columns(pl.Series(column, texts)).write_csv("rows.csv")
    before = {path.name for path in Path.cwd().iterdir()}
    for what in (str(table_made.run.path), table_made.bundle.tag):
        said = command("predict", what, "rows.csv", "-o", output)
        assert (said.code, message in said.err) == (4, True), said.err
        assert {path.name for path in Path.cwd().iterdir()} == before


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("output", ["answers.csv", pytest.param("answers.parquet", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("signum", "code"), [(15, 143), pytest.param(2, 130, marks=pytest.mark.slow)])
def test_a_signal_leaves_what_was_there(output: str, signum: int, code: int, table_made: Made) -> None:
    Path(output).write_text("before")
    before = {path.name for path in Path.cwd().iterdir()}
    words = ["predict", str(table_made.bundle.path), "rows.csv", "-o", output]
    command = [sys.executable, "-c", STOPPED, str(signum), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert {path.name for path in Path.cwd().iterdir()} == before
    assert Path(output).read_text() == "before"


@pytest.mark.usefixtures("rows")
@pytest.mark.slow
def test_a_bar_on_a_terminal_and_nothing_of_it_elsewhere(table_made: Made, command: Command) -> None:
    words = ["predict", str(table_made.bundle.path), "rows.csv"]
    bar, none = map(without_codes, each_in_terminal(words, [*words, "--json"]))
    assert f"{ROWS:,} rows, " in bar
    assert f"{ROWS} answers in" in bar
    assert f'"rows": {ROWS}' in none
    assert " a second" not in none
    said = command(*words)
    assert (said.err, " a second" in said.out) == ("", False)


def test_rows_without_any(table_made: Made, command: Command) -> None:
    customers(1)[:0].write_csv("none.csv")
    for output in ("answers.csv", "answers.parquet"):
        assert command("predict", table_made.bundle.tag, "none.csv", "-o", output, "--json").json["rows"] == 0
        assert read_frame(output).columns == ["prediction", "probability_no", "probability_yes"]


def a_changed_bundle(made: Made) -> list[str]:
    shutil.copytree(made.bundle.path, "copy")
    Path("copy/card.yaml").write_text("name: x\n")
    return ["copy", "rows.csv"]


def half_a_bundle(made: Made) -> list[str]:
    shutil.copytree(made.bundle.path, "copy")
    Path("copy/manifest.json").unlink()
    return ["copy", "rows.csv"]


WRONG: dict[str, tuple[Any, str]] = {
    "neither run nor bundle": (lambda made: ["nowhere:1", "rows.csv"], "there is no bundle nowhere:1"),
    "no folder": (lambda made: ["no/where", "rows.csv"], "there is no folder"),
    "changed": (a_changed_bundle, "card.yaml is not what was packaged"),
    "half": (half_a_bundle, "manifest.json or manifest.sha256 is not what was packaged"),
}


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_answer(case: str, table_made: Made, command: Command) -> None:
    words, message = WRONG[case]
    said = command("predict", *words(table_made))
    assert (said.code, message in said.err) == (2, True), said.err
    assert not list(Path.cwd().glob("answers*"))


def test_a_folder_that_is_called_like_a_bundle_hides_none(
    command: Command, table_made: Made, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, name = table_made.bundle, table_made.bundle.tag.partition(":")[0]
    # Of this name other tests have made bundles too, and a newer one may be of other rows.
    monkeypatch.setattr(store, "find", lambda what: (made.tag, made.path) if what == name else find(what))
    (away / name).mkdir()
    (away / name / "__init__.py").touch()
    customers(20).write_csv("rows.csv")
    said = command("predict", table_made.bundle.tag, "rows.csv", "-o", "expected.csv", "--json")
    assert said.code == 0, said.err
    said = command("predict", name, "rows.csv", "-o", "answers.csv", "--json")
    assert said.code == 0, said.err
    assert said.json["bundle"].startswith(f"{name}:")
    (away / "empty").mkdir()
    said = command("predict", "empty", "rows.csv")
    assert said.code == 2
    assert f"{away}/empty is no run folder: it holds no card.yaml, and there is no bundle empty" in said.err
