"""The section ``problem``: why the model is built, and what is good enough."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runcard.card.sections.parts import Section, Text


class Limits(Section):
    """What the served model must keep to; None: no limit."""

    latency_ms: Annotated[float, Field(gt=0)] | None
    """Longest answer for one row, milliseconds, above 0; null: no limit."""
    size_mb: Annotated[float, Field(gt=0)] | None
    """Largest packaged model, megabytes, above 0; null: no limit."""


class Problem(Section):
    """Why the model is built, and what is good enough."""

    task: Literal["auto", "classification", "regression"]
    """What kind of answer; auto: texts, booleans and few whole numbers are classes, others numbers."""
    target: Text
    """What is predicted: of a table the column, else a name for the answer."""
    metric: Literal["auto", "accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "r2", "rmse", "mae"]
    """What decides; for classes accuracy to log_loss, for numbers r2, rmse or mae; auto: accuracy or r2."""
    goal: Text
    """What it is for, in one sentence."""
    today: Text
    """How it is done now."""
    today_value: float | None
    """How good that is, in the metric; null: nobody knows."""
    least_value: float | None
    """In the metric; a worse model is of no use; null: not decided."""
    risk: Text
    """What an error costs."""
    impact: Text
    """What gets better."""
    limits: Limits
    """What the served model must keep to."""
