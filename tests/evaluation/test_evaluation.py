"""Evaluation: scores, baselines, predictions and the report agree with each other and with the files."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

import runcard
from runcard.errors import CardError, DataError
from runcard.evaluation.predictor import Run
from tests.conftest import TINY, customers


def fitted(*overrides: str) -> Run:
    return runcard.fit(runcard.load_card([*overrides, "trainer.max_epochs=2"]))


def test_predictions_are_the_test_rows_and_give_the_score(wine_run: Run) -> None:
    table = pl.read_parquet(wine_run.folder.predictions)
    split = pl.read_parquet(wine_run.folder.split)
    assert table["row"].to_list() == split.filter(pl.col("part") == "test")["row"].to_list()
    assert (table["truth"] == table["prediction"]).mean() == wine_run.metrics["test/accuracy"]
    shares = table.select(pl.col("^probability_.*$")).to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


@pytest.mark.parametrize("data", ["wine", "diabetes"])
def test_baselines_are_those_of_scikit_learn_on_the_same_rows(data: str) -> None:
    from runcard.card.targets import build
    from runcard.data.dataset import prepare

    run = fitted(f"data={data}", "model=linear")
    cut = run.card.data.split
    source = build(run.card.data)
    rows = prepare(source, target="y", task="auto", seed=cut.seed, validation=cut.validation, test=cut.test)
    reference = LogisticRegression(max_iter=1000) if data == "wine" else Ridge()
    reference.fit(rows.inputs("train"), rows.truth("train"))
    metric = run.card.problem.metric
    expected = reference.score(rows.inputs("test"), rows.truth("test"))
    assert run.metrics[f"baseline/linear/{metric}"] == pytest.approx(expected, abs=1e-6)
    trivial = run.metrics[f"baseline/trivial/{metric}"]
    assert trivial == pytest.approx(
        max(np.unique(rows.truth("test"), return_counts=True)[1]) / 35 if data == "wine" else 0, abs=0.1
    )


class Page(HTMLParser):
    """Collects what a page would fetch and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            value or "" for name, value in attrs if name in ("src", "data") or (name == "href" and tag == "link")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(run: Run) -> Page:
    page = Page()
    page.feed(run.folder.report.read_text())
    return page


def test_report_says_the_problem_first_and_fetches_nothing(wine_run: Run) -> None:
    page = read_page(wine_run)
    problem = wine_run.card.problem
    order = [
        page.text.index(text) for text in (problem.goal, problem.today, problem.risk, "How good it is", "Where it errs")
    ]
    assert order == sorted(order)
    assert not page.fetched
    assert "script" not in page.tags
    assert page.tags.count("svg") == 3  # confusion, loss, accuracy
    assert not re.search(r"url\((?!#)", wine_run.folder.report.read_text())


def test_report_of_numbers_has_residuals() -> None:
    page = read_page(fitted("data=diabetes"))
    assert "Residuals" in page.text
    assert "right when answered" not in page.text


def test_report_escapes_what_the_data_says() -> None:
    frame = customers(80).with_columns(pl.col("churned").replace("yes", "<script>alert(1)</script>"))
    frame.rename({"city": "<b>city</b>"}).write_csv("rows.csv")
    run = fitted("data=table", "data.path=rows.csv", "problem.target=churned", "problem.goal='<i>more</i>'")
    page = read_page(run)
    assert not {"script", "b", "i"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text


def test_report_without_history() -> None:
    assert "No history was kept" in read_page(fitted("data=wine", "logger=none")).text


def test_evaluating_again_gives_the_same_numbers_and_a_report() -> None:
    run = runcard.fit(runcard.load_card(["data=wine", *TINY]))
    before = run.metrics
    assert not run.folder.report.exists()
    again = runcard.evaluate(run.path)
    assert again.metrics.items() >= before.items()
    assert "baseline/linear/accuracy" in again.metrics
    assert run.folder.report.is_file()
    first = run.folder.report.read_bytes()
    runcard.evaluate(run.path)
    assert run.folder.report.read_bytes() == first


def test_evaluating_when_the_data_has_changed(table: Path) -> None:
    card = runcard.load_card(["data=table", f"data.path={table}", "problem.target=churned", *TINY])
    run = runcard.fit(card)
    table.write_text(table.read_text().replace("Ulm", "Bonn"))
    with pytest.raises(DataError, match="the data has changed"):
        runcard.evaluate(run.path)
    table.unlink()
    with pytest.raises(DataError, match="there is no file"):
        runcard.evaluate(run.path)


@pytest.mark.parametrize("name", ["data.json", "split.parquet", "checkpoints/best.ckpt", "card.yaml", "metrics.json"])
def test_a_damaged_file_is_named(name: str) -> None:
    run = runcard.fit(runcard.load_card(["data=wine", *TINY]))
    (run.path / name).write_bytes(b"{}")
    with pytest.raises(CardError) as caught:
        runcard.evaluate(run.path)
    if name != "card.yaml":  # an empty card is refused key by key
        assert Path(name).name in str(caught.value)
