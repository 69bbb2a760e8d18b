"""``/explain``: effects are what they are said to be, on models whose answers are known and on trained ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import runcard
from runcard.data.fields import to_columns, to_fields
from runcard.data.signature import Array, Columns, Feature, Kind, Signature, Target
from runcard.packaging.bundle import Bundle, open_bundle
from runcard.serving import explain
from runcard.serving.explain import MOST_ROWS, Explainer
from runcard.serving.http import Asked, RefusedError
from runcard.serving.predictor import Predictor
from runcard.serving.reading import Requests
from tests.conftest import GLAD, SAD, Made
from tests.serving.hostile import GOOD

Answering = Callable[[Columns], NDArray[np.float64]]
NUMBERS = Target("y", "regression")


@dataclass
class Known:
    """What an explainer asks of a bundle, with an answer that is written down."""

    signature: Signature
    examples: list[dict[str, Any]]
    answering: Answering
    largest: int = 0
    given: int = 0

    def answer(self, columns: Columns) -> NDArray[np.float64]:
        size = sum(np.asarray(values).size for values in columns.values())
        self.largest, self.given = max(self.largest, size), self.given + size
        return self.answering(columns)


def explained(bundle: Known | Bundle, row: dict[str, Any]) -> dict[str, Any]:
    return Explainer(cast(Bundle, bundle)).explain(to_columns(bundle.signature, [row]))


def effects(said: Mapping[str, Any]) -> dict[str, float]:
    return {field["field"]: field["effect"] for field in said["fields"]}


def of_numbers(weights: dict[str, float], count: int = 50) -> Known:
    """``y`` is the weighted sum of numbers."""
    random = np.random.default_rng(0)
    signature = Signature(tuple(Feature(name, "number", low=-9.0, high=9.0) for name in weights), NUMBERS)
    rows = [dict(zip(weights, random.normal(size=len(weights)).tolist(), strict=True)) for _ in range(count)]
    return Known(signature, rows, lambda columns: sum(weights[name] * columns[name] for name in weights))  # type: ignore[arg-type, return-value]


def of_array(kind: Kind, *shape: int, weights: Array | None = None, count: int = 40) -> Known:
    """``y`` is the weighted sum of an array's numbers."""
    random = np.random.default_rng(0)
    signature = Signature((Feature("x", kind, shape, -9.0, 9.0),), NUMBERS)
    rows = to_fields(signature, {"x": random.normal(size=(count, *shape)).astype(np.float32)})
    weight = random.normal(size=shape) if weights is None else weights
    return Known(signature, rows, lambda columns: (columns["x"] * weight).reshape(len(columns["x"]), -1).sum(axis=1))


def test_of_a_weighted_sum_a_numbers_effect_is_its_weight_times_its_way_from_the_mean() -> None:
    weights = {"a": 2.0, "b": -3.0, "c": 0.5, "ignored": 0.0}
    bundle = of_numbers(weights)
    row = {"a": 1.0, "b": 1.0, "c": -4.0, "ignored": 7.0}
    said = explained(bundle, row)
    assert said["value"] == pytest.approx(2.0 - 3.0 - 2.0)
    for name, effect in effects(said).items():
        mean = np.mean([other[name] for other in bundle.examples[:MOST_ROWS]])
        assert effect == pytest.approx(weights[name] * (row[name] - mean))
    sizes = [abs(effect) for effect in effects(said).values()]
    assert sizes == sorted(sizes, reverse=True)
    assert said["fields"][-1] == {"field": "ignored", "effect": 0.0}


def test_of_classes_it_is_the_chosen_ones_probability() -> None:
    signature = Signature(
        (Feature("city", "category", categories=("Bonn", "Ulm")),), Target("y", "classification", ("no", "yes"))
    )

    def answering(columns: Columns) -> NDArray[np.float64]:
        yes = np.where(columns["city"] == "Ulm", 0.9, 0.2)
        return np.stack([1 - yes, yes], axis=1)

    bundle = Known(signature, [{"city": "Ulm"}, {"city": "Bonn"}] * 16, answering)
    for name, chosen, share in (("Ulm", "yes", 0.9), ("Bonn", "no", 0.8), (None, "no", 0.8)):
        said = explained(bundle, {"city": name})
        assert (said["class"], said["probability"]) == (chosen, pytest.approx(share))
        others = 0.55 if chosen == "yes" else 0.45
        assert effects(said)["city"] == pytest.approx(share - others)


@pytest.mark.parametrize(
    ("kind", "shape", "grid"),
    [
        ("image", (1, 8, 8), (8, 8)),
        ("image", (3, 40, 30), (16, 16)),
        ("image", (1, 5, 100), (5, 16)),
        ("sequence", (6, 2), (6, 2)),
        ("sequence", (100, 3), (16, 3)),
        ("vector", (12,), (12,)),
        ("vector", (5000,), (2048,)),
    ],
)
def test_a_grid_covers_an_array_and_its_cells_add_up(kind: Kind, shape: tuple[int, ...], grid: tuple[int, ...]) -> None:
    """In a weighted sum nothing acts together, so the whole is what the cells are, if they are taken from one row."""
    bundle = of_array(kind, *shape, count=1)
    row = {"x": (np.asarray(bundle.examples[0]["x"]) + 1).tolist()}
    (field,) = explained(bundle, row)["fields"]
    assert np.shape(field["cells"]) == grid
    assert np.sum(field["cells"]) == pytest.approx(field["effect"], rel=1e-4, abs=1e-3)


def test_the_cells_that_the_answer_hangs_on_have_the_effect() -> None:
    weights = np.zeros((1, 8, 8))
    weights[0, 2:4, 5] = 10.0
    bundle = of_array("image", 1, 8, 8, weights=weights)
    (field,) = explained(bundle, {"x": np.full((8, 8), 2.0).tolist()})["fields"]
    cells = np.array(field["cells"])
    assert np.argwhere(cells).tolist() == [[2, 5], [3, 5]]
    means = np.mean([np.asarray(row["x"]) for row in bundle.examples[:MOST_ROWS]], axis=0)
    np.testing.assert_allclose(cells[2:4, 5], 10 * (2.0 - means[2:4, 5]), rtol=1e-5)


def test_a_sequence_with_gaps_has_effects() -> None:
    bundle = of_array("sequence", 6, 2)
    whole = bundle.answering
    bundle.answering = lambda columns: whole({"x": np.nan_to_num(columns["x"])})
    for value in (None, [[1.0, None]] * 6):
        (field,) = explained(bundle, {"x": value})["fields"]
        assert np.isfinite(field["cells"]).all()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("image", (3, 224, 224)), ("image", (3, 600, 600)), ("vector", (100_000,)), ("sequence", (5000, 100))],
)
def test_what_is_large_is_looked_at_more_coarsely_and_in_parts(kind: Kind, shape: tuple[int, ...]) -> None:
    size = math.prod(shape)
    bundle = of_array(kind, *shape, weights=np.ones(shape, dtype=np.float32), count=3)
    (field,) = explained(bundle, bundle.examples[0])["fields"]
    assert np.isfinite(field["cells"]).all()
    assert bundle.largest <= max(explain.AT_ONCE, size)
    once = max(explain.MOST_NUMBERS, explain.LEAST_VARIANTS * size)
    assert bundle.given <= once + min(explain.MOST_NUMBERS, MOST_ROWS * size) + 200 * size


@pytest.fixture(scope="module")
def table(table_made: Made) -> Bundle:
    return open_bundle(table_made.bundle.path)


def test_a_trained_table(table: Bundle) -> None:
    """Who is of Ulm and no member leaves, and what he spent says nothing; so it was made up."""
    row = {"age": 45.0, "city": "Ulm", "member": False, "spent": 100.0}
    said = explained(table, row)
    found = effects(said)
    assert (said["class"], set(found)) == ("yes", set(GOOD))
    assert min(found["city"], found["member"]) > 0.05
    assert abs(found["spent"]) < min(found["city"], found["member"])
    assert explained(table, row) == said


def test_a_trained_digit_hangs_on_what_is_drawn(digits_made: Made) -> None:
    bundle = open_bundle(digits_made.bundle.path)
    row = dict(runcard.tested_rows(digits_made.run.path)[0][0])
    (field,) = explained(bundle, row)["fields"]
    cells = np.array(field["cells"])
    edge = np.concatenate([cells[:, 0], cells[:, -1]])  # where no digit is
    assert cells.shape == (8, 8)
    assert np.abs(cells[:, 2:6]).mean() > 3 * np.abs(edge).mean()


@pytest.mark.parametrize("kind", ["vector", "sequence"])
def test_trained_arrays(kind: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(f"{kind}_made")
    bundle = open_bundle(made.bundle.path)
    row = dict(runcard.tested_rows(made.run.path)[0][0])
    (field,) = explained(bundle, row)["fields"]
    assert np.shape(field["cells"]) == bundle.signature.features[0].shape


def test_a_texts_words_have_effects(text_made: Made) -> None:
    bundle = open_bundle(text_made.bundle.path)
    text = "the film was lovely , with music"
    said = explained(bundle, {"review": text})
    (field,) = said["fields"]
    words = {text[word["start"] : word["end"]]: word["effect"] for word in field["words"]}
    assert list(words) == text.split()
    assert said["class"] == "liked"
    assert max(words, key=lambda word: words[word]) == "lovely"
    assert words["lovely"] > 0.1
    sad = explained(bundle, {"review": "a dull story"})
    assert sad["class"] == "loathed"
    assert {*GLAD, *SAD} >= {"lovely", "dull"}
    assert explained(bundle, {"review": None})["fields"][0]["words"] == []
    long = explained(bundle, {"review": " ".join(["film"] * 1000)})
    assert len(long["fields"][0]["words"]) == explain.MOST_WORDS


def test_one_row_is_explained_at_a_time(table: Bundle) -> None:
    requests = Requests(Predictor(table, "table:1"))

    def ask(body: Any, kind: bytes = b"application/json") -> dict[str, Any]:
        asked = Asked("POST", "/explain", {b"content-type": kind}, json.dumps(body).encode())
        found: dict[str, Any] = json.loads(requests.explain(asked).body)
        return found

    said = ask(GOOD)
    assert list(said) == ["model_version", "class", "probability", "method", "fields"]
    assert said["model_version"] == "table:1"
    for body in ([GOOD, GOOD], [GOOD], []):
        with pytest.raises(RefusedError, match="send one row, an object") as caught:
            ask(body)
        assert caught.value.status == 400
    with pytest.raises(RefusedError, match="application/json") as caught:
        ask(GOOD, b"text/csv")
    assert caught.value.status == 415
