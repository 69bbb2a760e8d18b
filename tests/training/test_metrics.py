"""Metrics against scikit-learn, which counts in its own way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from runcard.card.metrics import METRICS, better, metrics_of
from runcard.training.metrics import score


@st.composite
def classified(draw: st.DrawFn) -> tuple[Any, Any]:
    classes, rows = draw(st.integers(2, 5)), draw(st.integers(2, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    shares = random.dirichlet(np.ones(classes), rows)
    return shares, random.integers(0, classes, rows)


@settings(max_examples=30)
@given(classified())
def test_classes_are_scored_as_scikit_learn_scores_them(case: tuple[Any, Any]) -> None:
    scored_alike(*case)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(classified())
def test_many_classes_are_scored_as_scikit_learn_scores_them(case: tuple[Any, Any]) -> None:
    scored_alike(*case)


def scored_alike(answers: Any, truth: Any) -> None:
    chosen, labels = answers.argmax(axis=1), np.arange(answers.shape[1])
    ours = score(metrics_of("classification"), answers, truth)
    present = np.unique(np.concatenate([truth, chosen]))
    assert ours["accuracy"] == reference.accuracy_score(truth, chosen)
    assert ours["f1"] == pytest.approx(reference.f1_score(truth, chosen, average="macro", labels=present))
    assert ours["log_loss"] == pytest.approx(reference.log_loss(truth, answers, labels=labels), rel=1e-6)
    recall = reference.recall_score(truth, chosen, average=None, labels=np.unique(truth))
    assert ours["balanced_accuracy"] == pytest.approx(recall.mean())
    if len(np.unique(truth)) > 1:
        areas = [reference.roc_auc_score(truth == name, answers[:, name]) for name in np.unique(truth)]
        assert ours["roc_auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    else:
        assert "roc_auc" not in ours


@given(st.integers(2, 50), st.integers(0, 2**31), st.floats(0.1, 1e4))
def test_numbers_are_scored_as_scikit_learn_scores_them(rows: int, seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    truth, answers = random.normal(size=rows) * scale, random.normal(size=rows) * scale
    ours = score(metrics_of("regression"), answers, truth)
    assert ours["r2"] == pytest.approx(reference.r2_score(truth, answers), rel=1e-6)
    assert ours["mae"] == pytest.approx(reference.mean_absolute_error(truth, answers), rel=1e-6)
    assert ours["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, answers), rel=1e-6)


def test_what_the_rows_do_not_define_is_left_out() -> None:
    assert "r2" not in score(["r2", "mae"], np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    assert "r2" not in score(["r2", "mae"], np.array([1.0]), np.array([3.0]))


def test_every_metric_of_the_table_is_computed() -> None:
    for task in ("classification", "regression"):
        answers = np.eye(2) if task == "classification" else np.array([1.0, 2.0])
        truth = np.array([0, 1]) if task == "classification" else np.array([1.0, 2.5])
        assert set(score(metrics_of(task), answers, truth)) == {n for n, m in METRICS.items() if m.task == task}


def test_directions() -> None:
    assert better("accuracy", 0.9, 0.8)
    assert not better("accuracy", 0.8, 0.8)
    assert better("rmse", 1.0, 2.0)
    assert better("loss", 1.0, 2.0)


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1e-3), (1e8, 1.0), (1e15, 100.0), (0.0, 1e-6)])
def test_r2_of_small_units_and_large_offsets(offset: float, scale: float) -> None:
    random = np.random.default_rng(0)
    truth = offset + scale * random.normal(size=50)
    answers = truth + scale * random.normal(size=50)
    assert score(["r2"], answers, truth)["r2"] == pytest.approx(reference.r2_score(truth, answers), rel=1e-9)
