"""One reader of CSV: what Python's csv writes is read as it was written; what is doubtful is refused with its line."""

from __future__ import annotations

import codecs
import csv
import io
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runcard
from runcard.data.reading import layout, tables
from runcard.data.reading.batches import read_batches
from runcard.data.reading.frames import column_names, read_csv_text, read_frame
from runcard.data.reading.layout import PLAIN, Reading, Source
from runcard.data.survey import survey
from runcard.errors import DataError
from tests.conftest import TINY, Command

BARE = Reading(null_values=[""])
TEXT = st.text(st.sampled_from("ab1,;\t|\"'\n\r éß\x00#=.-"), max_size=6)
NAME = st.text(st.sampled_from("abc, ;\"\n'é#"), min_size=1, max_size=4).filter(str.strip)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|"]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    }
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le", "utf-16-be", "utf-32"])


@st.composite
def written(draw: st.DrawFn) -> tuple[list[list[str]], dict[str, Any], str]:
    """A header and rows, how they are written, and in which encoding."""
    names = draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    rows = draw(st.lists(st.lists(TEXT, min_size=len(names), max_size=len(names)), max_size=6))
    return [names, *rows], draw(DIALECTS), draw(ENCODINGS)


def text_of(table: list[list[str]], dialect: dict[str, Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, **dialect).writerows(table)
    return buffer.getvalue()


def read_by_csv(text: str, separator: str) -> list[list[str]] | None:
    """The rows as Python's own careful reader has them; None: it refuses them, or they are not of one width."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row]
    except csv.Error:
        return None
    while rows and len(rows[0]) == 1 and not rows[0][0].strip():
        del rows[0]  # no header has that name
    # A line of nothing but blanks is blank, where there are columns.
    rows = [row for row in rows if len(row) > 1 or row[0].strip() or len(rows[0]) == 1]
    width = len(rows[0]) if rows else 0
    rows = [row if any(row[width:]) else row[:width] for row in rows]  # a separator at the end of a line
    return rows if rows and {len(row) for row in rows} == {width} else None


def texts(frame: pl.DataFrame) -> list[list[str]]:
    return [frame.columns, *(["" if cell is None else cell for cell in row] for row in frame.iter_rows())]


def as_rows(path: Path, reading: Reading) -> list[list[str]] | str:
    try:
        frame = read_frame(path, reading)
    except DataError as error:
        return str(error)
    return texts(frame)


def check(table: list[list[str]], dialect: dict[str, Any], encoding: str, path: Path) -> None:
    text = text_of(table, dialect)
    path.write_bytes(text.encode(encoding, "replace"))
    reading = Reading(dialect["delimiter"], [""], encoding if encoding == "cp1252" else "auto")
    found = as_rows(path, reading)
    expected = read_by_csv(path.read_bytes().decode(encoding), dialect["delimiter"])
    if isinstance(found, str):
        # What stands there can be doubtful; what was written with quotes cannot.
        unmarked = encoding in ("utf-16-le", "utf-16-be")  # which a few letters do not show for certain
        assert expected != table or "\0" in text or unmarked or dialect["lineterminator"] == "\r", found
        return
    assert found == expected
    if expected == table:
        names = table[0]
        parts = [*read_batches(path, names, 2, reading)]
        assert [row for part in parts for row in texts(part)[1:]] == table[1:]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=written())
def test_what_csv_writes(content: tuple[list[list[str]], dict[str, Any], str], away: Path) -> None:
    check(*content, away / "rows.csv")


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=written())
def test_much_that_csv_writes(content: tuple[list[list[str]], dict[str, Any], str], away: Path) -> None:
    check(*content, away / "rows.csv")


def read(text: str | bytes, reading: Reading = BARE) -> list[list[str]]:
    content = text if isinstance(text, bytes) else text.encode()
    return texts(tables.read_table(Source(content, "it"), reading))


ROWS = [["a", "b"], ["1", "x"], ["2", "y"]]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x\n2,y\n",
        "a,b\n1,x\n2,y",
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\r1,x\r2,y\r",
        "\na,b\n\n1,x\n\n\n2,y\n\n",
        "a,b\n1,x\n   \n2,y\n",
        "sep=;\na;b\n1;x\n2;y\n",
        '"sep=\t"\r\na\tb\r\n1\tx\r\n2\ty\r\n',
        "a,b\n1,x,\n2,y,\n",
        "a,b,,\n1,x,,\n2,y,,\n",
        "\ufeffa,b\n1,x\n2,y\n",
        '\ufeff"a",b\n1,x\n2,y\n',
    ],
)
def test_what_is_read(text: str) -> None:
    assert read(text) == ROWS
    if not text.startswith("\ufeff"):
        assert read(text.encode("utf-16")) == ROWS
        assert read(text.encode("utf-16-le")) == read(text.encode("utf-16-be")) == ROWS
        assert read(text.encode("cp1252"), Reading(null_values=[""], encoding="cp1252")) == ROWS


def test_quotes_within_fields() -> None:
    assert read('name,x\n24" wide,1\nO"Brian,2\n27" x,3\n') == [
        ["name", "x"],
        ['24" wide', "1"],
        ['O"Brian', "2"],
        ['27" x', "3"],
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\n1,2,3\n4,5\n", "it, line 3: it has 2 fields, and the header has 3; it begins with '4', '5'. Mend the"),
        ("a,b,c\n1,2,3\n\n4\n", "it, line 4: it has 1 field, and the header has 3; it begins with '4'"),
        (
            "a,b\n1,2\n3,4,5\n",
            "it, line 3: it has 3 fields, and the header has 2; it begins with '3', '4', '5'. A value",
        ),
        ('a,b\n1,"x\ny"\n3\n', "it, line 4: it has 1 field"),
        ('a,b\n1,"x\n2,y\n', "it, line 2: a field begins with a quote and does not end"),
        ('a,b\n1,x\n2,"y"z\n', "it, line 3: a field goes on after its closing quote"),
        ("a,a\n1,2\n", "it has a column twice: 'a'"),
        (
            "a,b\n1,M\xfcnchen\n".encode("cp1252"),
            "it, line 2: it is not UTF-8. b'M\\xfcnchen' would be 'München' as cp1252",
        ),
        (
            "sep=;\na;b\n1;2;3\n",
            "it, line 3: it has 3 fields, and the header has 2; it begins with '1', '2', '3'. A value that holds ';'",
        ),
        ("# exported\na,b\n1,x\n", "it, line 2: it has 2 fields, and the header has 1"),
    ],
)
def test_what_is_refused_with_its_line(text: str | bytes, says: str) -> None:
    with pytest.raises(DataError) as caught:
        read(text)
    assert says in str(caught.value)


def test_cells_are_not_repeated_to_strangers() -> None:
    with pytest.raises(DataError) as caught:
        read("a,b,c\nsecret,5\n", Reading(null_values=[""], advice=""))
    assert "secret" not in caught.value.without_values()
    assert "line 2: it has 2 fields, and the header has 3" in caught.value.without_values()
    assert "data.ragged" not in str(caught.value)


def test_a_line_may_lack_what_is_missing() -> None:
    assert read("a,b,c\n1\n2,x\n", Reading(null_values=[""], ragged="fill")) == [
        ["a", "b", "c"],
        ["1", "", ""],
        ["2", "x", ""],
    ]
    with pytest.raises(DataError, match="it has 3 fields"):
        read("a,b\n1,2,3\n", Reading(null_values=[""], ragged="fill"))


def test_the_named_encoding_is_for_what_is_no_utf_8() -> None:
    named = Reading(null_values=[""], encoding="cp1252")
    assert read("a,b\n1,München\n", named) == [["a", "b"], ["1", "München"]]
    assert read("a,b\n1,München\n".encode("cp1252"), named) == [["a", "b"], ["1", "München"]]


def test_nameless_columns() -> None:
    assert read(",x,,y\n0,a,5,b\n") == [["", "x", "column 3", "y"], ["0", "a", "5", "b"]]
    assert read(",x,\n0,a,\n")[0] == ["", "x"]


def test_what_is_wrong_further_down_is_found_too(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what is read at once, in batches as in the whole."""
    monkeypatch.setattr(layout, "BLOCK", 64)
    good = "a,b\n" + "1,x\n" * 100
    path = away / "rows.csv"
    for more, reading, says in [
        ("2\n", PLAIN, "line 102: it has 1 field"),
        ("2,Köln\n", PLAIN, "line 102: it is not UTF-8"),
        ("2,Köln\n", Reading(encoding="cp1252"), ""),
        ("\n2,x\n\n", PLAIN, ""),
        ('2,24" x\n', PLAIN, ""),
        ('2,"x\n', PLAIN, "line 102: a field begins with a quote"),
    ]:
        path.write_bytes((good + more).encode("cp1252"))
        if not says:
            whole = read_frame(path, reading)
            assert whole.height == 101
            assert pl.concat(read_batches(path, ["a", "b"], 7, reading)).equals(whole)
            continue
        with pytest.raises(DataError, match=says):
            read_frame(path, reading)
        with pytest.raises(DataError, match=says):
            list(read_batches(path, ["a", "b"], 7, reading))


def test_a_field_of_a_megabyte(away: Path) -> None:
    (away / "rows.csv").write_text('a,b\n1,"' + "x" * 2**20 + '"\n2,24" x\n')
    assert read_csv_text((away / "rows.csv").read_bytes(), BARE)["b"].str.len_bytes().to_list() == [2**20, 5]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "shift_jis"])
def test_large_files_in_any_encoding(encoding: str, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "BLOCK", 97)
    text = "a,b\n" + "".join(f'{number},"x\n{number}"\n' for number in range(300))
    (away / "rows.csv").write_bytes(text.encode(encoding))
    reading = Reading(encoding=codecs.lookup(encoding).name)
    parts = pl.concat(read_batches(away / "rows.csv", ["a", "b"], 11, reading))
    assert parts.equals(read_frame(away / "rows.csv", reading))
    assert parts["b"].to_list() == [f"x\n{number}" for number in range(300)]


NAMES = ["*", "count", "len", "literal", "index", "row", "part", "prediction", "unusual", "probability_yes", "x", "y"]
NAMES += [
    "value",
    "values",
    "name",
    "null",
    "true",
    "1",
    "{}",
    "%s",
    "<b>",
    "a.b",
    "SELECT",
    "class",
    "",
    " ",
    "a" * 300,
]


def test_columns_of_any_name(away: Path, command: Command) -> None:
    """Words of polars, of JSON, of YAML and of our own, each as a feature and as the target."""
    columns = {name: [f"{(number * 7 + place) % 11}.5" for number in range(60)] for place, name in enumerate(NAMES)}
    with Path("rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *zip(*columns.values(), strict=True)])
    for target in ("*", "count"):
        words = ["data=table", "data.path=rows.csv", f"problem.target='{target}'", "model=linear", *TINY]
        run = runcard.fit(runcard.load_card(words))
        assert [feature.name for feature in run.signature.features] == [name for name in NAMES if name != target]
        for output in ("answers.csv", "answers.parquet"):
            assert command("predict", str(run.path), "rows.csv", "-o", output).code == 0
        assert survey("rows.csv", target).looks.keys() == set(NAMES) - {target}


def test_a_name_that_polars_takes_for_a_pattern(away: Path, command: Command) -> None:
    (away / "rows.csv").write_text("^a.*$,b,y\n" + "1,2,x\n2,3,z\n" * 10)
    for words in (["fit", "data=table", "data.path=rows.csv", "problem.target=y"], ["init", "p", "--data", "rows.csv"]):
        said = command(*words)
        assert (said.code, "'^a.*$': polars takes a name from ^ to $ for a pattern" in said.err) == (4, True), said.err
    assert read_frame("rows.csv").columns == ["^a.*$", "b", "y"]


def test_a_name_of_a_file_that_is_no_text(away: Path, command: Command) -> None:
    folder = os.fsdecode(b"gr\xf6")
    (away / folder).mkdir()
    (away / folder / "rows.csv").write_text("a,y\n" + "1,x\n2,z\n" * 10)
    said = command("init", "p", "--data", f"{folder}/rows.csv", "--target", "y")
    assert (said.code, "has a name in it that is not UTF-8: rename it" in said.err) == (4, True)
    os.chdir(folder)
    said = command("fit", "data=table", "data.path=rows.csv", "problem.target=y")
    assert (said.code, "a fault in Runcard" in said.err) == (4, False)


def test_a_comment_before_the_header_is_named(away: Path, command: Command) -> None:
    (away / "rows.csv").write_text("# exported 2026-01-01\na,y\n" + "1,x\n2,z\n" * 10)
    said = command("fit", "data=table", "data.path=rows.csv", "problem.target=y")
    assert said.code == 2
    assert "rows.csv begins with '# exported 2026-01-01'" in said.err
    assert "If its first line is a comment, remove it." in said.err


@pytest.mark.parametrize("header", [b"gr\xf6\xdfe,y\n", b'"a\nb\xf6",y\n', b"\n\ngr\xf6\xdfe,y\n"])
def test_a_header_that_is_not_utf8_is_refused_though_the_rows_are(header: bytes, away: Path) -> None:
    (away / "rows.csv").write_bytes(header + b"1,2\n3,4\n")
    for read in (read_frame, column_names):
        with pytest.raises(DataError, match="it is not UTF-8"):
            read("rows.csv")
    with pytest.raises(DataError, match="it is not UTF-8"):
        read_csv_text(header + b"1,2\n")
    assert read_frame("rows.csv", Reading(encoding="cp1252")).columns[0] in ("größe", "a\nbö")
    (away / "rows.csv").write_text("\ufffd,y\n1,2\n", encoding="utf-8")
    assert read_frame("rows.csv").columns == ["\ufffd", "y"]
