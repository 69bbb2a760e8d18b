"""Tables: guessed kinds, chosen kinds, and rows that cannot be learned from."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from runcard.data.dataset import prepare, restore
from runcard.data.frames import NULL_VALUES, read_frame, write_frame
from runcard.data.table import KindOrIgnore, Table, guess_kind
from runcard.errors import CardError, DataError
from tests.conftest import customers


def table(path: str | Path, **kinds: KindOrIgnore) -> Table:
    return Table(str(path), kinds, ",", NULL_VALUES)


def write(text: str, name: str = "rows.csv") -> Path:
    Path(name).write_text(text)
    return Path(name)


def test_kinds_are_guessed(table_path: Path) -> None:
    rows = table(table_path).read("churned", "auto")
    assert rows.kinds == {"age": "number", "city": "category", "member": "boolean", "spent": "number"}
    assert (rows.task, rows.classes) == ("classification", ("no", "yes"))
    assert "'customer' is left out: 300 different texts" in rows.notes[0]


@pytest.fixture
def table_path(table: Path) -> Path:
    return table


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.tsv", "rows.ndjson"])
def test_every_format_gives_the_same_rows(name: str) -> None:
    frame = customers(50)
    Path(name).write_bytes(write_frame(frame, Path(name)))
    rows = table(name).read("churned", "auto")
    expected = frame["age"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    np.testing.assert_array_equal(rows.columns["age"], expected)
    assert rows.columns["city"].tolist() == frame["city"].to_list()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 5, 9], "number"),
        ([1.5, None, 2.5], "number"),
        ([True, False, None], "boolean"),
        (["yes", "no", "yes"], "boolean"),
        (["TRUE", "false", None], "boolean"),
        (["a", "b", "a"], "category"),
        ([None, None], "ignore"),
        (["a", "a"], "ignore"),
        ([7, 7, 7], "ignore"),
        ([f"text {i}" for i in range(200)], "ignore"),
        ([datetime.date(2026, 1, day) for day in (1, 2, 3)], "ignore"),
    ],
)
def test_guess(values: list[object], kind: str) -> None:
    assert guess_kind(pl.Series("x", values))[0] == kind


def test_row_numbers_are_left_out_by_name_and_content() -> None:
    assert guess_kind(pl.Series("id", range(10)))[0] == "ignore"
    assert guess_kind(pl.Series("id", [3, 9, 1]))[0] == "number"
    assert guess_kind(pl.Series("hour", range(10)))[0] == "number"


def test_chosen_kinds_win() -> None:
    path = write("zip,on,y\n53111,1,2.5\n50667,0,3.5\n53111,1,1.5\n")
    rows = table(path, zip="category", on="boolean").read("y", "auto")
    assert rows.columns["zip"].tolist() == ["53111", "50667", "53111"]
    assert rows.columns["on"].tolist() == [1, 0, 1]
    assert "zip" not in table(path, zip="ignore").read("y", "auto").kinds


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["b", "a", "b", "a"], "classification", ("a", "b")),
        ([2, 10, 2, 10], "classification", ("2", "10")),
        ([True, False, True, False], "classification", ("false", "true")),
        ([1.5, 2.5, 3.5, 1.5], "regression", ()),
        (list(range(50)), "regression", ()),
    ],
)
def test_task_is_settled_by_the_target(values: list[object], task: str, classes: tuple[str, ...]) -> None:
    pl.DataFrame({"x": np.random.default_rng(0).random(len(values)), "y": values}).write_parquet("rows.parquet")
    rows = table("rows.parquet").read("y", "auto")
    assert (rows.task, rows.classes) == (task, classes)


BAD = {
    "empty": ("", "rows.csv is empty"),
    "header only": ("x,y\n", "a header and no rows"),
    "gap in target": ("x,y\n1,a\n2,\n3,b\n", r"missing in 1 of 3 rows \(row 2\)"),
    "NaN in target": ("x,y\n1,2.5\n2,NaN\n3,3.5\n", r"missing in 1 of 3 rows \(row 2\)"),
    "infinite": ("x,y\n1,2.5\n2,inf\n3,3.5\n", "infinite in row 2"),
    "one class": ("x,y\n1,a\n2,a\n3,a\n", "'a' in every row"),
    "all classes": ("x,y\n1,a\n2,b\n3,c\n", "3 classes in 3 rows"),
    "no features": ("y\na\nb\na\nb\n", "no column to learn from"),
    "constant feature": ("x,y\n1,a\n1,b\n1,a\n1,b\n", "no column to learn from.*the same in every row"),
    "ragged": ("x,y\n1,2,3\n", r"cannot read rows\.csv"),
    "column twice": ("x,x,y\n1,2,3\n", "a column twice: 'x'"),
}


@pytest.mark.parametrize("case", BAD)
def test_rows_that_cannot_be_learned_from(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(DataError, match=message):
        table(write(text)).read("y", "auto")


def test_files_that_are_none() -> None:
    Path("folder.csv").mkdir()
    write("x", "rows.xls")
    write("PAR1", "rows.parquet")
    Path("latin.csv").write_bytes("stadt,y\nKöln,1\n".encode("latin-1"))
    for name, message in {
        "nowhere.csv": "there is no file nowhere.csv",
        "folder.csv": "is a folder",
        "rows.xls": r"end in \.csv",
        "rows.parquet": "cannot read",
        "latin.csv": "cannot read",
    }.items():
        with pytest.raises(DataError, match=message):
            table(name).read("y", "auto")


def test_a_text_among_numbers_is_named() -> None:
    path = write("x,y\n1,a\nmany,b\n3,a\n4,b\n")
    with pytest.raises(DataError, match="'x' must hold numbers; 'many' is none"):
        table(path, x="number").read("y", "auto")


def test_columns_that_are_not_there_are_all_named_with_the_nearest(table: Path) -> None:
    wrong = Table(str(table), {"ctiy": "category"}, ",", NULL_VALUES)
    with pytest.raises(CardError) as caught:
        wrong.read("churnd", "auto")
    keys = {mistake.key: mistake.hint for mistake in caught.value.mistakes}
    assert keys == {"problem.target": "Did you mean churned?", "data.kinds.ctiy": "Did you mean city?"}


def test_only_the_header_is_read_to_check_columns() -> None:
    path = write("x,y\n" + "1,a\n" * 10 + "broken,line,here\n")
    table(path).check_columns("y")
    with pytest.raises(DataError):
        read_frame(path)


def test_changed_data_is_noticed(table_path: Path) -> None:
    source = table(table_path)
    data = prepare(source, target="churned", task="auto", seed=0, validation=0.2, test=0.2)
    again = restore(source, data.to_dict(), data.split.labels(), target="churned")
    np.testing.assert_array_equal(again.inputs("test"), data.inputs("test"))
    table_path.write_text(table_path.read_text() + "C9,44.0,Ulm,true,1.0,no\n")
    with pytest.raises(DataError, match="the data has changed since the run"):
        restore(source, data.to_dict(), data.split.labels(), target="churned")


def test_too_few_rows_and_the_wrong_task() -> None:
    path = write("x,y\n" + "1,a\n2,b\n" * 4)
    with pytest.raises(DataError, match="8 rows are too few"):
        prepare(table(path), target="y", task="auto", seed=0, validation=0.2, test=0.2)
    with pytest.raises(DataError, match="must hold numbers"):
        prepare(table(path), target="y", task="regression", seed=0, validation=0.2, test=0.2)
