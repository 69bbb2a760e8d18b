"""A fit to rows at hand, such as a DataFrame: the run keeps them, and stands by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import runcard
from runcard.errors import CardError, DataError
from tests.conftest import TINY, customers

WORDS = ["problem.target=churned", *TINY]


class Pandas:
    """What pandas' DataFrame has of what is asked."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.columns = frame.columns
        self._frame = frame

    def to_dict(self, orient: str) -> dict[str, list[Any]]:
        assert orient == "list"
        return self._frame.to_dict(as_series=False)


class Arrow:
    """A table of Arrow's, by its capsule alone."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


FORMS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": Pandas,
    "arrow": Arrow,
    "columns": lambda frame: frame.to_dict(as_series=False),
    "rows": lambda frame: frame.to_dicts(),
}


@pytest.mark.whole
def test_rows_in_any_form_are_learned_from_as_their_file(away: Path) -> None:
    frame = customers(80)
    frame.write_parquet("rows.parquet")
    file = runcard.fit(["data=table", "data.path=rows.parquet", *WORDS])
    answers = pl.read_parquet(file.folder.predictions)
    for name, form in FORMS.items():
        run = runcard.fit(WORDS, data=form(frame))
        assert pl.read_parquet(run.folder.predictions).equals(answers), name
        assert pl.read_parquet(run.folder.rows).equals(frame)
    assert sorted(path.name for path in away.iterdir()) == ["rows.parquet", "runs"]


def test_a_run_that_was_moved_has_its_rows_with_it(away: Path) -> None:
    run = runcard.fit(" ".join(WORDS), data=customers(80))
    moved = run.path.rename(away / "elsewhere")
    assert runcard.evaluate(moved).metrics["test/accuracy"] == runcard.load_run(moved).metrics["test/accuracy"]
    assert runcard.package(moved, http=False, accept=True).compared >= 80
    longer = runcard.resume(moved, overrides=["trainer.max_epochs=2"])
    assert longer.folder.rows.is_file()
    (away / "elsewhere").rename(away / "gone")
    runcard.evaluate(longer.path)


@pytest.mark.slow
def test_a_run_that_was_moved_is_verified(away: Path) -> None:
    run = runcard.fit(WORDS, data=customers(80))
    assert runcard.verify(run.path.rename(away / "elsewhere")).same


@pytest.mark.parametrize(
    ("card", "rows", "error", "says"),
    [
        (["data=wine", *WORDS], customers(20), CardError, "data=wine: the rows are those at hand"),
        (["data.path=a.csv", *WORDS], customers(20), CardError, "data.path=a.csv: the rows are those at hand"),
        (["problem.target=no"], customers(20), CardError, "the table at hand has no column"),
        (WORDS, 5, DataError, "these rows are no table"),
        (WORDS, customers(5), DataError, "the target 'churned' has classes with a single row"),
        ([*WORDS, "model=cnn"], customers(40), CardError, "cnn"),
    ],
)
def test_what_is_refused_leaves_nothing(
    card: list[str], rows: Any, error: type[Exception], says: str, away: Path
) -> None:
    with pytest.raises(error) as caught:
        runcard.fit(card, data=rows)
    assert says.lower() in str(caught.value).lower()
    assert [path for path in away.rglob("*") if path.is_file()] == []


def test_a_card_that_is_made_already_takes_no_rows() -> None:
    with pytest.raises(CardError, match="say it in words"):
        runcard.fit(runcard.load_card(["data=wine"]), data=customers(20))
