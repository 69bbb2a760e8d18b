"""What is guessed of a file that nobody has described: kinds, identifiers, dates, texts, columns that tell too much."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from runcard.card.sections.formats import Spelling
from runcard.data.looking.columns import look_at as look_at_seen
from runcard.data.looking.look import Look
from runcard.data.looking.seen import Habits, see
from runcard.data.survey import guess_separator, survey
from runcard.errors import CardError, DataError
from tests.conftest import customers

RANDOM = np.random.default_rng(0)
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(int(day)) for day in RANDOM.integers(400, size=60)]

# Values, the kind, what the remark holds.
LOOKS: dict[str, tuple[list[Any], str, str]] = {
    "numbers": ([1.5, None, *RANDOM.normal(size=58).tolist()], "number", "missing in one row"),
    "booleans": ([True, False, None] * 20, "boolean", "missing in 20 rows"),
    "yes and no": (["yes", "No"] * 30, "boolean", ""),
    "categories": (["Ulm", "Bonn", "Köln"] * 20, "category", "3 values"),
    "codes": ([1, 2, 3, 4] * 15, "number", "category if they are codes"),
    "zip codes": (["01067", "53111"] * 30, "category", "leading zeros"),
    "empty": ([None] * 60, "ignore", "empty"),
    "constant": (["x"] * 60, "ignore", "the same in every row"),
    "constant truth": ([True] * 60, "ignore", "the same in every row"),
    "constant with gaps": ([7, None] * 30, "ignore", "the same wherever it is known"),
    "shuffled identifiers": (RANDOM.permutation(60).tolist(), "ignore", "as identifiers are"),
    "counter": (list(range(100, 160)), "ignore", "goes up by one"),
    "different by chance": (RANDOM.integers(10**8, size=60).tolist(), "number", "is it an identifier?"),
    "names": ([f"Name {i}" for i in range(60)], "ignore", "as names and identifiers are"),
    "mostly names": ([f"Name {i // 1.5}" for i in range(60)], "ignore", "look like names"),
    "mails": ([f"a{i % 7}@b.de" for i in range(60)], "ignore", "e-mail addresses"),
    "links": ([f"https://b.de/{i % 7}" for i in range(60)], "ignore", "web addresses"),
    "UUIDs": ([str(uuid.UUID(int=i)) for i in range(60)], "ignore", "UUIDs"),
    "sentences": ([f"it was a fine day {i}" for i in range(60)], "ignore", "model=pretrained reads it"),
    "dates": (DAYS, "ignore", "dates or times"),
    "German dates": ([f"{day:%d.%m.%Y}" for day in DAYS], "ignore", "dates or times"),
    "American dates": ([f"{day:%m/%d/%Y}" for day in DAYS], "ignore", "dates or times"),
    "time stamps": ([f"{day}T12:30:05Z" for day in DAYS], "ignore", "dates or times"),
    "hours": ([f"{i % 24:02}:30" for i in range(60)], "ignore", "dates or times"),
    "days as numbers": ([int(f"{day:%Y%m%d}") for day in DAYS], "ignore", "dates or times written as numbers"),
    "decimal commas": (["12,5", "7", "1.200,5"] * 20, "number", ""),
    "money": (["$1,200", "$7.50"] * 30, "number", ""),
    "texts among numbers": (
        ["a", "b", *map(str, range(10))] * 5,
        "category",
        "50 of 60 values are numbers, not 'a'",
    ),
    "digits beyond a float's": (
        ["12345678901234567890", "12345678901234567891"] * 30,
        "category",
        "more than 15 digits",
    ),
    "lists": ([[1, 2]] * 60, "ignore", "neither numbers, categories nor booleans"),
}


def look_at(column: pl.Series) -> Look:
    return look_at_seen(see(column, Habits()), Habits())


@pytest.mark.parametrize("case", LOOKS)
def test_look(case: str) -> None:
    values, kind, remark = LOOKS[case]
    seen = look_at(pl.Series("x", values))
    assert (seen.kind, remark in seen.remark) == (kind, True), seen


@pytest.mark.parametrize("name", ["id", "customer_id", "customerId", "Order No", "row.nr"])
def test_a_name_tells_an_identifier(name: str) -> None:
    values = np.random.default_rng(1).integers(10**8, size=40)
    assert look_at(pl.Series(name, values)).kind == "ignore"
    assert look_at(pl.Series("spent", values)).kind == "number"
    assert look_at(pl.Series(name, [5, 5, 6] * 10)).kind == "number"


def test_a_name_tells_a_clock() -> None:
    seconds = np.random.default_rng(1).integers(1_500_000_000, 1_600_000_000, 50)
    assert look_at(pl.Series("created_at", seconds * 1000)).kind == "ignore"
    assert look_at(pl.Series("signupDate", seconds)).kind == "ignore"
    assert look_at(pl.Series("bytes", [*seconds, seconds[0]])).kind == "number"


def rows(count: int = 200) -> pl.DataFrame:
    """A class and a number, neither of which follows from the other columns."""
    random = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "x": random.normal(size=count),
            "c": random.choice(["a", "b", "c"], count),
            "kind": random.choice(["no", "yes"], count, p=[0.9, 0.1]),
            "price": random.exponential(100, count),
        }
    )


def doubts(frame: pl.DataFrame, target: str) -> dict[str, str]:
    frame.write_parquet("rows.parquet")
    return {name: look.remark for name, look in survey("rows.parquet", target).looks.items() if look.doubt}


def test_columns_that_tell_the_class() -> None:
    frame = rows().drop("price")
    assert not doubts(frame, "kind")
    yes = frame["kind"] == "yes"
    told = frame.with_columns(
        code=yes.cast(pl.Int64) + 4,
        letter=pl.Series(np.where(yes, "J", "N")),
        days=pl.Series(np.where(yes, 100.0, 0.0) + np.random.default_rng(2).random(200)),
        left=pl.Series([float(i % 9) if there else None for i, there in enumerate(yes)]),
    )
    assert set(doubts(told, "kind")) == {"code", "letter", "days", "left"}
    assert "would it be known beforehand? If not, say ignore" in doubts(told, "kind")["code"]
    assert "whether it is missing tells 'kind'" in doubts(told, "kind")["left"]


def test_columns_that_tell_the_number() -> None:
    frame = rows().drop("kind")
    assert not doubts(frame, "price")
    price = frame["price"]
    told = frame.with_columns(euro=price * 0.9 + 5, log=-price.log(), rough=price + 50 * frame["x"], none=None)
    assert set(doubts(told, "price")) == {"euro", "log"}
    steps = frame.with_columns(price=pl.col("c").replace_strict({"a": 1.5, "b": 20.5, "c": 300.5}))
    assert set(doubts(pl.concat([steps] * 2).with_columns(price=pl.col("price") + 0.01 * pl.col("x")), "price")) == {
        "c"
    }


@pytest.mark.parametrize(("mark", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.txt"), ("|", "a.csv")])
def test_the_separator_is_found(mark: str, name: str) -> None:
    frame = customers(40).with_columns(said=pl.lit("one, two; three | four"))
    frame.write_csv(name, separator=mark)
    assert guess_separator(name) == mark
    assert survey(name, "churned").looks.keys() == set(frame.columns) - {"churned"}


def test_classes_are_counted_as_they_are_called() -> None:
    frame = pl.DataFrame({"x": range(7, 87, 2), "whole": [0.0, 1.0] * 20, "truth": [True, False] * 20})
    frame.write_parquet("rows.parquet")
    assert survey("rows.parquet", "whole").truth.counts == {"0": 20, "1": 20}
    assert list(survey("rows.parquet", "truth").truth.counts) == ["true", "false"]


def test_marks_for_missing_are_found() -> None:
    frame = customers(60).with_columns(power=pl.Series(["?" if i % 9 == 0 else str(i % 50) for i in range(60)]))
    frame.write_csv("rows.csv")
    seen = survey("rows.csv", "churned")
    assert "?" not in seen.null_values
    assert seen.spellings == {"power": Spelling("", ("?",))}
    assert seen.looks["power"].kind == "number"
    assert "column 'power': '?' among its numbers is read as missing, in 7 rows (data.null_values_of)" in seen.notes
    # In another column it is a value: a class, or a category.
    frame.with_columns(churned=pl.Series(["?", "yes"] * 30), city=pl.Series(["?", "Ulm"] * 30)).write_csv("rows.csv")
    seen = survey("rows.csv", "churned")
    assert list(seen.spellings) == ["power"]
    assert seen.truth.counts == {"?": 30, "yes": 30}


def test_the_target_must_be_there() -> None:
    customers(40).write_csv("rows.csv")
    with pytest.raises(CardError, match=r"Did you mean 'churned'\? There are: 'customer', 'age'"):
        survey("rows.csv", "churn")
    with pytest.raises(CardError, match=r"--target COLUMN must be given with a file of rows.*'customer', 'age'"):
        survey("rows.csv", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a,b\n", "a header and no rows"),
        ("b\n1\n", "no column to learn from besides 'b'"),
        ("a,b\n" + "a fine day,1\n" * 20, "'a': the same in every row"),
        ("a,b\n" + "".join(f"the day {i} was fine,{i % 2}\n" for i in range(20)), "'a': free text: model=pretrained"),
        ("a,b\n" + "".join(f"name{i},{i % 2}\n" for i in range(20)), "'data.kinds={a: category}'"),
        ("a,a,b\n1,2,3\n", "a column twice"),
    ],
)
def test_files_that_cannot_be_learned_from(text: str, said: str) -> None:
    Path("rows.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        survey("rows.csv", "b")
    assert said in str(caught.value)
