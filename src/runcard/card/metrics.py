"""The metrics a card may name: which task each fits and which way is better. Plain facts; computing is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TaskName = Literal["classification", "regression"]


@dataclass(frozen=True)
class Metric:
    """What is known of a metric without computing it.

    Attributes:
        task: The only task it fits.
        maximize: Whether more is better.
        meaning: One line for people.
    """

    task: TaskName
    maximize: bool
    meaning: str


METRICS = {
    "accuracy": Metric("classification", True, "share of rows whose class is right, 0 to 1"),
    "balanced_accuracy": Metric("classification", True, "mean over the classes of the share found, 0 to 1"),
    "f1": Metric("classification", True, "mean over the classes of the F1 score, 0 to 1"),
    "roc_auc": Metric("classification", True, "mean over the classes of the area under the ROC curve, 0 to 1"),
    "log_loss": Metric("classification", False, "mean negative log of the true class's probability, nats"),
    "r2": Metric("regression", True, "share of the variance explained, up to 1"),
    "rmse": Metric("regression", False, "root of the mean squared error, in the target's unit"),
    "mae": Metric("regression", False, "mean absolute error, in the target's unit"),
}

# What a sweep may also be decided by: measured of a trained model, less is better.
MEASURED = {
    "latency_ms": "median time that the model takes for one row, in milliseconds on this machine",
    "size_mb": "size of the stored weights, in megabytes",
    "parameters": "how many numbers the model has learned",
}

DEFAULT_METRIC: dict[TaskName, str] = {"classification": "accuracy", "regression": "r2"}


def metrics_of(task: TaskName) -> list[str]:
    """The names of all metrics that fit a task."""
    return [name for name, metric in METRICS.items() if metric.task == task]


def maximizes(metric: str) -> bool:
    """Whether more is better; ``metric`` is a name of a table or ``loss``, with or without ``val/`` before it."""
    name = metric.rpartition("/")[2]
    return name in METRICS and METRICS[name].maximize


def better(metric: str, new: float, old: float) -> bool:
    """Whether ``new`` beats ``old``; see ``maximizes`` for the names."""
    return new > old if maximizes(metric) else new < old


def reaches(metric: str, value: float, least: float) -> bool:
    """Whether ``value`` is at least as good as ``least``."""
    return not better(metric, least, value)
