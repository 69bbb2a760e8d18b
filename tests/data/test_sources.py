"""What every source of rows promises. A new source inherits ``SourceContract`` and gives a fixture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from runcard.data.arrays import Arrays
from runcard.data.builtin import TARGETS, Builtin
from runcard.data.dataset import Dataset, learn
from runcard.data.reading.layout import NULL_VALUES
from runcard.data.sources import Source
from runcard.data.split import split
from runcard.data.table import Table
from runcard.errors import CardError
from tests.conftest import write_arrays


class SourceContract:
    """Tests that any source must pass."""

    def prepared(self, source: Source, target: str) -> Dataset:
        rows = source.read(target, "auto")
        return learn(rows, split(rows, seed=0, validation=0.2, test=0.2))

    def test_rows_fit_together(self, source: Source, target: str) -> None:
        rows = source.read(target, "auto")
        assert set(rows.columns) == set(rows.kinds)
        assert {len(values) for values in rows.columns.values()} == {len(rows)}
        assert bool(rows.classes) == (rows.task == "classification")
        assert set(rows.target) <= set(rows.classes) if rows.classes else np.isfinite(rows.target).all()

    def test_reading_twice_gives_the_same(self, source: Source, target: str) -> None:
        first, again = source.read(target, "auto"), source.read(target, "auto")
        assert (first.fingerprint, first.kinds, first.classes) == (again.fingerprint, again.kinds, again.classes)
        for name, values in first.columns.items():
            np.testing.assert_array_equal(values, again.columns[name])

    def test_inputs_are_what_the_signature_says(self, source: Source, target: str) -> None:
        data = self.prepared(source, target)
        inputs = data.inputs("train")
        assert inputs.dtype == np.float32
        assert inputs.shape[1:] == data.transforms.input_shape(data.signature)
        assert np.isfinite(inputs).all()
        assert data.signature.target.name == target

    @pytest.fixture
    def wrong(self) -> str:
        """A target that the source cannot have."""
        return "nothing"

    def test_another_target_is_refused_before_and_while_reading(self, source: Source, wrong: str) -> None:
        for refuse in (lambda: source.check_columns(wrong), lambda: source.read(wrong, "auto")):
            with pytest.raises(CardError, match=r"problem\.target"):
                refuse()

    def test_nothing_is_learned_from_validation_and_test_rows(self, source: Source, target: str) -> None:
        rows = source.read(target, "auto")
        parts = split(rows, seed=0, validation=0.2, test=0.2)
        before = learn(rows, parts)
        columns = {name: values.copy() for name, values in rows.columns.items()}
        for name, kind in rows.kinds.items():
            for part in (parts.validation, parts.test):
                columns[name][part] = "outlier" if kind == "category" else 1e6
        after = learn(dataclasses.replace(rows, columns=columns), parts)
        assert after.signature == before.signature
        assert after.transforms == before.transforms


class TestTable(SourceContract):
    @pytest.fixture
    def source(self, table: Path) -> Source:
        return Table(str(table), {}, ",", NULL_VALUES)

    @pytest.fixture
    def target(self) -> str:
        return "churned"


class TestBuiltin(SourceContract):
    @pytest.fixture(params=TARGETS)
    def source(self, request: pytest.FixtureRequest) -> Source:
        return Builtin(request.param)

    @pytest.fixture
    def target(self, source: Builtin) -> str:
        return TARGETS[source.name]


class TestArrays(SourceContract):
    @pytest.fixture(params=[(7,), (5, 2), (1, 3, 4)], ids=["vector", "sequence", "image"])
    def source(self, request: pytest.FixtureRequest, away: Path) -> Source:
        write_arrays(away, *request.param)
        return Arrays("inputs.npy", "targets.npy")

    @pytest.fixture
    def target(self) -> str:
        return "species"

    @pytest.fixture
    def wrong(self, source: Arrays) -> str:
        return next(iter(source.read("species", "auto").columns))
