"""The split: every row once, the same each time, each class in proportion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcard.data.signature import Rows
from runcard.data.split import PARTS, Split, labels_to_parquet, read_labels, split
from runcard.errors import DataError, RunError


def classes(counts: list[int]) -> Rows:
    names = tuple(f"c{i}" for i in range(len(counts)))
    target = np.repeat(np.array(names, dtype=object), counts)
    return Rows({}, {}, target, "target", "classification", names, "")


def numbers(count: int) -> Rows:
    return Rows({}, {}, np.random.default_rng(0).normal(size=count), "target", "regression", (), "")


@given(st.lists(st.integers(2, 60), min_size=2, max_size=8), st.integers(0, 2**31), st.floats(0.05, 0.4))
def test_each_class_is_divided_in_proportion(counts: list[int], seed: int, test: float) -> None:
    rows = classes(counts)
    if len(rows) < 40:
        return
    parts = split(rows, seed=seed, validation=0.2, test=test)
    together = np.concatenate([getattr(parts, name) for name in PARTS])
    assert sorted(together) == list(range(len(rows)))
    assert abs(len(parts.test) - test * len(rows)) <= 3 + len(counts)  # a class that training lacked gives a row back
    for name, count in zip(rows.classes, counts, strict=True):
        assert (rows.target[parts.train] == name).any()
        assert abs((rows.target[parts.test] == name).sum() - test * count) <= 3


@given(st.integers(20, 500), st.integers(0, 2**31))
def test_numbers_are_divided_over_their_range(count: int, seed: int) -> None:
    rows = numbers(count)
    parts = split(rows, seed=seed, validation=0.2, test=0.3)
    assert len(parts.train) + len(parts.validation) + len(parts.test) == count
    below = (rows.target[parts.test] < np.median(rows.target)).mean()
    assert abs(below - 0.5) <= 3 / len(parts.test)


def test_the_seed_decides() -> None:
    rows = classes([50, 50])
    first, same, other = (split(rows, seed=seed, validation=0.2, test=0.2) for seed in (0, 0, 1))
    assert first.sha256 == same.sha256 != other.sha256


def test_a_class_with_one_row_is_named() -> None:
    with pytest.raises(DataError, match="single row: 'c1'"):
        split(classes([20, 1, 20]), seed=0, validation=0.2, test=0.2)


def test_too_few_rows_for_a_part() -> None:
    with pytest.raises(DataError, match="too few: none is left for"):
        split(numbers(12), seed=0, validation=0.01, test=0.01)


def test_a_stored_split_comes_back(away: Path) -> None:
    parts = split(classes([30, 30]), seed=0, validation=0.2, test=0.2)
    path = away / "split.parquet"
    path.write_bytes(labels_to_parquet(parts))
    labels = np.array(read_labels(path, 60))
    assert Split(*(np.flatnonzero(labels == part) for part in PARTS)).sha256 == parts.sha256
    with pytest.raises(RunError, match="holds 60 rows, and 61 were expected"):
        read_labels(path, 61)
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(RunError, match=r"cannot read .*split\.parquet"):
        read_labels(path, 60)
