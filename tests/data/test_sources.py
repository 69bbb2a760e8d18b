"""What every source of rows promises. A new source inherits ``SourceContract`` and gives a fixture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runcard.data.builtin import Builtin
from runcard.data.dataset import Dataset, Source, prepare
from runcard.data.frames import NULL_VALUES
from runcard.data.table import Table


class SourceContract:
    """Tests that any source must pass."""

    def prepared(self, source: Source) -> Dataset:
        return prepare(source, target="churned", task="auto", seed=0, validation=0.2, test=0.2)

    def test_rows_fit_together(self, source: Source) -> None:
        rows = source.read("churned", "auto")
        assert set(rows.columns) == set(rows.kinds)
        assert {len(values) for values in rows.columns.values()} == {len(rows)}
        assert bool(rows.classes) == (rows.task == "classification")
        assert set(rows.target) <= set(rows.classes) if rows.classes else np.isfinite(rows.target).all()

    def test_reading_twice_gives_the_same(self, source: Source) -> None:
        first, again = source.read("churned", "auto"), source.read("churned", "auto")
        assert (first.fingerprint, first.kinds, first.classes) == (again.fingerprint, again.kinds, again.classes)
        for name, values in first.columns.items():
            np.testing.assert_array_equal(values, again.columns[name])

    def test_inputs_are_what_the_signature_says(self, source: Source) -> None:
        data = self.prepared(source)
        inputs = data.inputs("train")
        assert inputs.dtype == np.float32
        assert inputs.shape[1:] == data.transforms.input_shape(data.signature)
        assert np.isfinite(inputs).all()
        assert data.signature.target.name == "churned"


class TestTable(SourceContract):
    @pytest.fixture
    def source(self, table: Path) -> Source:
        return Table(str(table), {}, ",", NULL_VALUES)


class TestBuiltin(SourceContract):
    @pytest.fixture(params=["digits", "breast_cancer", "wine", "diabetes"])
    def source(self, request: pytest.FixtureRequest) -> Source:
        return Builtin(request.param)
