"""What a column of texts is read as: the right values, or a refusal whose every key leads on."""

from __future__ import annotations

import contextlib
import random
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard.card.advice import write_setting
from runcard.card.sections.formats import NumberFormat, Spelling
from runcard.data.answers import chance_beyond
from runcard.data.dataset import load_dataset
from runcard.data.looking.cautions import cautions
from runcard.data.looking.columns import look_at
from runcard.data.looking.dates import are_dates
from runcard.data.looking.features import Given, choose
from runcard.data.looking.lacking import Lacking
from runcard.data.looking.look import Look
from runcard.data.looking.seen import Habits, see
from runcard.data.looking.target import truth_of
from runcard.data.reading.layout import NULL_VALUES
from runcard.data.spelling import read_numbers
from runcard.data.survey import survey
from runcard.data.table import Table
from runcard.data.values import boolean_values, number_values
from runcard.errors import DataError
from runcard.files import read_json, read_yaml
from tests.conftest import Command

pytestmark = pytest.mark.usefixtures("undrawn")

ODD = [
    "a b",
    "it's",
    'say "x"',
    "${x}",
    "\\",
    "\\\\${x}",
    "a\\",
    "é",
    "x=1",
    "{50%}",
    "[a, b]",
    "null",
    "#",
    "a: b",
    "a.b",
    "*",
]

SMALL = ["model=linear", "trainer.max_epochs=1", "report=false"]
MANY = 1_000


def table(text: str, **given: Any) -> Table:
    Path("rows.csv").write_text(text, encoding="utf-8")
    named = {name: given.pop(name) for name in ("kinds", "separator", "null_values") if name in given}
    settled = {"kinds": {}, "separator": ",", "null_values": NULL_VALUES, **named}
    return Table("rows.csv", settled["kinds"], settled["separator"], settled["null_values"], **given)


def looked(values: Sequence[str | None], habits: Habits | None = None) -> Look:
    habits = habits or Habits(null_values=NULL_VALUES)
    column = pl.Series("x", values, dtype=pl.String)
    return look_at(see(column, habits), habits)


# The cells, what they are, how they are written, which texts are missing, and what the first two cells mean.
READ: dict[str, tuple[list[str], str, str, tuple[str, ...], list[float]]] = {
    "plain": (["1", "2.5"], "number", "", (), [1, 2.5]),
    "blanks around": ([" 3.21", "4 "], "number", "", (), [3.21, 4]),
    "exponents": (["1E2", "100", "1e-3"], "number", "", (), [100, 100]),
    "a minus of typesetters": (["−5", "7"], "number", "", (), [-5, 7]),
    "decimal commas": (["12,5", "13"], "number", "1234,5", (), [12.5, 13]),
    "commas and points": (["1.234,5", "12"], "number", "1.234,5", (), [1234.5, 12]),
    "thousands": (["1,234,567", "1,234"], "number", "1,234.5", (), [1234567, 1234]),
    "thousands with a fraction": (["1,234.5", "12"], "number", "1,234.5", (), [1234.5, 12]),
    "money": (["$1,200", "-$5.50"], "number", "$1,234.5", (), [1200, -5.5]),
    "money behind": (["12,00 €", "1.000,00 €"], "number", "1.234,5 €", (), [12, 1000]),
    "shares": (["12 %", "5%"], "number", "1234.5 %", (), [12, 5]),
    "blanks between": (["1 234", "12 345,6"], "number", "1 234,5", (), [1234, 12345.6]),
    "blanks that keep together": (["1\u00a0234,5", "2\u202f345,5"], "number", "1 234,5", (), [1234.5, 2345.5]),
    "Swiss": (["1’234.50", "5.00"], "number", "1'234.5", (), [1234.5, 5]),
    "a mark": (["1", "2", "-", "3"], "number", "", ("-",), [1, 2]),
    "marks": (["1", "2", "unknown", "?", "3"], "number", "", ("?", "unknown"), [1, 2]),
    "a mark among commas": (["1,5", "2,5", "n.a."], "number", "1234,5", ("n.a.",), [1.5, 2.5]),
    "a mark among marks": (["-", "x"], "category", "", (), []),
    "codes": (["01067", "53111"], "category", "", (), []),
    "twenty digits": (["12345678901234567890", "12345678901234567891"], "category", "", (), []),
    "versions": (["1.2.3", "1.2.4"], "category", "", (), []),
    "quarters": (["Q1", "Q2"], "category", "", (), []),
    "units": (["5 kg", "7 kg", "12 kg"], "category", "", (), []),
    "debts in brackets": (["(5)", "7", "(12)"], "category", "", (), []),
    "ranges": (["0-10", "11-20", "21-30"], "category", "", (), []),
    "blanks alone": (["1", "2", "  ", "3"], "number", "", ("  ",), [1, 2]),
}


@pytest.mark.parametrize("case", READ)
def test_texts_are_read_as_what_they_mean(case: str) -> None:
    cells, kind, form, nulls, values = READ[case]
    look = looked(cells * 15)
    assert (look.kind, look.format, look.null_values, look.refusal) == (kind, form, nulls, "")
    if values:
        column = pl.Series("x", cells)
        assert number_values(column, 0, look.spelling)[:2].tolist() == values
    # Whatever is not plain is said.
    assert bool(look.notes) == bool(form or nulls or look.doubt)


AMBIGUOUS = ["1,234", "12,345", "2,111"]


def test_what_may_be_two_numbers_is_settled_by_other_columns_or_by_a_key() -> None:
    assert "'1,234' in column 'x' (row 1) may be 1.234 or 1234" in looked(AMBIGUOUS * 10).refusal
    assert looked(AMBIGUOUS * 10, Habits(",")).format == "1234,5"
    assert looked(AMBIGUOUS * 10, Habits(".")).format == "1,234.5"
    for other, form in (("1,5", "1234,5"), ("1.5", "1,234.5")):
        columns = [pl.Series("x", AMBIGUOUS * 10), pl.Series("z", [other, "7"] * 15)]
        assert choose(columns, Given()).looks["x"].format == form
    # A file that writes 12,5 means 1234 by 1.234.
    columns = [pl.Series("x", ["1.234", "12.345", "2.111"] * 10), pl.Series("z", ["12,5", "7,25"] * 15)]
    assert choose(columns, Given()).looks["x"].format == "1.234,5"
    assert choose(columns[:1], Given()).looks["x"].format == ""
    with pytest.raises(DataError, match=r"data\.decimal is ',', and column 'z' writes '1\.5' \(row 1\)"):
        choose([pl.Series("z", ["1.5", "7"] * 15)], Given(decimal=","))


@pytest.mark.parametrize(("other", "truth"), [("0,5", 1.0), ("0.5", 1000.0)])
def test_a_target_that_may_be_two_numbers_is_settled_alike_by_fit_and_init(other: str, truth: float) -> None:
    rows = "".join(f"{i}{other[1:]};{i % 9 + 1},{i % 9:03}\n" for i in range(60))
    Path("rows.csv").write_text("x;y\n" + rows)
    read = Table("rows.csv", {}, ";", NULL_VALUES).read("y", "regression")
    assert read.target[0] == truth
    assert survey("rows.csv", "y").spellings["y"] == read.spellings["y"]


def test_numbers_written_in_two_ways_are_refused() -> None:
    for cells in (["12.5", "12,5", "3,1"], ["$5", "€6", "$7"]):
        assert "writes its numbers in more than one way" in looked(cells * 10).refusal


def test_a_slip_among_numbers_is_named_with_its_row() -> None:
    cells = [str(i % 50) for i in range(300)]
    cells[21] = "oops"
    refusal = looked(cells).refusal
    assert refusal.startswith("299 of the 300 values of column 'x' are numbers, and 'oops' (row 22) is none.")


def lines_of(x: Callable[[int], object], y: Callable[[int], object] = lambda i: "ab"[i % 2]) -> str:
    return "".join(f"{x(i)},{i % 7},{y(i)}\n" for i in range(80))


def slip(i: int) -> object:
    return "oops" if i == 30 else i % 20


# Rows whose fit is refused, and in how many ways; every way that the refusal names is typed back, and leads to a fit.
DOUBTS = {
    "slip": ("x,z,y\n" + lines_of(slip), 3),
    "two numbers": ("x,z,y\n" + lines_of(lambda i: f'"{1 + i % 5},{100 + i % 90}"'), 2),
    "two ways": ("x,z,y\n" + lines_of(lambda i: f'"{i % 5}{".,"[i % 2]}5"'), 2),
    "odd names": ('"it\'s ${x}, {50%}",z,y\n' + lines_of(slip), 3),
    "slip in the target": ("x,z,y\n" + lines_of(lambda i: i % 9, slip), 2),
    "gap in the target": ("x,z,y\n" + lines_of(lambda i: i % 9, lambda i: "" if i == 30 else "ab"[i % 2]), 1),
    "rare class": ("x,z,y\n" + lines_of(lambda i: i % 9, lambda i: "c" if i == 30 else "ab"[i % 2]), 1),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_every_way_out_leads_on(case: str, command: Command) -> None:
    text, ways = DOUBTS[case]
    Path("rows.csv").write_text(text, encoding="utf-8")
    words = ["fit", "data=table", "data.path=rows.csv", "problem.target=y", *SMALL]
    said = command(*words)
    assert said.code == 4, said.err
    named = re.findall(r"'(?:data|problem)\.[^']*(?:'\"'\"'[^']*)*'|(?:problem|data)\.\w+=\w+", said.err)
    typed = [shlex.split(one)[0] for one in named]
    assert len(typed) >= ways, said.err
    for way in typed:
        # What is missing in the target, or is a class of one row, is then settled by the key that is named next.
        extra = ["data.missing_target=drop"] * ("null_values_of" in way and "target" in case)
        extra += ["data.rare_classes=drop"] * (way == "problem.task=classification")
        again = command(*words, way, *extra)
        alone = way == "data.missing_target=drop" and "slip" in case  # it is named beside another
        assert alone or again.code == 0, (way, again.err)


LABELS = {
    "numbers with zeros": ["3.10", "3.1", "3.9"],
    "an exponent": ["1E2", "100", "7"],
    "twenty digits": ["12345678901234567890", "12345678901234567891"],
    "signs": ["+1", "1", "-1"],
    "leading zeros": ["01", "1"],
    "blanks": [" a", "a"],
    "truths": ["True", "true", "yes"],
}


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_label_is_the_text_that_stands_there(case: str, kind: str) -> None:
    labels = LABELS[case] * 12
    frame = pl.DataFrame({"x": np.random.default_rng(0).normal(size=len(labels)), "c": labels, "y": labels})
    frame.write_csv("rows.csv") if kind == "csv" else frame.write_parquet("rows.parquet")
    rows = Table(f"rows.{kind}", {"c": "category"}, ",", NULL_VALUES).read("y", "classification")
    assert rows.target.tolist() == labels
    assert rows.columns["c"].tolist() == labels
    assert {*rows.classes} == {*LABELS[case]}


def test_labels_that_may_be_one_are_said() -> None:
    for labels, how in ((["english", "english "], "case or blanks only"), (["1E2", "100"], "how a number is written")):
        truth = truth_of(pl.Series("y", labels * 9), "classification")
        assert any(how in note and "are different classes" in note for note in truth.notes), truth.notes


def test_labels_of_whole_numbers_with_a_fraction_of_zeros_are_whole() -> None:
    """A file that once had gaps writes 1 so."""
    assert truth_of(pl.Series("y", ["1.0", "2.0"] * 9), "auto").classes == ("1", "2")
    assert truth_of(pl.Series("y", ["1,0", "2,0"] * 9), "auto").classes == ("1", "2")
    assert truth_of(pl.Series("y", ["1.0", "2.5"] * 9), "classification").classes == ("1.0", "2.5")


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        ([str(i % 5) for i in range(100)], "classification"),
        ([str(i % 40) for i in range(100)], "regression"),
        (["1,0", "1,5", "4,5"] * 30, "regression"),
        (["$1,200.50", "$7"] * 30, "regression"),
        (["01", "02"] * 30, "classification"),
        (["a", "b"] * 30, "classification"),
    ],
)
def test_the_target_is_looked_at_as_a_column_is(cells: list[str], task: str) -> None:
    assert truth_of(pl.Series("y", cells), "auto").task == task


def test_a_target_of_dates_is_no_class() -> None:
    with pytest.raises(DataError, match="the target 'y' holds dates or times"):
        truth_of(pl.Series("y", [f"2024-01-{day:02}" for day in range(1, 29)] * 3), "auto")


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", None]), min_size=4, max_size=40), st.integers(2, 4))
def test_rows_without_a_truth_and_rare_classes_are_counted(labels: list[str | None], least: int) -> None:
    column = pl.Series("y", labels, dtype=pl.String)
    counts = {label: labels.count(label) for label in {*labels} - {None}}
    kept = [label is not None and counts[label] >= least for label in labels]
    try:
        truth = truth_of(column, "classification", lacking=Lacking("drop", "drop", least))
    except DataError:
        known = sum(counts.values())
        assert len({label for label, keep in zip(labels, kept, strict=True) if keep}) < 2 or len(counts) > known / 2
        return
    assert truth.kept.tolist() == kept
    assert truth.values.tolist() == [label for label, keep in zip(labels, kept, strict=True) if keep]
    assert truth.dropped.get("missing_target", 0) == labels.count(None)
    assert truth.dropped.get("rare_classes", 0) == sum(count for count in counts.values() if count < least)


def test_rare_classes_become_one() -> None:
    labels = ["a"] * 9 + ["b"] * 8 + ["c", "d"]
    truth = truth_of(pl.Series("y", labels), "auto", lacking=Lacking("refuse", "merge", 2))
    assert truth.values.tolist() == ["a"] * 9 + ["b"] * 8 + ["other"] * 2
    with pytest.raises(DataError, match="merged with no other it stays rare"):
        truth_of(pl.Series("y", labels[:-1]), "auto", lacking=Lacking("refuse", "merge", 2))


def test_what_is_left_out_is_counted_in_the_run(command: Command) -> None:
    lines = [f"{i % 9},{i}.5,{'' if i % 20 == 0 else 'c' if i == 7 else 'ab'[i % 2]}\n" for i in range(80)]
    Path("rows.csv").write_text("x,place,y\n" + "".join(lines))
    given = ["data.missing_target=drop", "data.rare_classes=drop", "data.kinds={place: number}"]
    said = command("fit", "data=table", "data.path=rows.csv", "problem.target=y", *SMALL, *given, "--json")
    assert said.code == 0, said.err
    assert "left out: 4 rows without the target 'y' (data.missing_target)" in said.err
    run = Path(said.json["run"])
    content = read_json(run / "data.json")
    assert (content["rows"], content["left_out"]) == (75, {"missing_target": 4, "rare_classes": 1})
    again = command("evaluate", str(run), "--json")
    assert again.json["metrics"].items() >= said.json["metrics"].items()
    # Features and truths stay beside each other.
    source = Table("rows.csv", {"place": "number"}, ",", NULL_VALUES, missing_target="drop", rare_classes="drop")
    rows = source.read("y", "auto")
    places = [i for i in range(80) if i % 20 and i != 7]
    assert rows.columns["place"].tolist() == [i + 0.5 for i in places]
    assert rows.target.tolist() == ["ab"[i % 2] for i in places]
    answers = pl.read_parquet(run / "predictions.parquet")
    assert answers["row_of_file"].to_list() == [places[row] for row in answers["row"]]
    assert answers["truth"].to_list() == ["ab"[row % 2] for row in answers["row_of_file"]]


def test_how_columns_are_written_stands_in_the_run_and_counts_when_answering(command: Command) -> None:
    random.seed(0)
    ages = ["-" if i % 11 == 0 else i % 40 for i in range(90)]
    lines = [f'"{random.random() * 9000:,.2f} €","{i % 30},5",{age},{i % 3}\n' for i, age in enumerate(ages)]
    Path("rows.csv").write_text("price,share,age,y\n" + "".join(lines), encoding="utf-8")
    said = command("fit", "data=table", "data.path=rows.csv", "problem.target=y", *SMALL, "--json")
    assert said.code == 0, said.err
    run = Path(said.json["run"])
    kept = read_yaml(run / "card.yaml")["data"]
    assert kept["formats"] == {"price": "1,234.5 €", "share": "1234,5"}
    assert kept["null_values_of"] == {"age": ["-"]}
    assert kept["decimal"] == "."
    opened = runcard.load_run(run)
    plain = pl.DataFrame(
        {
            "price": [float(line.split('"')[1].replace(",", "").rstrip(" €")) for line in lines],
            "share": [float(line.split('"')[3].replace(",", ".")) for line in lines],
            "age": [None if age == "-" else age for age in ages],
        }
    )
    assert opened.predict("rows.csv").equals(opened.predict(plain))
    assert command("predict", str(run), "rows.csv", "--output", "a.csv").code == 0
    assert command("fit", str(run / "card.yaml"), "--json").json["metrics"] == said.json["metrics"]
    Path("wrong.csv").write_text("price,share,age\n12,1,2\n")
    refused = command("predict", str(run), "wrong.csv")
    assert (refused.code, "numbers that are written like '1,234.5 €'; '12' is none (row 1)" in refused.err) == (4, True)


def test_a_mark_is_missing_among_numbers_and_a_value_elsewhere() -> None:
    lines = [f"{'-' if i % 9 == 0 else i % 30},{'-+'[i % 2]},{'ab'[i % 2]}\n" for i in range(90)]
    rows = table("x,sign,y\n" + "".join(lines)).read("y", "auto")
    assert rows.kinds == {"x": "number", "sign": "category"}
    assert np.isnan(rows.columns["x"]).sum() == 10
    assert rows.columns["sign"][:2].tolist() == ["-", "+"]
    assert rows.spellings == {"x": Spelling("", ("-",))}


def test_a_text_that_means_missing_is_said_where_it_could_be_a_value() -> None:
    lines = [f"{'NA' if i % 9 == 0 else i % 30},{['NA', 'eu', 'us'][i % 3]},{'ab'[i % 2]}\n" for i in range(90)]
    source = table("x,region,y\n" + "".join(lines))
    rows = source.read("y", "auto")
    expected = "column 'region': 'NA' is read as missing in 30 rows; if it is a value, take it out of data.null_values"
    assert [note for note in rows.notes if "'NA'" in note] == [expected]
    rows = table("x,region,y\n" + "".join(lines), null_values=[""]).read("y", "auto")
    assert {*rows.columns["region"]} == {"NA", "eu", "us"}
    assert np.isnan(rows.columns["x"]).sum() == 10


def test_null_values_that_look_like_numbers_count() -> None:
    lines = [f"{-999 if i % 9 == 0 else i % 30},{-999 if i % 8 == 0 else i % 7}.5,{'ab'[i % 2]}\n" for i in range(90)]
    rows = table("x,z,y\n" + "".join(lines), null_values=["", "-999"]).read("y", "auto")
    assert np.isnan(rows.columns["x"]).sum() == 10
    rows = table("x,z,y\n" + "".join(lines), null_values_of={"z": ["-999.5"]}).read("y", "auto")
    assert np.isnan(rows.columns["z"]).sum() == 12
    assert not np.isnan(rows.columns["x"]).any()


def test_mixed_truths_are_truths() -> None:
    cells = ["true", "1", "yes", "false", "0", "no", "Y", "f"]
    look = looked([*cells, *cells])
    assert (look.kind, len(look.notes)) == ("boolean", 1)
    assert boolean_values(pl.Series("x", cells)).tolist() == [1, 1, 1, 0, 0, 0, 1, 0]


DATES = [
    ["2024-01-31", "2024-02-01"], ["31.01.2024", "1.2.2024"], ["01/31/2024", "2/1/2024"], ["31/01/24", "01/02/24"],
    ["2024-01-31T10:20:30Z", "2024-02-01T11:00:00+01:00"], ["2024-01-31 10:20:30.5", "2024-02-01 11:00:00.25"],
    ["Jan 31, 2024", "Feb 1, 2024"], ["31 Jan 2024", "1 Feb 2024"], ["January 31st, 2024", "February 1st, 2024"],
    ["31. Januar 2024", "1. März 2024"], ["31 août 2024", "1 juillet 2024"], ["10:20", "9:05"],
    ["10:20:30", "1:00:00"],
    ["1:20 pm", "10:05 AM"], ["2024-01", "2024-02"], ["Jan 2024", "Feb 2024"], ["2024-W05", "2024-W06"],
    ["2024Q1", "2024Q2"],
    ["20240131T102030", "20240201T102030"],
    ["Wed, 31 Jan 2024 10:20:30 GMT", "Thu, 01 Feb 2024 00:00:00 GMT"],
    ["31-Jan-24", "01-Feb-24"],
    ["31.01.2024 10:20", "1.2.2024 9:00"], ["01/31/2024 1:20 PM", "02/01/2024 11:00 AM"],
]  # fmt: skip


@pytest.mark.parametrize("cells", DATES, ids=lambda cells: cells[0])
def test_dates_and_times_are_left_out_with_a_word(cells: list[str]) -> None:
    look = looked(cells * 30)
    assert (look.kind, "dates or times" in look.remark) == ("ignore", True), look


@pytest.mark.parametrize("cells", [["3/4", "1/2"], ["1.2.3", "2.10.0"], ["A-1-2", "B-3-4"], ["Mon", "Tue"]])
def test_what_only_resembles_dates_is_none(cells: list[str]) -> None:
    assert not are_dates(pl.Series(cells)).all()


def test_one_odd_value_among_dates_is_named() -> None:
    look = looked([*[f"2024-01-{1 + day % 28:02}" for day in range(60)], "soon"])
    assert look.remark.startswith("dates or times, but not 'soon' (row 61)")


def test_a_random_split_of_dates_and_of_repeated_names_is_warned_of() -> None:
    columns = [
        pl.Series("when", [f"2024-01-{1 + day % 28:02}" for day in range(60)]),
        pl.Series("patient_id", [f"P{i // 4}" for i in range(60)]),
        pl.Series("city", ["Ulm", "Bonn"] * 30),
        pl.Series("x", np.random.default_rng(0).normal(size=60)),
    ]
    said = [*cautions(choose(columns, Given()))]
    assert "rows have dates ('when') and are split at random" in said[0]
    assert said[1].startswith("column 'patient_id' names 15 different things in 60 rows")
    assert len(said) == 2
    unique = [pl.Series("customer_id", [f"P{i}" for i in range(60)]), columns[3]]
    assert not [*cautions(choose(unique, Given()))]


def test_nothing_else_to_learn_from() -> None:
    """A counter is left out beside other columns, and learned from, with a word, where it is alone."""
    counter = pl.Series("n", [str(i) for i in range(40)])
    assert choose([counter, pl.Series("x", ["a", "b"] * 20)], Given()).kinds == {"n": "ignore", "x": "category"}
    alone = choose([counter], Given())
    assert alone.kinds == {"n": "number"}
    assert "there is nothing else to learn from" in alone.notes()[1]


def written(value: float, form: NumberFormat, *, grouped: bool) -> str:
    text = f"{abs(value):,}" if grouped and form.thousands else repr(abs(value))
    text = text.replace(",", "T").replace(".", form.decimal).replace("T", form.thousands)
    return f"{'-' if value < 0 else ''}{form.before}{text}{f' {form.after}' if form.after else ''}"


FORMATS = st.builds(
    NumberFormat,
    st.sampled_from(".,"),
    st.sampled_from(["", ".", ",", " ", "'", "_"]),
    st.sampled_from(["", "$", "€", "EUR"]),
    st.sampled_from(["", "%", "€", "kr"]),
).filter(lambda form: form.decimal != form.thousands)


def check_numbers(values: list[float], form: NumberFormat, grouped: bool) -> None:
    """Each number in any format that we claim is read as itself, or the column is refused; and so is a given format."""
    texts = pl.Series("x", [written(value, form, grouped=grouped) for value in values])
    assert read_numbers(texts, form).to_list() == values
    look = looked(texts.to_list())
    if look.refusal or look.kind != "number":
        return
    found = number_values(texts, 0, look.spelling).tolist()
    # What alone could be either, such as 1.234, is plain where nothing else in the file speaks against it.
    plain = read_numbers(texts).to_list()
    assert found == (values if look.format or None in plain else plain)


NUMBERS = st.lists(
    st.integers(-(10**7), 10**7).map(lambda n: n / 100) | st.integers(-(10**6), 10**6).map(float),
    min_size=2,
    max_size=30,
)


@settings(max_examples=30, deadline=None)
@given(NUMBERS, FORMATS, st.booleans())
def test_numbers_in_any_format_are_read_as_they_are(values: list[float], form: NumberFormat, grouped: bool) -> None:
    check_numbers(values, form, grouped)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None)
@given(NUMBERS, FORMATS, st.booleans())
def test_numbers_in_any_format_are_read_as_they_are_by_the_thousand(
    values: list[float], form: NumberFormat, grouped: bool
) -> None:
    check_numbers(values, form, grouped)


@pytest.mark.parametrize("name", ODD)
def test_a_way_out_is_typed_as_it_stands(name: str) -> None:
    Path("rows.csv").write_text("x,y\n1,a\n2,b\n")
    word = write_setting("data.null_values_of", name, ["?", name])
    card = runcard.load_card(["data=table", f"data.path={Path('rows.csv').absolute()}", "problem.target=y", word])
    assert card.to_dict()["data"]["null_values_of"] == {name: ["?", name]}


def test_what_is_unusual_is_told_alike(command: Command) -> None:
    """Missing where no training row lacked it, never seen, or out of range: by evaluate and by predict."""
    lines = [f"{i % 30},{'ab'[i % 2]},{'ab'[i % 3 > 0]}\n" for i in range(90)]
    Path("rows.csv").write_text("x,c,y\n" + "".join(lines))
    run = command("fit", "data=table", "data.path=rows.csv", "problem.target=y", *SMALL, "--json").json["run"]
    Path("new.csv").write_text("x,c\n99,a\n,z\n1,\n")
    assert command("predict", run, "new.csv", "--json").json["warnings"] == [
        "x: 1 of 3 rows missing, which no training row lacked",
        "x: 1 of 3 rows outside 0…29 seen in training",
        "c: 1 of 3 rows missing, which no training row lacked",
        "c: 1 of 3 rows not among the categories seen in training",
    ]
    chosen = pl.read_parquet(Path(run) / "split.parquet").filter(pl.col("part") == "test")["row"].to_list()
    # The truth divides the rows: as long as it stays, they stay where they were.
    for row, cells in zip(chosen, [*["99,a"] * 6, "5,z"], strict=False):
        lines[row] = f"{cells},{lines[row].rpartition(',')[2]}"
    Path("rows.csv").write_text("x,c,y\n" + "".join(lines))
    again = command("fit", "data=table", "data.path=rows.csv", "problem.target=y", *SMALL)
    (run,) = {*Path("runs/table-linear").absolute().iterdir()} - {Path(run)}
    for said in (again.err, command("evaluate", str(run)).err):
        assert f"of the test rows, x: 6 of {len(chosen)} rows outside 0…29 seen in training" in said
        assert f"of the test rows, c: 1 of {len(chosen)} rows not among the categories seen in training" in said


def test_of_many_unusual_features_the_first_are_named(command: Command) -> None:
    names = [f"x{i}" for i in range(9)]
    lines = [",".join([str(i % 7)] * 9 + ["ab"[i % 2]]) + "\n" for i in range(90)]
    words = ["data=table", "data.path=rows.csv", "problem.target=y", *SMALL]
    Path("rows.csv").write_text(",".join([*names, "y\n"]) + "".join(lines))
    for row in load_dataset(runcard.load_card(words)).indices("test")[:6]:
        lines[row] = ",".join(["99"] * 9 + lines[row].split(",")[-1:])
    Path("rows.csv").write_text(",".join([*names, "y\n"]) + "".join(lines))
    said = command("fit", *words).err
    assert said.count("rows outside 0…6 seen in training") == 5
    assert "of the test rows, 4 more features are unlike the training rows" in said


def test_rows_beyond_the_range_by_chance_are_left_out_a_thousand_times_to_one() -> None:
    random, rows, seen, tries = np.random.default_rng(0), 36, 120, 20_000
    training, test = random.normal(size=(tries, seen)), random.normal(size=(tries, rows))
    outside = (test < training.min(1, keepdims=True)) | (test > training.max(1, keepdims=True))
    counts = outside.sum(1)
    for count in (1, 2, 3, 5):
        share = float((counts >= count).mean())
        assert share == pytest.approx(chance_beyond(count, rows, seen), rel=0.25, abs=1e-3)
    alarms = np.mean([chance_beyond(int(count), rows, seen) < 1e-3 for count in counts])
    assert alarms < 2e-3


def test_the_keys_of_the_documentation_are_keys() -> None:
    Path("rows.csv").write_text("x,y\n1,a\n2,b\n")
    text = (Path(runcard.__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    named = re.findall(r"`(data\.\w+=[^`]+)`", text)
    assert len(named) > 8
    for word in named:
        runcard.load_card(["data=table", "data.path=rows.csv", "problem.target=y", word])


POOL = [
    *("1", "2", "3.5", " 4", "1,5", "2,25", "1.234", "1,234", "1.234,5", "$5", "€6", "7 €", "12 %", "5%", "1e5"),
    *("1E400", "inf", "nan", "NaN", "NAN", "-", "--", "?", "NA", "n/a", "none", "", " ", "true", "False", "yes"),
    *("no", "y", "0", "00", "01", "+7", "2024-01-31", "31.01.2024", "1/2/2024", "10:20", "Jan 2024", "20240131"),
    *("2024Q1", "a", "A", "a ", "ä", "\u00a0", "\u200b", "12345678901234567890", "0x10", "1_000", "1'000", "−5"),
    *("½", "\uff11\uff12", "\u0663", "x" * 300), *("a,b", 'say "x"', "a\nb", "${x}", "\x00", "1.5.2", "192.168.0.1"),
    "5 kg",
    *("Q1", "a@b.de", "https://x.y/z", "#REF!", "()", "[1, 2]", '{"a": 1}', "<b>", "=1+1", "\\"),
]  # fmt: skip


def columns_of_cells(least: int, most: int) -> st.SearchStrategy[list[list[str]]]:
    """A few columns of as many cells each, drawn from few or many of the pool."""
    column = st.lists(st.sampled_from(POOL), min_size=1, max_size=4).flatmap(
        lambda some: st.lists(st.sampled_from(some), min_size=most, max_size=most)
    )
    return st.integers(least, most).flatmap(
        lambda rows: st.lists(column.map(lambda cells: cells[:rows]), min_size=2, max_size=4)
    )


def look_over_cells(columns: list[list[str]], task: Any) -> None:
    """Whatever the cells hold: rows, or one sentence; and a number is one that the cell shows."""
    frame = pl.DataFrame({f"c{i}": cells for i, cells in enumerate(columns)})
    frame.write_csv("rows.csv", quote_style="always")
    source = Table("rows.csv", {}, ",", NULL_VALUES, missing_target="drop", rare_classes="drop")
    with contextlib.suppress(DataError):
        survey("rows.csv", "c0")
    try:
        rows = source.read("c0", task)
    except DataError:
        return
    kept = iter(range(len(rows)))
    truths = [None if cell in NULL_VALUES else cell for cell in columns[0]]
    assert len(rows) <= sum(truth is not None for truth in truths)
    if len(rows) < frame.height:
        return
    for name, kind in rows.kinds.items():
        spelling = rows.spellings.get(name, Spelling())
        for place, cell in zip(kept, frame[name], strict=False):
            value = rows.columns[name][place]
            missing = cell in NULL_VALUES or cell in spelling.null_values or cell.strip().lower() == "nan"
            if kind == "category":
                assert value == (None if cell in (*NULL_VALUES, *spelling.null_values) else cell)
            elif kind == "number" and not spelling.format:
                plain = cell.strip().replace("−", "-").replace("\u00a0", "")
                assert np.isnan(value) if missing else value == float(plain), (cell, value)
        kept = iter(range(len(rows)))


@settings(max_examples=8, deadline=None)
@given(columns_of_cells(4, 60), st.sampled_from(["auto", "classification", "regression"]))
def test_whatever_stands_in_the_cells(columns: list[list[str]], task: str) -> None:
    look_over_cells(columns, task)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(columns_of_cells(4, 60), st.sampled_from(["auto", "classification", "regression"]))
def test_whatever_stands_in_the_cells_by_the_thousand(columns: list[list[str]], task: str) -> None:
    look_over_cells(columns, task)


def test_a_number_that_people_write_for_none_is_doubted_and_named_by_its_value() -> None:
    values = [-999.0 if i % 9 == 0 else i / 7 for i in range(90)]
    look = looked([str(value) for value in values])
    assert look.remark.startswith("-999 in 10 rows, far from the others: if it means missing, say so")
    assert not looked([str(value) for value in [*range(990, 1010), 999, 1500, -40]]).doubt
    pl.DataFrame({"x": values, "i": [int(value) for value in values], "y": ["a", "b"] * 45}).write_parquet(
        "rows.parquet"
    )
    pl.read_parquet("rows.parquet").write_csv("rows.csv")
    for name in ("rows.csv", "rows.parquet"):
        given = {"x": ["-999"], "i": ["-999"]}
        rows = Table(name, {}, ",", NULL_VALUES, null_values_of=given).read("y", "auto")
        assert [int(np.isnan(rows.columns[column]).sum()) for column in ("x", "i")] == [10, 10]
        assert rows.spellings == {column: Spelling("", ("-999",)) for column in given}


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt8, pl.Int32, pl.UInt64, pl.Int128, pl.Float32, pl.Decimal(10, 2)])
def test_numbers_of_any_type_are_looked_at_alike(dtype: Any) -> None:
    values = [5, 3, 9, 3, 7, 100] * 10
    typed = look_at(see(pl.Series("x", values).cast(dtype), Habits()), Habits())
    assert (typed.kind, typed.remark) == ("number", "5 different whole numbers: category if they are codes")
    counter = look_at(see(pl.Series("id", range(100)).cast(dtype), Habits()), Habits())
    assert (counter.kind, counter.remark) == ("ignore", "it only counts the rows")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            ["5 kg", "7.5 kg", "12 kg"],
            """such as '5 kg'; 'data.formats={x: "1234.5 kg"}' 'data.kinds={x: number}' reads them so""",
        ),
        (["v1", "v2", "v3"], ""),
        (["ca. 5,5", "ca. 7", "ca. 9,25"], ""),
        (["5'11\"", "6'2\"", "5'9\""], "resemble numbers, such as"),
        (["1/2", "3/4", "1/8"], "resemble numbers, such as '1/2'"),
        (["1.5D+03", "2.5D+03", "1.0D+02"], "resemble numbers, such as '1.5D+03'"),
        (["1.200,-", "3.500,-", "800,-"], "resemble numbers, such as"),
        (["5-", "7-", "9-"], "resemble numbers, such as '5-'"),
        (["first", "second", "3rd"], ""),
    ],
)
def test_what_resembles_numbers_is_said(cells: list[str], said: str) -> None:
    for rows in (cells * 20, [f"{i}{cells[0].lstrip('0123456789')}" for i in range(40)] if said else cells * 20):
        look = looked(rows)
        assert look.kind in ("category", "ignore")
        assert bool(said) == ("resemble" in look.remark), look
    assert said in looked(cells * 20).remark
    word = "reads them so" in said
    if word:
        text = "x,y\n" + "".join(f"{cell},{'ab'[i % 2]}\n" for i, cell in enumerate(cells * 20))
        read = table(text, formats={"x": "1234.5 kg"}).read("y", "auto")
        assert read.columns["x"][:3].tolist() == [5, 7.5, 12]


def test_points_that_may_group_thousands_are_said() -> None:
    """A file in which nothing else tells: 1.234 is read as it stands in most of the world, and with a word."""
    look = looked(["1.234", "12.345", "999"] * 20)
    assert (look.kind, look.format, look.doubt) == ("number", "", True)
    assert look.remark.startswith("'1.234' is read as 1.234; if its point groups thousands, say 'data.formats=")
    for cells in (["1.234", "0.123", "5"], ["1.234", "12.34"], ["1.2", "2.5"], ["1", "2"]):
        assert not looked(cells * 20).doubt or "codes" in looked(cells * 20).remark


def test_a_format_of_what_is_no_number_is_refused(command: Command) -> None:
    """A project names each kind: what its owner is told to type must count there too."""
    Path("rows.csv").write_text("w,x,y\n" + "".join(f"{i % 9} kg,{i % 7},{'ab'[i % 2]}\n" for i in range(60)))
    made = command("init", "mine", "--data", "rows.csv", "--target", "y")
    (line,) = [line for line in made.out.splitlines() if "resemble" in line]
    typed = [shlex.split(one)[0] for one in re.findall(r"'data\.[^']*'", line)]
    refused = command("fit", "--config-dir", "mine/conf", "experiment=mine", typed[0], *SMALL)
    assert (refused.code, "data.formats.w: says how the column writes numbers" in refused.err) == (2, True)
    said = command("fit", "--config-dir", "mine/conf", "experiment=mine", *typed, *SMALL, "--json")
    assert said.code == 0, said.err
    assert read_yaml(Path(said.json["run"]) / "card.yaml")["data"]["kinds"]["w"] == "number"
