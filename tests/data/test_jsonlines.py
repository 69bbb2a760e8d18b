"""Files of JSON: a name that stands twice, a mark before the first line, and the line that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcard.data.reading.batches import read_batches
from runcard.data.reading.frames import read_frame
from runcard.errors import DataError

NAMES = ["a", "b: c", "größe", '"', "\\"]
VALUES = st.none() | st.integers(-9, 9) | st.sampled_from(["x", "10:20", '":"', "{a: 1}"])


def lines(objects: list[list[tuple[str, Any]]]) -> str:
    written = [", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pairs) for pairs in objects]
    return "".join(f"{{{one}}}\n" for one in written)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}\n', "line 1: it has the name 'a' twice"),
        ('{"a": 1, "b": 2}\n\n{"a": 1, "\\u0061": 2}\n', "line 3: it has the name 'a' twice"),
        ('{"a": 1, "b": 2}\n{"a": 3, "a": 4}\n', "line 2: it has the name 'a' twice"),
        ('{"a": 1}\n{"a": NaN}\n', "line 2: NaN is no value of JSON; write null where a number is missing"),
        ('{"a": 1}\n{"a": 1\n', "line 2: it is no JSON"),
        ('{"a": 1}\n[1]\n', "line 2: an object is expected"),
        ("[" * 50_000 + "\n", "line 1: "),
    ],
)
def test_a_line_that_is_wrong_is_named(text: str, said: str, away: Path) -> None:
    (away / "rows.ndjson").write_text(text)
    with pytest.raises(DataError) as caught:
        read_frame("rows.ndjson")
    assert f"rows.ndjson, {said}" in str(caught.value)
    with pytest.raises(DataError) as caught:
        [*read_batches("rows.ndjson", ["a"], 10)]
    assert f"rows.ndjson, {said}" in str(caught.value)


def test_a_file_that_is_one_array_is_looked_at_likewise(away: Path) -> None:
    (away / "rows.json").write_text('[{"a": 1, "b": 2}, {"a": 3, "a": 4}]')
    with pytest.raises(DataError, match=r"rows\.json: it has the name 'a' twice"):
        read_frame("rows.json")


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.json"])
def test_a_mark_before_the_first_line_is_none_of_it(name: str, away: Path) -> None:
    text = '{"a": 1, "b": "x:y"}\n{"a": null, "b": "z"}\n'
    text = text if name == "rows.ndjson" else f"[{','.join(text.splitlines())}]"
    (away / name).write_text(text, encoding="utf-8-sig")
    assert read_frame(name).rows() == [(1, "x:y"), (None, "z")]
    assert [frame.rows() for frame in read_batches(name, ["a"], 10)] == [[(1,), (None,)]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), min_size=1, max_size=4), min_size=1, max_size=5))
def test_whatever_has_a_name_twice_is_refused_and_nothing_else(objects: list[list[tuple[str, Any]]]) -> None:
    kinds = {name: {type(value) for one in objects for other, value in one if other == name} for name in NAMES}
    if any(len(kind - {type(None)}) > 1 for kind in kinds.values()):
        return  # a column of one type
    path = Path("rows.ndjson")
    path.write_text(lines(objects), encoding="utf-8")
    doubled = any(len({name for name, _ in pairs}) < len(pairs) for pairs in objects)
    if doubled:
        with pytest.raises(DataError, match="twice"):
            read_frame(path)
        return
    frame = read_frame(path)
    found = [{name: value for name, value in row.items() if value is not None} for row in frame.iter_rows(named=True)]
    assert found == [{name: value for name, value in pairs if value is not None} for pairs in objects]
