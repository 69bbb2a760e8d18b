"""Bits of rows with categories, booleans, gaps and text: the same again, after a death, and in a fresh process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import runcard
from runcard.evaluation.predictor import Run
from runcard.runs import RunFolder
from runcard.training.checkpoint import load
from runcard.training.saving import Saving
from tests.conftest import Command, customers, of_reviews, reviews, write_arrays
from tests.training.test_resume import Death, assert_same

FILES = ("best", "last", "metrics", "history", "predictions", "split", "data")
SHORT = ["trainer.max_epochs=2", "report=false", "checkpoint.every_s=0", "trainer.steps_per_execution=2"]
Words = Callable[[], list[str]]


def table_words() -> list[str]:
    """Numbers, a category and booleans, all with gaps, of which some are in one part only."""
    customers(200).write_csv("customers.csv")
    words = ["data=table", "data.path=customers.csv", "problem.target=churned", "data.batch_size=16"]
    return [*words, "trainer.accumulate=2", "trainer.average.method=ema"]


def parquet_words() -> list[str]:
    """The same, with types of its own, and a number to predict."""
    customers(200).drop("customer").write_parquet("customers.parquet")
    return ["data=table", "data.path=customers.parquet", "problem.target=spent", "data.batch_size=16"]


def sequence_words() -> list[str]:
    """Sequences with gaps, read from disk."""
    write_arrays(Path(), 6, 2, count=100, gaps=0.05)
    files = ["data.inputs=inputs.npy", "data.targets=targets.npy"]
    return ["data=arrays", *files, "data.batch_size=16", "model=lstm", "model.hidden=8"]


@pytest.fixture
def text_words(tiny_texts: Path) -> Words:
    """Texts, some of them missing."""

    def words() -> list[str]:
        reviews(120).write_csv("reviews.csv")
        return of_reviews(Path("reviews.csv"), tiny_texts / "bert")

    return words


@pytest.fixture(
    params=["table", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("parquet", "sequence", "text"))]
)
def words(request: pytest.FixtureRequest) -> list[str]:
    """A card for rows of a kind."""
    made: dict[str, Words] = {"table": table_words, "parquet": parquet_words, "sequence": sequence_words}
    found = made.get(request.param) or request.getfixturevalue("text_words")
    return [*found(), *SHORT]


def fit(words: list[str], *more: str) -> Run:
    return runcard.fit(runcard.load_card([*words, *more]))


def test_a_card_gives_the_same_bits_also_when_it_dies_on_its_way(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, other = fit(words), fit(words, "seed=1")
    minibatches = len(load(whole.folder.last)["state"]["losses"])
    assert minibatches >= 6
    again = fit(words)
    for name in FILES:
        assert getattr(again.folder, name).read_bytes() == getattr(whole.folder, name).read_bytes(), name
    assert other.folder.history.read_bytes() != whole.folder.history.read_bytes()
    original = Saving.between

    def dying(saving: Saving) -> None:
        if saving._task is not None and len(saving._task.state.losses) >= minibatches // 2 + 1:
            raise Death
        original(saving)

    with monkeypatch.context() as patch:
        patch.setattr(Saving, "between", dying)
        with pytest.raises(Death):
            fit(words, "runs_dir=dead")
    (card,) = Path("dead").glob("*/2*/card.yaml")
    dead = RunFolder(card.parent.absolute())
    assert not dead.finished
    runcard.resume(dead.path)
    assert_same(dead, whole.folder)
    for name in ("split", "data"):
        assert getattr(dead, name).read_bytes() == getattr(whole.folder, name).read_bytes(), name


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_bits(words: list[str], installed: Command) -> None:
    said = installed("verify", str(fit(words).path), "--json")
    assert (said.code, said.json["same"], said.json["elsewhere"]) == (0, True, {}), said.err
