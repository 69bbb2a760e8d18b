"""Signature and transforms: learned from training rows alone, the same after a trip through JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcard.data import signature, transforms
from runcard.data.signature import Rows, Signature
from runcard.data.transforms import MAX_CATEGORIES, TargetStep, Transforms
from runcard.data.values import columns_of

TEXT = st.one_of(st.none(), st.text("abcß 字", min_size=1, max_size=3))
NUMBER = st.one_of(st.none(), st.floats(-1e6, 1e6))


def rows_of(numbers: list[float | None], texts: list[str | None], flags: list[bool | None]) -> Rows:
    def floats(values: list[Any]) -> Any:
        return np.array([np.nan if value is None else float(value) for value in values])

    columns = {"n": floats(numbers), "t": np.array(texts, dtype=object), "b": floats(flags)}
    target = np.arange(len(numbers), dtype=np.float64)
    return Rows(columns, {"n": "number", "t": "category", "b": "boolean"}, target, "y", "regression", (), "")


def fitted(rows: Rows) -> tuple[Signature, Transforms]:
    everything = np.arange(len(rows))
    described = signature.describe(rows, everything)
    return described, transforms.fit(described, rows.columns, rows.target)


@given(st.lists(st.tuples(NUMBER, TEXT, st.one_of(st.none(), st.booleans())), min_size=1, max_size=30))
def test_any_rows_become_finite_numbers_and_json_changes_nothing(rows: list[Any]) -> None:
    data = rows_of(*map(list, zip(*rows, strict=True)))
    described, learned = fitted(data)
    numbers = learned.apply(data.columns)
    assert numbers.shape == (len(rows), *learned.input_shape(described))
    assert np.isfinite(numbers).all()
    stored = json.loads(json.dumps([described.to_dict(), learned.to_dict()]))
    again = Signature.from_dict(stored[0])
    assert again == described
    assert Transforms.from_dict(stored[1], again) == learned


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
def test_numbers_are_centred_and_scaled(values: list[float]) -> None:
    data = rows_of(list(values), ["a"] * len(values), [True] * len(values))
    scaled = fitted(data)[1].apply(data.columns)[:, 0]
    assert abs(scaled.mean()) < 1e-3
    if min(values) == max(values):
        assert not scaled.any()
    elif np.std(values) > max(1e-9 * np.abs(values).max(), 1e-150):  # squares of smaller ones are no numbers
        assert abs(scaled.std() - 1) < 1e-3


@pytest.mark.parametrize("value", [0.1, 341.40919709, 0.0, 1e10])
def test_a_column_that_never_changed_says_nothing(value: float) -> None:
    data = rows_of([value] * 1000, ["a"] * 1000, [True] * 1000)
    described, learned = fitted(data)
    assert learned.steps[0].std == 0.0
    other = rows_of([value + 1, None], ["a", "a"], [False, True]).columns
    assert not learned.apply(other)[:, 0].any()
    assert "n" in signature.surprises(described, other)


def test_a_column_without_values_in_training_says_nothing_later() -> None:
    data = rows_of([None, None], ["a", "b"], [True, False])
    described, learned = fitted(data)
    new = rows_of([4867.0, None], ["a", "b"], [True, False]).columns
    np.testing.assert_array_equal(learned.apply(new)[:, :2], [[0, 0], [0, 1]])
    assert signature.surprises(described, new)["n"][0].tolist() == [True, False]


def test_a_slip_stays_finite() -> None:
    learned = fitted(rows_of([0.0, 1.0], ["a", "b"], [True, False]))[1]
    assert np.isfinite(learned.apply(rows_of([1e30], ["a"], [True]).columns)).all()


def test_each_kind_becomes_what_is_promised() -> None:
    data = rows_of([1.0, 3.0, None], ["a", "b", None], [True, False, None])
    learned = fitted(data)[1]
    # n, its gap, t=a, t=b, its gap, b, its gap
    expected = [[-1, 0, 1, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 1, 0, 1]]
    np.testing.assert_array_equal(learned.apply(data.columns), np.array(expected, dtype=np.float32))


def test_what_was_never_seen_is_all_zeros_and_is_reported() -> None:
    data = rows_of([1.0, 3.0], ["a", "b"], [True, False])
    described, learned = fitted(data)
    new = rows_of([9.0, None], ["z", None], [True, None]).columns
    np.testing.assert_array_equal(learned.apply(new)[:, 1:3], np.zeros((2, 2)))
    found = signature.surprises(described, new)
    assert {name: rows.tolist() for name, (rows, _) in found.items()} == {"n": [True, False], "t": [True, False]}
    assert found["n"][1] == "outside 1…3 seen in training"


def test_rare_texts_share_a_column() -> None:
    texts = [f"t{i:03d}" for i in range(MAX_CATEGORIES + 50)] + ["t000", "t001"]
    data = rows_of([0.0] * len(texts), list(texts), [True] * len(texts))
    learned = fitted(data)[1]
    assert {"t000", "t001"} <= set(learned.steps[1].categories)
    assert learned.steps[1].width == MAX_CATEGORIES
    assert learned.apply(data.columns)[:, 1 : 1 + MAX_CATEGORIES].sum() == len(texts)


def test_only_the_training_rows_are_learned_from() -> None:
    data = rows_of([0.0, 2.0, 1000.0], ["a", "b", "zzz"], [True, False, None])
    described = signature.describe(data, np.array([0, 1]))
    assert described.features[0].high == 2.0
    assert described.features[1].categories == ("a", "b")
    assert not described.features[2].missing


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_numbers_come_back_in_their_unit(values: list[float]) -> None:
    step = TargetStep(mean=float(np.mean(values)), std=float(np.std(values)) or 1.0)
    back = step.decode(step.encode(np.array(values))[:, None])
    np.testing.assert_allclose(back, values, rtol=1e-5, atol=1e-5 * (1 + np.ptp(values)))


@given(st.lists(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), min_size=1, max_size=10))
def test_classes_become_probabilities_and_keep_their_order(outputs: list[list[float]]) -> None:
    step = TargetStep(classes=("x", "y", "z"))
    given_outputs = np.array(outputs, dtype=np.float32)
    shares = step.decode(given_outputs)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    top = np.take_along_axis(given_outputs, shares.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(top, given_outputs.max(axis=1), atol=1e-6)


@pytest.mark.parametrize("form", ["nested", "flat", "json", "flat json"])
def test_images_in_every_form(form: str) -> None:
    images = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    cells: dict[str, list[Any]] = {
        "nested": images.tolist(),
        "flat": images.reshape(2, 4).tolist(),
        "json": [json.dumps(image.tolist()) for image in images],
        "flat json": [json.dumps(image.ravel().tolist()) for image in images],
    }
    described = Signature((signature.Feature("image", "image", (1, 2, 2)),), signature.Target("y", "regression"))
    columns = columns_of(pl.DataFrame({"image": cells[form]}), described)
    np.testing.assert_array_equal(columns["image"], images)
