"""The section ``problem``: why the model is built, and what is good enough."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runcard.card.sections.parts import Section, Text


class Limits(Section):
    """What the served model must keep to; None: no limit."""

    latency_ms: Annotated[float, Field(gt=0)] | None
    size_mb: Annotated[float, Field(gt=0)] | None


class Problem(Section):
    """Why the model is built, and what is good enough."""

    task: Literal["auto", "classification", "regression"]
    target: Text
    metric: Literal["auto", "accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "r2", "rmse", "mae"]
    goal: Text
    today: Text
    today_value: float | None
    least_value: float | None
    risk: Text
    impact: Text
    limits: Limits
