"""docs/bundle.md says what is: its code answers by hand as the bundle does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runcard
from runcard.data.fields import to_columns
from runcard.packaging.bundle import FILES, GRAPH, open_bundle
from tests.conftest import TINY, Made, customers

PAGE = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def by_hand() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/bundle.md", "exec"), names)
    return names["answer"]


def test_a_tables_rows_are_answered_by_hand_as_by_the_bundle(table_made: Made, by_hand: Any) -> None:
    bundle = open_bundle(table_made.bundle.path)
    expected = bundle.answer(to_columns(bundle.signature, bundle.rows))
    given = [by_hand(str(table_made.bundle.path), row) for row in bundle.rows]
    assert np.abs(np.array(given) - expected).max() < 1e-6


def test_categories_that_are_withheld_and_those_that_share_a_column(away: Path, by_hand: Any) -> None:
    names = [f"town {row % 130}" for row in range(300)]  # more than have a column of their own, each rare
    frame = customers(300).with_columns(city=np.array(names, dtype=object))
    run = runcard.fit(
        ["problem.target=age", "data.missing_target=drop", "data.kinds={city: category}", *TINY], data=frame
    )
    folder = runcard.package(run.path, http=False, accept=True).path
    assert "town" not in (folder / "transforms.json").read_text()
    bundle = open_bundle(folder)
    rows = [{**bundle.examples[0], "city": city} for city in ("town 3", "town 99", "nowhere", None)]
    expected = bundle.answer(to_columns(bundle.signature, rows))
    given = [by_hand(str(folder), row)[0] for row in rows]
    assert np.abs(np.array(given) - expected).max() < 1e-4
    assert np.abs(expected - run.answer(to_columns(run.signature, rows))).max() < 1e-4


def test_the_page_names_all_files_and_keys(table_made: Made) -> None:
    for name in {*FILES, GRAPH, "README.md", "manifest.json", "manifest.sha256", "model.sig"}:
        assert f"`{name}`" in PAGE, name
    transforms = json.loads((table_made.bundle.path / "transforms.json").read_text())
    for key in {*transforms["features"][0], *transforms["target"]} - {"name", "kind"}:
        assert f"`{key}`" in PAGE, key
