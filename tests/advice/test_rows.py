"""Advice on files of rows: each is given by the command, typed, and leads on to where training begins."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from runcard.advice import advise
from runcard.card.advice import write_override, write_setting
from runcard.card.interpolate import fill_in
from runcard.card.overrides import parse_overrides
from runcard.errors import Mistake
from tests.advice.trying import Case, each_fifth, named, try_case
from tests.conftest import Command

FIT = "fit data=table data.path=rows.csv problem.target=y"
INIT = "init mine --data rows.csv --target y"
AT = "data.looking."


def rows(*lines: str, header: str = "x,y", times: int = 10) -> dict[str, str | bytes | None]:
    """Files with lines of rows, all of them so many times; after ``+`` once, at the end."""
    often = [line for line in lines if not line.startswith("+")]
    once = [line[1:] for line in lines if line.startswith("+")]
    return {"rows.csv": "\n".join([header, *often * times, *once]) + "\n"}


def parquet(columns: dict[str, list[Any]]) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


NUMBERS = [f"{number},{number}.5" for number in range(40)]
SLIP = rows(*[f"{n}.5,{n % 7},{'ab'[n % 2]}" for n in range(40)], "+n.k.,3,a", header="x,z,y", times=1)
CASES = [
    Case([f"{AT}lacking: data.rare_classes=drop"], FIT, rows("1,a", "2,b", "+3,c"), trains=True),
    Case(
        [f"{AT}lacking: data.rare_classes=drop", f"{AT}lacking: data.rare_classes=merge"],
        FIT,
        rows("1,a", "2,b", "+3,c", "+4,d"),
        trains=True,
    ),
    Case([f"{AT}lacking: data.rare_classes=merge"], FIT, rows("1,a", "+3,c", "+4,d"), trains=True),
    Case(
        [f"{AT}lacking: data.rare_classes=drop (2)"],
        f"{FIT} data.rare_classes=merge",
        rows("1,a", "2,b", "+3,c"),
        trains=True,
    ),
    Case(
        [f"{AT}target: problem.task=classification"],
        "fit data=table data.path=rows.parquet problem.target=y problem.task=regression",
        {"rows.parquet": parquet({"x": [1.5, 2.5] * 10, "y": [True, False] * 10})},
        trains=True,
    ),
    Case([f"{AT}target: problem.task=classification (2)"], FIT, rows("1,2024-01-01", "2,2024-02-01"), trains=True),
    Case(
        [f"{AT}target: data.missing_target=drop"],
        f"{FIT} problem.task=regression",
        rows(*NUMBERS, "+3,1e999", times=1),
        mended=rows(*NUMBERS, "+3,", times=1),
        trains=True,
    ),
    Case(
        [f"{AT}target: problem.task=classification (3)"],
        f"{FIT} problem.task=regression",
        rows("1,a", "2,b"),
        trains=True,
    ),
    Case([f"{AT}target: data.missing_target=drop (2)"], FIT, rows("1,a", "2,b", "+3,"), trains=True),
    Case(
        [f"{AT}words: model=pretrained"],
        "init mine --data rows.csv --target y",
        {"rows.csv": "x,y\n" + "".join(f"word {n} is what this row says of it,{'ab'[n % 2]}\n" for n in range(60))},
        onto="check data=table data.path=rows.csv problem.target=y",
        also="model.name=a/b 'data.kinds={x: text}'",
    ),
    Case([f"{AT}written: *missing", f"{AT}written: write_setting('data.kinds', name, kind)"], FIT, SLIP, trains=True),
    Case(
        [f"{AT}written: *missing", f"{AT}written: problem.task=classification"],
        FIT,
        rows(*[f"{n},{n % 8}" for n in range(60)], "+1,n.k.", "+2,n.k.", times=1),
        trains=True,
    ),
    Case(
        [f"{AT}written: write_setting('data.formats', name, str(form))"],
        f"{FIT} data.decimal='\".\"'",
        rows('"1,5",a', '"2,25",b'),
        trains=True,
    ),
    Case(
        [f"{AT}written: write_setting('data.formats', name, str(form)) (2)"],
        FIT,
        rows('"1,234",a', '"2,345",b'),
        trains=True,
    ),
    Case(
        [f"{AT}columns: write_setting('data.formats', name, '1.234,5')"],
        INIT,
        rows("1.234,a", "2.345,b"),
        onto=FIT,
        trains=True,
    ),
    Case(
        [f"{AT}resembling: *ways"],
        INIT,
        rows(*[f"{n}kg,{'ab'[n % 2]}" for n in range(40)], times=1),
        onto=FIT,
        trains=True,
    ),
    Case(
        ["data.reading.careful: *words"],
        FIT,
        rows("1,2,a", "2,3,b", "+3,4", header="x,z,y"),
        then="data.missing_target",
    ),
    Case(["data.reading.careful: *words"], INIT, rows("1,2,a", "2,3,b", "+3,4", header="x,z,y")),
    Case(
        ["data.reading.careful: *words (2)"],
        FIT,
        {"rows.csv": b"x,y\n" + "é,1\nü,2\n".encode("cp1252") * 10},
        trains=True,
    ),
    Case(["data.reading.careful: *words (2)"], INIT, {"rows.csv": b"x,y\n" + "é,a\nü,b\n".encode("cp1252") * 10}),
    Case(["data.survey: --target COLUMN"], "init mine --data rows.csv", rows("1,a", "2,b"), {"COLUMN": "y"}),
    Case(
        ["data.survey: runcard fit data=table *words"],
        "init mine --data 'my rows.csv' --target 'y '",
        {"my rows.csv": "x,y \n" + "one,a\none,b\n" * 10},
        trains=True,
    ),
    Case(["data.table: write_override('data.separator', other)"], FIT, rows("1;a", "2;b", header="x;y"), trains=True),
    Case(
        ["data.table: write_override('data.separator', other)"], FIT, rows("1\ta", "2\tb", header="x\ty"), trains=True
    ),
    Case(["data.table: write_override('data.separator', other)"], FIT, rows("1|a", "2|b", header="x|y"), trains=True),
    Case(
        ["data.table: write_override('data.separator', other)"],
        f"{FIT} data.separator=;",
        rows("1,a", "2,b"),
        trains=True,
    ),
    Case(
        ["data.table: write_setting('data.kinds', name, 'number')"],
        f"{FIT} data.kinds='{{x: category}}' data.formats='{{x: \"1.234,5\"}}'",
        rows('"1,5",a', '"2,25",b'),
        trains=True,
    ),
    Case(
        ["data.truth: problem.task=regression"],
        f"{FIT} problem.task=classification",
        rows(*NUMBERS, times=1),
        trains=True,
    ),
]


@pytest.mark.parametrize("case", each_fifth(CASES), ids=named)
def test_advice_on_rows_leads_on(case: Case, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    try_case(case, command, monkeypatch)


NAMES = [
    "x",
    " x",
    " y  z ",
    "it's",
    'say "x"',
    "a,b",
    "$HOME",
    "a=b",
    "Größe (cm)",
    "{x: y}",
    "${x}",
    "null",
    "*",
    "x#y",
]
NAMES += [" ${x} ", "\\${x}", "a\\b", "x\\", 'a\\"b', "tab\tx"]
# With all that a shell, Hydra's grammar, YAML or a reference would take for something else.
ODD = [" x ", """it's {"${x}": $y}, ü=\\\\ """]


@pytest.mark.parametrize("name", NAMES)
def test_words_are_read_as_they_were_meant(name: str) -> None:
    words = {
        write_override("key", name): name,
        write_setting("key", name, name): {name: name},
        write_setting("key", "plain", [name, "x"]): {"plain": [name, "x"]},
    }
    for word, meant in words.items():
        mistakes: list[Mistake] = []
        (read,) = parse_overrides(shlex.split(advise(word)), mistakes)
        assert fill_in({"key": read.value}, {}).values["key"] == meant
        assert not mistakes


@pytest.mark.parametrize("name", ODD)
def test_advice_on_odd_names_leads_on(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    often = [[f"{n}.5", n % 7, "ab"[n % 2]] for n in range(40)]
    csv.writer(text).writerows([[name, "z", "y"], *often, ["n.k.", 3, "a"]])
    Path("rows.csv").write_text(text.getvalue(), encoding="utf-8")
    kinds = [f"{AT}written: *missing", f"{AT}written: write_setting('data.kinds', name, kind)"]
    try_case(Case(kinds, FIT, trains=True), command, monkeypatch)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_target_is_offered_as_it_is_typed(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["first", f" {name} "], ["1", "a"]])
    Path("rows.csv").write_text(text.getvalue(), encoding="utf-8")
    wrong = write_override("problem.target", name.strip())
    line = shlex.join(["check", "data=table", "data.path=rows.csv", wrong])
    try_case(Case(["card.advice: write_override(key, near)"], line), command, monkeypatch)
