"""Files read batch by batch: every value is what it is when the whole file is read, wherever a batch ends."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcard.data.output import writing_frames
from runcard.data.reading import batches
from runcard.data.reading.batches import batch_rows, expected_rows, read_batches
from runcard.data.reading.frames import read_csv_text, read_frame
from runcard.data.reading.layout import PLAIN, Reading
from runcard.data.signature import Array, Feature, Signature, Target
from runcard.data.transforms import ANSWER_ROWS, rows_at_once
from runcard.data.values import as_written, columns_of
from runcard.errors import DataError, RunError
from tests.memory import WATCH

SIGNATURE = Signature(
    (
        Feature("size", "number"),
        Feature("code", "category", categories=("01067", "1.0", "a")),
        Feature("flag", "boolean"),
        Feature("note", "text"),
        Feature("place", "vector", shape=(2,)),
    ),
    Target("y", "regression"),
)
NAMES = as_written(SIGNATURE)
MB = 2**20
HANG_S = 300

GAPS = st.sampled_from(["", "NA", "NaN", "null"])
WRITTEN = {
    "size": st.sampled_from(["1", "-0", "007", "+5", "1e3", ".5", "9007199254740993", "0.30000000000000004"]) | GAPS,
    "code": st.sampled_from(["01067", "1067", "1", "1.0", "1.00", "2020-01-01", "a", " a", '"', "a,b;c\td"]) | GAPS,
    "flag": st.sampled_from(["true", "No", "YES", "1", "0", "1.0", "0.00", "-0"]) | GAPS,
    "note": st.text("ab01,;\t\"'\n\r é", max_size=8) | GAPS,
    "place": st.sampled_from(["[1, 2]", "[null, 0.5]", "[1e3, -1]"]) | GAPS,
    "other": st.sampled_from(["1", "x", "01", ""]),
}
VALUES = {
    "size": st.none() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9),
    "code": st.none() | st.sampled_from(["01067", "1", "a", 'say "a"', "two\nlines"]) | st.integers(0, 3),
    "flag": st.none() | st.booleans(),
    "note": st.none() | st.text('ab"\\\n é', max_size=8),
    "place": st.none() | st.lists(st.none() | st.integers(0, 9) | st.floats(-5, 5), min_size=2, max_size=2),
}
SIZES = (1, 2, 3, 7, 1000)


def lines(values: dict[str, Any], most: int = 20) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(values), max_size=most)


def write_csv(path: Path, rows: list[dict[str, str]], separator: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(WRITTEN), delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def assert_the_same(path: Path, reading: Reading = PLAIN) -> None:
    whole = columns_of(read_frame(path, reading), SIGNATURE)
    for size in SIZES:
        parts = list(read_batches(path, NAMES, size, reading))
        assert [part.height for part in parts[:-1]] == [size] * (len(parts) - 1)
        columns = [columns_of(part, SIGNATURE) for part in parts]
        for name, values in whole.items():
            assert_equal(np.concatenate([each[name] for each in columns]), values)


def assert_equal(found: Array, expected: Array) -> None:
    if expected.dtype == object:
        assert found.tolist() == expected.tolist()
    else:
        np.testing.assert_array_equal(found, expected)


SLOWLY = [pytest.param(name, mark, marks=pytest.mark.slow) for name, mark in (("rows.csv", ","), ("rows.tsv", "\t"))]


@pytest.mark.parametrize(("name", "separator"), [("rows.txt", ";"), *SLOWLY])
@given(rows=lines(WRITTEN))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts(name: str, separator: str, rows: list[dict[str, str]], away: Path) -> None:
    write_csv(away / name, rows, separator)
    assert_the_same(away / name, PLAIN if name == "rows.tsv" else Reading(separator))
    frame = read_frame(away / name, Reading(separator))
    assert read_csv_text((away / name).read_bytes(), Reading(separator)).equals(frame)


@pytest.mark.parametrize("name", ["rows.json", "rows.ndjson"])
@given(rows=lines(VALUES))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values(name: str, rows: list[dict[str, Any]], away: Path) -> None:
    if not rows:
        return
    text = "\n".join(map(json.dumps, rows)) + "\n"
    (away / name).write_text(text if name == "rows.ndjson" else json.dumps(rows))
    try:
        columns_of(read_frame(away / name), SIGNATURE)
    except DataError:  # polars knows no common type of 1 and [1]
        with pytest.raises(DataError):
            assert_the_same(away / name)
        return
    assert_the_same(away / name)


@given(rows=lines(VALUES | {"code": st.none() | st.sampled_from(["01067", "a", '"'])}))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parquet(rows: list[dict[str, Any]], away: Path) -> None:
    schema = {"size": pl.Float32, "code": pl.String, "flag": pl.Boolean, "note": pl.String}
    frame = pl.DataFrame(rows, schema=schema | {"place": pl.List(pl.Float64)}, strict=False)
    frame.write_parquet(away / "rows.parquet", row_group_size=4)
    assert_the_same(away / "rows.parquet")


def test_a_value_means_the_same_beside_any_others() -> None:
    for column, text, expected in [("flag", "1.00", 1.0), ("flag", "nan", np.nan), ("size", "012", 12.0)]:
        for other in ("1", "true" if column == "flag" else "1.5"):
            table = read_csv_text(f"{column}\n{text}\n{other}\n".encode(), Reading(null_values=[""]))
            signature = Signature(tuple(each for each in SIGNATURE.features if each.name == column), SIGNATURE.target)
            np.testing.assert_equal(columns_of(table, signature)[column][0], expected)


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("size", "x", r"'x' is none \(row 6\)"),
        ("size", "1e300", "in row 6"),
        ("flag", "perhaps", "row 6 holds 'perhaps'"),
        ("place", "[1, 1e31]", "in row 6"),
    ],
)
def test_a_wrong_row_is_named_as_the_file_counts(column: str, text: str, message: str) -> None:
    frame = pl.DataFrame(
        {name: [text if name == column else None] for name in NAMES}, schema=dict.fromkeys(NAMES, pl.String)
    )
    with pytest.raises(DataError, match=message):
        columns_of(frame, SIGNATURE, before=5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the CSV is empty"),
        (b"a,a\n1,2\n", "the CSV has a column twice: 'a'"),
        (b"a,b\n1,2,3\n", "the CSV, line 2: it has 3 fields"),
    ],
)
def test_a_text_that_is_no_table(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_csv_text(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"size\n1\n2,3\n", "line 3: it has 2 fields"),
        ("rows.csv", b"size,size\n1,2\n", "has a column twice"),
        ("rows.csv", b"", "is empty"),
        ("rows.xls", b"x", "files of rows end in"),
        ("rows.parquet", b"size", "cannot read"),
        ("rows.ndjson", b"{no}", "line 1: it is no JSON"),
        ("rows.ndjson", b"", "is empty"),
    ],
)
def test_a_file_that_is_no_table(name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_batches(name, NAMES, 10))


def test_columns_that_are_not_there_are_said_as_ever() -> None:
    Path("rows.csv").write_text("size,x\n1,2\n")
    (batch,) = read_batches("rows.csv", NAMES, 10)
    with pytest.raises(DataError, match="lack 4 of the model's 5 columns: 'code'"):
        columns_of(batch, SIGNATURE)


def test_a_batch_holds_whole_parts_and_less_of_what_is_wide() -> None:
    for shape in [(1,), (20,), (784,), (3, 32, 32), (3, 224, 224), (10**8,)]:
        assert batch_rows(shape) % rows_at_once(shape) == 0
    assert batch_rows((20,)) == batches.TIMES * ANSWER_ROWS
    assert batch_rows((3, 224, 224)) < 64
    assert batch_rows((10**8,)) == 1


def test_how_many_rows_to_expect() -> None:
    frame = pl.DataFrame({"x": range(5000), "note": ["two\nlines"] * 5000})
    frame.write_parquet("rows.parquet")
    frame.write_csv("rows.csv")
    frame.write_ndjson("rows.ndjson")
    frame.write_json("rows.json")
    assert [expected_rows(f"rows.{kind}") for kind in ("parquet", "csv", "ndjson", "json")] == [5000, 5001, 5000, None]


@pytest.mark.parametrize("name", ["answers.csv", "answers.tsv", "answers.ndjson", "answers.parquet"])
def test_tables_written_one_by_one_are_one_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runcard.data.output.PIECE", 100)
    frame = pl.DataFrame({"prediction": [f'a"{row}\n' for row in range(500)], "probability_a": np.random.rand(500)})
    with writing_frames(Path(name)) as write:
        for part in (frame[:0], *frame.iter_slices(33)):
            write(part)
    assert read_frame(name).cast(frame.schema).equals(frame)
    assert [path.name for path in Path.cwd().iterdir()] == [name]


def ends_midway(name: str) -> None:
    with writing_frames(Path(name)) as write:
        write(pl.DataFrame({"x": range(10)}))
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["answers.csv", "answers.ndjson", "answers.parquet"])
def test_a_file_that_did_not_come_to_its_end_is_not_there(name: str) -> None:
    Path(name).write_text("before")
    with pytest.raises(RunError, match="No space left"):
        ends_midway(name)
    assert [(path.name, path.read_text()) for path in Path.cwd().iterdir()] == [(name, "before")]


# At the end and on the way, in a process whose files may not grow.
FULL = """
import resource, signal
import polars as pl
from pathlib import Path
from runcard.data import output
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for name in ("answers.csv", "answers.parquet"):
    for output.PIECE in (10**6, 100):
        try:
            with output.writing_frames(Path(name)) as write:
                for start in range(0, 50_000, 5_000):
                    write(pl.DataFrame({"x": range(start, start + 5_000)}))
        except output.RunError as error:
            print(error, list(Path().iterdir()))
"""


def test_a_full_disk_is_said() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=HANG_S, check=True)
    said = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["cannot write answers.csv"] * 2 + [
        "cannot write answers.parquet"
    ] * 2
    assert all("File too large" in line and line.endswith(" []") for line in said), said


SCRIPT = (
    WATCH
    + """
import sys
from runcard.data.output import writing_frames
from runcard.data.reading.batches import read_batches
from pathlib import Path
with writing_frames(Path(sys.argv[2])) as write:
    for batch in read_batches(sys.argv[1], ["x0", "x1", "x2"], 10240):
        write(batch)
print(peak[0])
"""
)


def peak_mb(rows: str, answers: str) -> float:
    words = [sys.executable, "-c", SCRIPT, rows, answers]
    return int(subprocess.run(words, capture_output=True, text=True, timeout=HANG_S, check=True).stdout) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_memory_stays_flat(kind: str) -> None:
    few = pl.DataFrame({f"x{place}": np.random.rand(300_000) for place in range(8)})
    peaks = []
    for times in (5, 12):  # what polars reads ahead, some hundreds of MB, is less than either file
        frame = pl.concat([few] * times)
        getattr(frame, f"write_{kind}")(f"rows.{kind}")
        peaks.append(peak_mb(f"rows.{kind}", "answers.parquet"))
    assert peaks[1] < peaks[0] + 100
