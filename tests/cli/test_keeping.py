"""Columns of the rows that stand before their answers: as they were written, in every format, or refused."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import TINY, Command


@pytest.fixture
def run(command: Command) -> str:
    """A small run, and rows with columns that it does not know."""
    lines = [f'{i:03},{i % 7},{"ab"[i % 3 > 0]},"n, {i}",{i % 7}.50\n' for i in range(60)]
    Path("rows.csv").write_text('id,x,y,"a, b",money\n' + "".join(lines))
    words = ["data=table", "data.path=rows.csv", "problem.target=y", "model=linear", *TINY]
    words += ['data.kinds={id: ignore, "a, b": ignore, money: ignore}']
    found: str = command("fit", *words, "--json").json["run"]
    return found


def test_columns_stand_before_the_answers_as_they_are_written(run: str, command: Command) -> None:
    assert command("predict", run, "rows.csv", "--keep", 'id,"a, b",x,money', "-o", "o.csv").code == 0
    head, *rows = csv.reader(Path("o.csv").read_text().splitlines())
    assert head[:5] == ["id", "a, b", "x", "money", "prediction"]
    assert rows[8][:4] == ["008", "n, 8", "1", "1.50"], "no zero is lost, no number made of a text"
    assert command("predict", run, "rows.csv", "-o", "plain.csv").code == 0
    plain = [*csv.reader(Path("plain.csv").read_text().splitlines())]
    assert [head[4:], *(row[4:] for row in rows)] == plain, "the answers are the same"


def test_other_formats_keep_their_types(run: str, command: Command) -> None:
    pl.DataFrame({"id": [7, 8], "x": [1.0, 2.0], "vector": [[1], [2]]}).write_parquet("rows.parquet")
    assert command("predict", run, "rows.parquet", "--keep", "id", "-o", "o.parquet").code == 0
    assert pl.read_parquet("o.parquet").columns[:2] == ["id", "prediction"]
    assert pl.read_parquet("o.parquet")["id"].to_list() == [7, 8]
    assert "--keep vector: it holds lists" in command("predict", run, "rows.parquet", "--keep", "vector").err


@pytest.mark.parametrize(
    ("keep", "said"), [("ident", "the rows have no such column"), ("prediction", "is called so too")]
)
def test_columns_that_cannot_be_kept_are_refused(keep: str, said: str, run: str, command: Command) -> None:
    Path("rows.csv").write_text("id,x,prediction\n1,2,3\n")
    done = command("predict", run, "rows.csv", "--keep", keep)
    assert (done.code, said in done.err) == (2, True), done.err
    assert not Path("answers.csv").exists()
