"""What strangers see holds nothing that is one person's."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard.data.fields import by_value, to_columns, warnings
from runcard.data.signature import Feature, Signature, Target, category_count
from runcard.data.withheld import SaltedDict, SaltedSet, digest_of
from runcard.packaging.bundle import open_bundle
from runcard.packaging.made import make_rows
from runcard.packaging.withholding import LEAST_ROWS, round_outward, withhold
from runcard.serving.about import about
from runcard.serving.openapi import openapi
from runcard.serving.page import page
from runcard.serving.predictor import Predictor
from tests.conftest import TINY, Command, customers

# Each is of few rows, or a sentence.
RARE, SENTENCE, EXTREME = "Wolkenkuckucksheim", "refund not received, very angry, ticket 8327", 9731.17
KINDS = "data.kinds={customer: ignore, age: number, city: category, member: boolean, spent: number, said: category}"


def rows_of_people() -> pl.DataFrame:
    """The customers; of a city with one row, with sentences that many share, and one who spent most."""
    frame = customers(600)
    said = [SENTENCE if row % 3 else "all was fine with the order" for row in range(600)]
    city = [RARE if row in (7, 99) else text for row, text in enumerate(frame["city"])]
    spent = [EXTREME if row == 11 else value for row, value in enumerate(frame["spent"])]
    return frame.with_columns(pl.Series("city", city), pl.Series("said", said), pl.Series("spent", spent))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of these rows, and its bundle."""
    folder = tmp_path_factory.mktemp("people")
    rows_of_people().write_csv(folder / "rows.csv")
    words = ["data=table", f"data.path={folder}/rows.csv", "problem.target=churned", KINDS, *TINY]
    run = runcard.fit(runcard.load_card([*words, f"runs_dir={folder}/runs"]))
    return run.path, runcard.package(run.path, http=False, accept=True).path


def seen_by_strangers(bundle: Path) -> dict[str, str]:
    """What the service shows, and the files of the bundle."""
    predictor = Predictor(open_bundle(bundle), "people:1")
    rows = list(map(dict, predictor.bundle.examples))
    shown = {"page": page(predictor, rows).body.decode(), "model": json.dumps(about(predictor), ensure_ascii=False)}
    shown["openapi.json"] = json.dumps(openapi(predictor, rows), ensure_ascii=False)
    return shown | {file.name: file.read_bytes().decode(errors="replace") for file in bundle.iterdir()}


def test_nothing_of_one_person_is_seen(people: tuple[Path, Path]) -> None:
    frame = rows_of_people()
    for name, text in seen_by_strangers(people[1]).items():
        for canary in (RARE, "ticket 8327", str(EXTREME)):
            assert canary not in text, name
    # No row, not even in two of its fields: of numbers with decimals the chance is nothing.
    pairs = {*zip(frame["age"], frame["spent"], strict=True)}
    assert not pairs & {(row["age"], row["spent"]) for row in open_bundle(people[1]).rows}


def test_made_rows_are_like_those_of_the_data(people: tuple[Path, Path]) -> None:
    bundle = open_bundle(people[1])
    rows = bundle.examples
    ages, spent = (np.array([row[name] for row in rows]) for name in ("age", "spent"))
    assert abs(np.median(ages) - 45) < 2
    assert 8 < ages.std() < 16
    assert 40 < np.median(spent) < 100
    assert {row["city"] for row in rows} == {"Bonn", "Köln", "Ulm"}
    assert 5 < sum(row["member"] for row in rows) < 20
    assert {row["said"] for row in rows} == {None}  # there is no sentence that may be named
    assert json.loads((people[1] / "bundle.json").read_text())["examples"] == "made"


def test_what_is_not_named_is_answered_as_the_run_does(people: tuple[Path, Path]) -> None:
    run, bundle = runcard.load_run(people[0]), open_bundle(people[1])
    values = {"age": 45.0, "member": True, "spent": 100.0}
    rows = [
        {**values, "city": city, "said": said} for city in (RARE, "Ulm", "Paris") for said in (SENTENCE, "no", None)
    ]
    expected = run.answer(to_columns(run.signature, rows))
    assert np.abs(bundle.answer(to_columns(bundle.signature, rows)) - expected).max() < 1e-6
    assert np.abs(expected[0] - expected[6]).max() > 1e-4  # the network knows the city
    for signature in (run.signature, bundle.signature):
        said = warnings(signature, to_columns(signature, rows), len(rows))
        assert [bool(re.search("city .* never seen", " ".join(each))) for each in said] == [False] * 6 + [True] * 3
        assert ["said 'no' was never seen in training" in each for each in said] == [False, True, False] * 3


def test_real_rows_are_shown_if_the_card_says_so_or_the_command(people: tuple[Path, Path], command: Command) -> None:
    said = command("package", "--no-http", "--accept", "--examples", "real", str(people[0]), "--json")
    assert said.code == 0, said.err
    bundle = open_bundle(Path(said.json["path"]))
    tested, _ = runcard.tested_rows(people[0])
    assert bundle.examples[0] in tested
    cities = {feature.name: feature.categories for feature in bundle.signature.features}["city"]
    assert RARE in cities
    assert "hold rows of the data" in (Path(said.json["path"]) / "README.md").read_text()


def test_it_is_not_chosen_when_a_bundle_is_served(people: tuple[Path, Path], command: Command) -> None:
    said = command("serve", "serve.examples=real")
    assert said.code == 2
    assert "serve.examples: is settled when a bundle is made" in said.err


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (18, 93, (15, 95)),
        (0, 100, (0, 100)),
        (12345.67, 98765.43, (10000, 100000)),
        (-0.937, 0.411, (-1.0, 0.5)),
        (7, 7, (7, 7)),
        (0.1, 0.3, (0.1, 0.3)),
    ],
)
def test_ends_are_rounded_outward(low: float, high: float, expected: tuple[float, float]) -> None:
    assert round_outward(low, high) == expected


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_no_value_falls_outside(one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, last = round_outward(low, high)
    assert first <= low <= high <= last
    assert math.isfinite(last - first)
    assert last - first <= (high - low) * 1.25 or math.isclose(high, low, rel_tol=1e-6, abs_tol=1e-300)


@settings(max_examples=60)
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=12, unique=True), st.data())
def test_each_category_has_its_place_named_or_not(texts: list[str], data: st.DataObject) -> None:
    hidden = data.draw(st.sets(st.sampled_from(texts)))
    salt = "salt"
    places = {digest_of(salt, text) if text in hidden else text: place for place, text in enumerate(texts)}
    salted = SaltedDict(places, salt)
    assert [salted.get(text) for text in texts] == list(range(len(texts)))
    assert salted.get("\0", -1) == -1
    assert salted.get(None, -1) == -1
    known = SaltedSet({*places, None}, salt)
    assert all(text in known for text in (*texts, None))
    assert "\0" not in known


def of_rows(signature: Signature, **columns: Any) -> Any:
    """A data set of nothing but training rows."""
    arrays = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else float)
        for name, values in columns.items()
    }
    rows = SimpleNamespace(columns=arrays, pick=lambda some: {name: values[some] for name, values in arrays.items()})
    count = len(next(iter(arrays.values())))
    rows.target = np.array([f"class {row % 2}" for row in range(count)], dtype=object)
    return SimpleNamespace(rows=rows, signature=signature, indices=lambda _: np.arange(count))


NUMBERS = Target("y", "regression", low=0.0, high=1.0)


def test_categories_that_are_numbers_are_found_by_value_named_or_not() -> None:
    signature = Signature((Feature("code", "category", categories=("1.0", "2.0", "3.50")),), NUMBERS)
    shown = withhold(signature, of_rows(signature, code=["1.0"] * LEAST_ROWS + ["2.0"] * LEAST_ROWS + ["3.50"]))
    (feature,) = shown.features
    assert (feature.categories, category_count(feature)) == (("1.0", "2.0"), 3)
    names = by_value(feature)
    assert names.get("1") == "1.0"
    assert names.get("3.5") in feature.known
    assert names.get("4", "4") not in feature.known
    assert Signature.from_dict(json.loads(json.dumps(shown.to_dict()))) == shown


def test_truth_values_are_nobodys() -> None:
    signature = Signature((Feature("member", "category", categories=("False", "True", "maybe")),), NUMBERS)
    shown = withhold(signature, of_rows(signature, member=["True", "False", "maybe"]))
    assert shown.features[0].categories == ("False", "True")


def test_rows_are_made_of_words_that_many_use() -> None:
    signature = Signature((Feature("said", "text"),), NUMBERS)
    texts = [f"good film number{row} said Zaphod{'x' * row}" for row in range(20)]
    made = make_rows(signature, of_rows(signature, said=texts), 8)["said"]
    assert {word for text in made for word in text.split()} == {"good", "film", "said"}
    assert set(make_rows(signature, of_rows(signature, said=["Zaphod"]), 2)["said"]) == {"text"}


def test_whole_numbers_are_made_whole_and_arrays_by_each_number() -> None:
    features = (Feature("count", "number", low=0, high=40), Feature("wave", "vector", (3,), low=0, high=9))
    signature = Signature(features, NUMBERS)
    wave = np.stack([np.arange(40) % 10, np.full(40, np.nan), np.full(40, 5.0)], axis=1)
    rows = of_rows(signature, count=list(range(40)))
    rows.rows.columns["wave"] = wave
    made = make_rows(signature, rows, 16)
    assert (made["count"] == np.rint(made["count"])).all()
    assert made["wave"].shape == (16, 3)
    assert np.isnan(made["wave"][:, 1]).all()
    assert (made["wave"][:, 2] == 5).all()
    assert 3 < made["wave"][:, 0].mean() < 6


def test_a_picture_is_the_mean_of_several_of_one_class() -> None:
    signature = Signature((Feature("x", "image", (1, 2, 2), low=0.0, high=100.0),), NUMBERS)
    rows = of_rows(signature, x=[0.0] * 40)
    pixels = np.arange(40, dtype=np.float32) % 2 * 50 + np.arange(40)  # the class decides whether it is above 50
    rows.rows.columns["x"] = np.broadcast_to(pixels[:, None, None, None], (40, 1, 2, 2)).copy()
    made = make_rows(signature, rows, 8)["x"]
    assert made.shape == (8, 1, 2, 2)
    means = made.mean(axis=(1, 2, 3))
    assert ((means > 10) & (means < 30)).sum() == 4  # of eight numbers below 40
    assert ((means > 60) & (means < 80)).sum() == 4
    assert (made == np.rint(made)).all()
