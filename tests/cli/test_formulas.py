"""Labels that a spreadsheet would run: quoted in a file of answers, said, and left where that is asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from runcard.data.output import quote_formulas
from tests.conftest import TINY, Command

LABELS = ["=HYPERLINK(1)", "-1"]


def test_labels_like_formulas_are_quoted_unless_they_are_wanted(command: Command) -> None:
    lines = "".join(f"{i % 2 * 50},{LABELS[i % 2]}\n" for i in range(60))
    Path("rows.csv").write_text("x,y\n" + lines)
    words = ["data=table", "data.path=rows.csv", "problem.target=y", "model=linear", "optimizer.lr=0.1", *TINY[1:]]
    run = command("fit", *words, "trainer.max_epochs=20", "--json").json["run"]
    done = command("predict", run, "rows.csv", "-o", "o.csv")
    answers = [row["prediction"] for row in csv.DictReader(Path("o.csv").read_text().splitlines())]
    assert {*answers} == {"'=HYPERLINK(1)", "-1"}, "a number stays one"
    count = answers.count("'=HYPERLINK(1)")
    assert (
        f"{count} answers begin as a spreadsheet's formula does: ' stands before them; --raw leaves them"
        in done.err + done.out
    )
    assert "--raw" not in (raw := command("predict", run, "rows.csv", "-o", "raw.csv", "--raw")).err + raw.out
    assert {row["prediction"] for row in csv.DictReader(Path("raw.csv").read_text().splitlines())} == {*LABELS}
    command("predict", run, "rows.csv", "-o", "o.parquet")
    assert {*pl.read_parquet("o.parquet")["prediction"]} == {*LABELS}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("-", "'-"),
        ("-1.5e3", "-1.5e3"),
        ("+.5", "+.5"),
        ("1=1", "1=1"),
        ("", ""),
        (None, None),
    ],
)
def test_what_is_a_formula(text: str | None, written: str | None) -> None:
    frame, count = quote_formulas(pl.DataFrame({"prediction": [text, "plain"], "p": [0.5, -0.5]}))
    assert frame["prediction"].to_list() == [written, "plain"]
    assert (count, frame["p"].to_list()) == (int(text != written), [0.5, -0.5])
