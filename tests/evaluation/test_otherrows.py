"""A run scored on a file of other rows, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import runcard
from tests.conftest import TINY, Command, Made, customers


@pytest.fixture
def test_rows(table_made: Made, away: Path) -> Path:
    """The run's test rows with their truth, as a file."""
    rows, truth = runcard.tested_rows(table_made.run.path)
    pl.DataFrame(rows).with_columns(pl.Series("churned", truth)).write_csv("test.csv")
    return away / "test.csv"


def test_its_own_test_rows_give_its_own_scores(table_made: Made, test_rows: Path, command: Command) -> None:
    before = {path: path.read_bytes() for path in table_made.run.path.rglob("*") if path.is_file()}
    said = command("evaluate", str(table_made.run.path), str(test_rows), "--json")
    assert said.code == 0, said.err
    expected = table_made.run.metrics
    assert said.json["metrics"] == {
        name.removeprefix("test/"): pytest.approx(value, abs=1e-6)
        for name, value in expected.items()
        if name.startswith("test/")
    }
    assert said.json["rows"] == len(runcard.tested_rows(table_made.run.path)[1])
    assert runcard.evaluate_rows(table_made.run.path, test_rows).metrics == said.json["metrics"]
    assert {path: path.read_bytes() for path in table_made.run.path.rglob("*") if path.is_file()} == before


def test_rows_without_a_truth_are_left_out_and_counted(table_made: Made, command: Command) -> None:
    customers(50, seed=5).with_columns(
        churned=pl.when(pl.int_range(50) % 10 == 0).then(None).otherwise("churned"), age=pl.lit(900.0)
    ).write_parquet("later.parquet")
    said = command("evaluate", str(table_made.run.path), "later.parquet")
    assert "on 45 rows of later.parquet, 5 without a truth left out\n" in said.out
    assert "warning: age: 45 of 45 rows outside" in said.out
    assert "  accuracy           0." in said.out


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_labels_are_found_as_the_run_wrote_them(suffix: str, table_made: Made, command: Command) -> None:
    frame = customers(40, seed=6)
    spaced = frame.with_columns(pl.col("churned") + " ")
    for name, rows in (("plain", frame), ("spaced", spaced)):
        rows.write_csv(f"{name}.csv") if suffix == "csv" else rows.write_ndjson(f"{name}.ndjson")
    plain, other = (
        command("evaluate", str(table_made.run.path), f"{name}.{suffix}", "--json").json for name in ("plain", "spaced")
    )
    assert plain["metrics"] == other["metrics"]
    assert plain["rows"] == 40


def test_numbers_with_a_gate(command: Command) -> None:
    run = command("fit", "data=diabetes", *TINY[:3], "problem.least_value=0.9", "--json").json["run"]
    rows, truth = runcard.tested_rows(run)
    frame = pl.DataFrame(rows).with_columns(pl.Series("progression", truth))
    frame.write_csv("test.csv")
    said = command("evaluate", run, "test.csv")
    assert said.code == 3
    assert "least acceptable   0.9000, NOT reached" in said.out
    r2 = json.loads(Path(run, "metrics.json").read_text())["test/r2"]
    said = command("evaluate", run, "test.csv", "--accept", "--json")
    assert (said.code, said.json["acceptable"]) == (0, False)
    assert said.json["metrics"]["r2"] == pytest.approx(r2, abs=1e-5)


def test_what_cannot_be_scored_is_refused_with_the_way(table_made: Made, command: Command) -> None:
    run = str(table_made.run.path)
    frame = customers(20)
    frame.drop("churned").write_csv("blind.csv")
    frame.with_columns(churned=pl.lit(None, dtype=pl.String)).write_csv("empty.csv")
    frame.with_columns(churned=pl.lit("maybe")).write_csv("other.csv")
    frame.drop("age").write_csv("narrow.csv")
    for words, says in (
        (["blind.csv"], "blind.csv has no column 'churned': the truth to compare the answers with"),
        (["empty.csv"], "empty.csv holds no row with a truth in 'churned'"),
        (["other.csv"], "the target 'churned' is 'maybe' in row 1, and the model's classes are 'no', 'yes'."),
        (["narrow.csv"], "the rows lack 1 of the model's 4 columns: 'age'"),
        (["nowhere.csv"], "there is no file nowhere.csv"),
        (["blind.csv", "data.path=empty.csv"], "data.path=empty.csv: a run is scored on one file at a time"),
    ):
        said = command("evaluate", run, *words)
        assert said.code != 0
        assert says in said.err
        assert "Traceback" not in said.err
