"""What is learned a stretch at a time is what NumPy finds in all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from runcard.data import moments
from runcard.data.moments import extremes, mean_and_std, stretches

ELEMENTS = st.floats(-1e6, 1e6, width=32) | st.just(np.nan)
VALUES = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=4, max_side=6), elements=ELEMENTS)


@given(st.integers(0, 300), st.integers(0, 50), st.integers(1, 100))
def test_stretches_are_all_rows_in_order(count: int, width: int, numbers: int) -> None:
    rows = np.arange(count) * 3
    parts = list(stretches(rows, width, numbers))
    assert np.concatenate([rows[:0], *parts]).tolist() == rows.tolist()
    assert all(len(part) == 1 or len(part) * width <= numbers for part in parts)


@given(VALUES, st.integers(1, 40), st.data())
@settings(deadline=None)
def test_any_array(values: Any, stretch: int, data: st.DataObject) -> None:
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(values) - 1), min_size=1))))
    columns = data.draw(st.sampled_from([1, values.shape[-1]]))
    flat = values[rows].astype(np.float64).reshape(-1, columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "STRETCH", stretch)
        patch.setattr(moments, "STRETCH", stretch)
        low, high, missing = extremes(values, rows)
        mean, std = mean_and_std(values, rows, columns)
    known = flat[~np.isnan(flat)]
    assert missing == (known.size < flat.size)
    assert (low, high) == ((known.min(), known.max()) if known.size else (None, None))
    for column in range(columns):
        seen = flat[:, column][~np.isnan(flat[:, column])]
        assert mean[column] == pytest.approx(seen.mean() if seen.size else 0.0, rel=1e-9, abs=1e-6)
        assert std[column] == pytest.approx(seen.std() if seen.size else 0.0, rel=1e-6, abs=1e-6)
        if not seen.size or seen.min() == seen.max():
            assert std[column] == 0.0


def test_a_large_offset_does_not_hide_the_deviation() -> None:
    values = 1e9 + np.random.default_rng(0).normal(size=(200_000, 8))
    mean, std = mean_and_std(values, np.arange(len(values)), 8)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, values.std(axis=0), rtol=1e-6)


def test_the_same_values_give_the_same_bits_wherever_they_lie(tmp_path: Any) -> None:
    values = np.random.default_rng(0).normal(size=(5000, 300)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    rows = np.flatnonzero(np.arange(5000) % 3)
    here, there = mean_and_std(values, rows, 300), mean_and_std(mapped, rows, 300)
    assert [each.tobytes() for each in here] == [each.tobytes() for each in there]
