"""Evaluation: scores, baselines, predictions and the report agree with each other and with the files."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

import runcard
from runcard.data.dataset import load_dataset
from runcard.errors import CardError, DataError
from runcard.evaluation import plots
from runcard.evaluation.predictor import Run
from tests.conftest import TINY, customers


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without their plots, which take as long as all else."""
    monkeypatch.setattr(plots, "svg_text", lambda _: "")


def fitted(*overrides: str) -> Run:
    return runcard.fit(runcard.load_card([*overrides, "trainer.max_epochs=2"]))


def test_predictions_are_the_test_rows_and_give_the_score(wine_run: Run) -> None:
    table = pl.read_parquet(wine_run.folder.predictions)
    split = pl.read_parquet(wine_run.folder.split)
    assert table["row"].to_list() == split.filter(pl.col("part") == "test")["row"].to_list()
    assert (table["truth"] == table["prediction"]).mean() == wine_run.metrics["test/accuracy"]
    shares = table.select(pl.col("^probability_.*$")).to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("data", ["wine", "diabetes"])
def test_baselines_are_those_of_scikit_learn_on_the_same_rows(data: str) -> None:
    run = fitted(f"data={data}", "model=linear")
    rows = load_dataset(run.card)
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_class_that_a_sample_would_miss_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from runcard.evaluation import baselines

    monkeypatch.setattr(baselines, "MAX_ROWS", 40)
    frame = customers(400).with_columns(
        pl.Series("churned", ["a", "b", "c", "d"] + ["yes"] * 198 + ["no"] * 198).shuffle(1)
    )
    doubled = pl.concat([frame, frame])
    doubled.write_csv("rows.csv")
    run = fitted("data=table", "data.path=rows.csv", "problem.target=churned", "problem.metric=log_loss")
    assert run.metrics["baseline/linear/log_loss"] > 0


@pytest.mark.slow
def test_names_that_look_like_mathematics_or_are_very_long() -> None:
    names = ["$10_$20", "$\\foo$ x^2", "数字", "long " * 60]
    frame = customers(200).with_columns(pl.Series("churned", names * 50))
    frame.write_csv("rows.csv")
    page = read_page(fitted("data=table", "data.path=rows.csv", "problem.target=churned"))
    assert all(name.strip() in page.text for name in names)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("offset", [1e9, 1e15])
def test_a_large_offset_does_not_hide_what_is_learned(offset: float) -> None:
    rows = np.arange(200)
    pl.DataFrame({"a": rows / 3, "b": rows % 7, "y": offset + rows}).write_parquet("rows.parquet")
    overrides = ["data=table", "data.path=rows.parquet", "problem.target=y", "data.kinds={a: number}"]
    run = runcard.fit(runcard.load_card([*overrides, "trainer.max_epochs=2"]))
    assert run.metrics["baseline/linear/r2"] > 0.99
    table = pl.read_parquet(run.folder.predictions).to_dict(as_series=False)
    assert run.metrics["test/r2"] == pytest.approx(r2_score(table["truth"], table["prediction"]), rel=1e-6)


@pytest.mark.usefixtures("undrawn")
def test_the_report_can_fail_and_the_run_is_still_whole() -> None:
    def broken(*_: object) -> str:
        raise ValueError("no ink")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runcard.evaluation.report.render", broken)
        with pytest.raises(ValueError, match="no ink"):
            fitted("data=wine")
    (path,) = Path("runs").glob("*/*")
    assert runcard.evaluate(path).folder.report.is_file()
