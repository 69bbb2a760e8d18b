"""Tables: guessed kinds, chosen kinds, and rows that cannot be learned from."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcard
from runcard.data.dataset import load_dataset, restore
from runcard.data.looking.columns import look_at
from runcard.data.looking.look import KindOrIgnore
from runcard.data.looking.seen import Habits, see
from runcard.data.output import writing_frames
from runcard.data.reading.frames import column_names, read_frame
from runcard.data.reading.layout import NULL_VALUES
from runcard.data.signature import Feature, Signature, Target
from runcard.data.split import labels_to_parquet
from runcard.data.table import Table
from runcard.data.values import columns_of, text_values, values_of
from runcard.errors import CardError, DataError, RunError
from tests.conftest import customers


def table(path: str | Path, **kinds: KindOrIgnore) -> Table:
    return Table(str(path), kinds, ",", NULL_VALUES)


def write(text: str, name: str = "rows.csv") -> Path:
    Path(name).write_text(text)
    return Path(name)


def written(frame: pl.DataFrame, name: str) -> None:
    with writing_frames(Path(name)) as write_table:
        write_table(frame)


def test_kinds_are_guessed(table_path: Path) -> None:
    rows = table(table_path).read("churned", "auto")
    assert rows.kinds == {"age": "number", "city": "category", "member": "boolean", "spent": "number"}
    assert (rows.task, rows.classes) == ("classification", ("no", "yes"))
    assert rows.notes[:2] == (
        "kinds guessed from the values (data.kinds says otherwise): left out: 'customer'; number: 'age', 'spent'; "
        "category: 'city'; boolean: 'member'",
        "column 'customer' is left out: a different text in every row, as names and identifiers are; name its kind in "
        "data.kinds to keep it",
    )


CELLS = {
    "number": ["1.5", "-2", "1e3", "007"],
    "boolean": ["true", "No", "1", "0.0"],
    "category": ["a", "1.0", "", "ä"],
}


@given(st.data())
def test_places_in_a_list_of_texts_are_read_as_the_texts(data: st.DataObject) -> None:
    kind: Any = data.draw(st.sampled_from(sorted(CELLS)))
    wrong = data.draw(st.sampled_from([[], ["x"]]))
    texts = data.draw(st.lists(st.sampled_from([*CELLS[kind], None, *wrong]), max_size=20))
    plain = pl.Series("a", texts, dtype=pl.String)
    dtype: Any = data.draw(st.sampled_from([pl.Categorical, pl.Enum(["unused", *CELLS[kind], "x"])]))
    listed = plain.cast(dtype)

    def read(column: pl.Series) -> Any:
        try:
            return values_of(column, kind).tolist()
        except DataError as error:
            return str(error)

    assert repr(read(listed)) == repr(read(plain))


@pytest.fixture
def table_path(table: Path) -> Path:
    return table


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.tsv", "rows.ndjson"])
def test_every_format_gives_the_same_rows(name: str) -> None:
    frame = customers(50)
    written(frame, name)
    rows = table(name).read("churned", "auto")
    expected = frame["age"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    np.testing.assert_array_equal(rows.columns["age"], expected)
    assert rows.columns["city"].tolist() == frame["city"].to_list()


def guess(name: str, values: Iterable[object]) -> KindOrIgnore:
    return look_at(see(pl.Series(name, values), Habits()), Habits()).kind


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
    assert guess("x", values) == kind


def test_row_numbers_are_left_out_by_name_and_content() -> None:
    assert guess("id", range(10)) == "ignore"
    assert guess("id", [3, 9, 1]) == "number"
    assert guess("hour", range(10)) == "number"


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
        ([0.0, 1.0, 0.0, 1.0], "classification", ("0", "1")),
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
    "ragged": ("x,y\n1,2,3\n", r"rows\.csv, line 2: it has 3 fields, and the header has 2"),
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
        "latin.csv": "line 2: it is not UTF-8",
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
    card = runcard.load_card(["data=table", f"data.path={table_path}", "problem.target=churned"])
    data = load_dataset(card)
    kept, wrong = table_path.with_name("split.parquet"), table_path.with_name("wrong.parquet")
    kept.write_bytes(labels_to_parquet(data.split))
    again = restore(card, data.to_dict(), kept)
    np.testing.assert_array_equal(again.inputs("test"), data.inputs("test"))
    pl.read_parquet(kept).with_columns(pl.col("part").reverse()).write_parquet(wrong)
    with pytest.raises(RunError, match="does not match the hash"):
        restore(card, data.to_dict(), wrong)
    with pytest.raises(RunError, match=r"data\.json is damaged"):
        restore(card, {**data.to_dict(), "signature": {}}, kept)
    table_path.write_text(table_path.read_text() + "C9,44.0,Ulm,true,1.0,no\n")
    with pytest.raises(DataError, match="the data has changed since the run"):
        restore(card, data.to_dict(), kept)


@pytest.mark.parametrize(
    ("rows", "overrides", "error"),
    [
        ("1,a\n2,b\n" * 4, [], "8 rows are too few"),
        (
            "1,a\n2,b\n" * 9,
            ["problem.task=regression", "problem.metric=r2"],
            "problem.task is regression, and the target 'y' must hold numbers; 'a', 'b' is none",
        ),
        ("1,5.5\n2,5.5\n" * 9, ["problem.task=regression", "problem.metric=r2"], "is 5.5 in every row"),
    ],
)
def test_cards_that_ask_too_much(rows: str, overrides: list[str], error: str) -> None:
    write("x,y\n" + rows)
    with pytest.raises(DataError, match=error):
        load_dataset(runcard.load_card(["data=table", "data.path=rows.csv", "problem.target=y", *overrides]))


def test_codes_stay_texts() -> None:
    lines = "01067,2020-01-01 10:00:00,007\n53111,2020-01-02 11:00:00,08\n99999,x,1\n"
    rows = table(write(f"zip,when,y\n{lines * 3}"), zip="category", when="category").read("y", "auto")
    assert rows.columns["zip"][:3].tolist() == ["01067", "53111", "99999"]
    assert rows.columns["when"][0] == "2020-01-01 10:00:00"
    assert rows.classes == ("1", "007", "08")


def test_a_number_as_text_does_not_depend_on_its_neighbours() -> None:
    column = pl.Series("x", [1.0, 2.5, None, 1e20, float("nan")])
    assert text_values(column).tolist() == ["1", "2.5", None, "1e+20", None]
    assert text_values(column[:1]).tolist() == ["1"]


def test_values_late_in_a_file_are_read_as_they_are() -> None:
    lines = [{"x": 0, "y": "a"}, {"x": 1, "y": "b"}] * 100 + [{"x": 0.9, "y": "a"}, {"x": -0.9, "y": "b"}]
    for name in ("rows.csv", "rows.ndjson"):
        written(pl.DataFrame(lines, infer_schema_length=None), name)
    Path("rows.json").write_text(json.dumps(lines))
    Path("rows.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("rows.csv", "rows.ndjson", "rows.json"):
        assert table(name).read("y", "auto").columns["x"][-2:].tolist() == [0.9, -0.9], name


def test_the_order_of_classes_is_one_order() -> None:
    names = "{'nan', '10', '9', 'inf', 'a', 'NaN'}"
    script = f"from runcard.data.truth import _class_order; print(sorted({names}, key=_class_order))"
    command = [sys.executable, "-c", script]
    runs = [
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=60)
        for seed in "1234"
    ]
    assert {run.stdout for run in runs} == {"['9', '10', 'NaN', 'a', 'inf', 'nan']\n"}


def test_names_that_look_like_marks() -> None:
    Path("rows[1].csv").write_text("is_duplicated_row,x_duplicated_0,y\n1,2,a\n2,3,b\n3,2,a\n1,1,b\n")
    rows = table("rows[1].csv").read("y", "auto")
    assert list(rows.kinds) == ["is_duplicated_row", "x_duplicated_0"]


def test_another_separator_is_suspected() -> None:
    with pytest.raises(CardError, match=r"Say 'data\.separator=\";\"'"):
        table(write("x;y\n1;a\n")).check_columns("y")


def test_codes_are_noted() -> None:
    rows = table(write("zip,y\n" + "01067,a\n53111,b\n99999,a\n10115,b\n" * 3)).read("y", "auto")
    assert rows.kinds == {"zip": "category"}
    assert any("numbers with leading zeros" in note for note in rows.notes)


def test_marks_of_other_systems(away: Path) -> None:
    plain = "größe,y\n1.5,a\n2.5,b\n"
    Path("plain.csv").write_text(plain, encoding="utf-8")
    Path("bom.csv").write_text(plain, encoding="utf-8-sig")
    Path("windows.csv").write_bytes(plain.replace("\n", "\r\n").encode())
    Path("quoted.csv").write_text('"größe",y\n"1.5","a"\n2.5,b\n', encoding="utf-8")
    expected = read_frame("plain.csv")
    for name in ("bom.csv", "windows.csv", "quoted.csv"):
        assert read_frame(name).equals(expected), name
        assert column_names(name) == ["größe", "y"], name


def test_numbers_and_texts_in_one_column_are_noted() -> None:
    path = write("x,y\n" + "".join(f"{'no' if i % 7 == 0 else i % 30},{'ab'[i % 2]}\n" for i in range(90)))
    rows = table(path).read("y", "auto")
    assert rows.kinds == {"x": "category"}
    assert "column 'x' is taken for a category: 77 of 90 values are numbers, not 'no' (row 1)" in rows.notes


@pytest.mark.parametrize("values", [[[1, 2]] * 4, [{"a": 1}] * 4, [b"x"] * 4, [datetime.timedelta(1)] * 4])
def test_values_of_no_kind(values: list[object]) -> None:
    pl.DataFrame({"x": values, "z": [1, 2, 3, 4], "y": ["a", "b", "a", "b"]}).write_parquet("rows.parquet")
    assert list(table("rows.parquet").read("y", "auto").kinds) == ["z"]
    kinds: tuple[KindOrIgnore, ...] = ("number", "category", "boolean")
    for kind in kinds:
        with pytest.raises(DataError, match="cannot be a"):
            table("rows.parquet", x=kind).read("y", "auto")
    with pytest.raises(DataError, match="neither classes nor numbers"):
        table("rows.parquet").read("x", "auto")


def test_a_number_too_large_to_compute_with_is_named() -> None:
    with pytest.raises(DataError, match=r"'x' holds 1e\+300, more than can be computed with, in row 2"):
        table(write("x,y\n1,a\n1e300,b\n2,a\n3,b\n")).read("y", "auto")


def test_the_target_has_no_kind() -> None:
    with pytest.raises(CardError, match="this is the target"):
        table(write("x,y\n1,a\n2,b\n"), y="category").check_columns("y")


def test_a_category_that_is_given_as_a_number_is_found_by_its_value() -> None:
    features = (
        Feature("float", "category", categories=("0.1", "1.0", "2.0")),
        Feature("flag", "category", categories=("False", "True")),
        Feature("code", "category", categories=("01", "1")),
    )
    signature = Signature(features, Target("y", "regression"))
    rows = {"float": [1.0, 0.1, 7.0, None], "flag": [True, False, None, True], "code": [1, 1, 2, None]}
    for schema in ({"float": pl.Float64}, {"float": pl.Float32}):
        columns = columns_of(pl.DataFrame(rows, schema_overrides=schema), signature)
        assert columns["float"].tolist() == ["1.0", "0.1", "7", None]
        assert columns["flag"].tolist() == ["True", "False", None, "True"]
        assert columns["code"].tolist() == ["1", "1", "2", None]
    texts = columns_of(pl.DataFrame({"float": ["1"], "flag": ["true"], "code": ["01"]}), signature)
    assert [values.tolist() for values in texts.values()] == [["1"], ["true"], ["01"]]


def test_a_small_file_of_many_rows_is_not_read(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of one value takes no room in Parquet: 3 KB for a million rows, and 24 MB in memory."""
    rows = 1_000_000
    frame = pl.select(a=pl.repeat(1.5, rows), b=pl.repeat("p", rows))
    frame.write_parquet(away / "rows.parquet")
    assert (away / "rows.parquet").stat().st_size < 100_000
    assert read_frame(away / "rows.parquet").equals(frame)
    monkeypatch.setattr("runcard.data.reading.parquet.memory_bytes", lambda: 23_000_000)
    with pytest.raises(DataError, match=r"holds 1,000,000 rows, which take at least .* take fewer rows or columns"):
        read_frame(away / "rows.parquet")
