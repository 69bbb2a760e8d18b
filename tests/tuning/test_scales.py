"""Where values lie on the axes of a study's plots."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcard.tuning.scales import scale_of, varied, window

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.lists(st.integers(0, 3), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


@given(st.dictionaries(st.integers(0, 20), VALUES, max_size=10))
def test_every_value_has_a_place(values: dict[int, Any]) -> None:
    scale = scale_of("key", values)
    assert scale.places.keys() == values.keys()
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in [*scale.places.values(), *(place for place, _ in scale.ticks)])


def test_numbers_lie_by_size_and_wide_ones_by_magnitude() -> None:
    assert scale_of("key", {1: 0, 2: 1, 3: 4}).places == {1: 0.0, 2: 0.25, 3: 1.0}
    assert scale_of("key", {1: 0.001, 2: 0.1, 3: 10}).places == pytest.approx({1: 0.0, 2: 0.5, 3: 1.0})
    assert scale_of("key", {1: "b", 2: [1], 3: "a"}).places == {1: 1.0, 2: 0.0, 3: 0.5}


def test_a_key_that_some_trials_lack_varies() -> None:
    trials = [{"number": 0, "params": {"a": 1, "b": 1}}, {"number": 1, "params": {"a": 1}}]
    assert varied(trials, {}) == ["b"]


def test_what_is_far_off_is_drawn_at_the_edge() -> None:
    assert window([0.1, 0.2, 0.3], upward=True) == (0.1, 0.3)
    assert window([1.0, 2.0, 1e9], upward=False) == (1.0, 1001.0)
