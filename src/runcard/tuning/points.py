"""Points between the card's words and Optuna's: distributions, values, and the question for both."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from runcard.card.space import Dimension, is_among


def distributions(space: Sequence[Dimension]) -> dict[str, BaseDistribution]:
    """Optuna's word for each dimension."""
    return {dimension.key: _distribution(dimension) for dimension in space}


def encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """A point as Optuna stores it: lists and mappings as JSON."""
    return {key: _encode(value) for key, value in values.items()}


def decoded(space: Sequence[Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    """A point as the card takes it, from what Optuna stored, in the order of the space."""
    return {one.key: _decode(one, params[one.key]) for one in space if one.key in params}


def suggest(trial: optuna.Trial, space: Sequence[Dimension]) -> dict[str, Any]:
    """Have a value chosen for each dimension that applies.

    Args:
        trial: Whose sampler chooses.
        space: In such an order that a condition names only what stands before it.
    """
    point: dict[str, Any] = {}
    for dimension in space:
        if dimension.applies(point):
            point[dimension.key] = _decode(dimension, _suggested(trial, dimension))
    return point


def fits(dimension: Dimension, stored: Any) -> bool:
    """Whether a value as Optuna stores it is one that a dimension has; of a range with steps but for rounding."""
    if dimension.low is None or dimension.high is None:
        return is_among(stored, [_encode(value) for value in dimension.values])
    if isinstance(stored, bool) or not isinstance(stored, int | float) or not math.isfinite(stored):
        return False
    if dimension.finite:
        return any(math.isclose(stored, value, rel_tol=1e-9, abs_tol=1e-12) for value in dimension.values)
    return dimension.holds(stored)


def _suggested(trial: optuna.Trial, dimension: Dimension) -> Any:
    key, wanted = dimension.key, _distribution(dimension)
    if isinstance(wanted, CategoricalDistribution):
        return trial.suggest_categorical(key, wanted.choices)
    if isinstance(wanted, IntDistribution):
        return trial.suggest_int(key, wanted.low, wanted.high, step=wanted.step, log=wanted.log)
    assert isinstance(wanted, FloatDistribution)
    return trial.suggest_float(key, wanted.low, wanted.high, step=wanted.step, log=wanted.log)


def _distribution(dimension: Dimension) -> BaseDistribution:
    low, high, step = dimension.low, dimension.high, dimension.step
    if low is None or high is None:
        return CategoricalDistribution([_encode(value) for value in dimension.values])
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
        return IntDistribution(low, high, log=dimension.log, step=step or 1)
    return FloatDistribution(low, high, log=dimension.log, step=step)


def _encode(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _decode(dimension: Dimension, stored: Any) -> Any:
    if dimension.low is not None:
        # Of a range with steps Optuna counts up to 0.30000000000000004, where 0.3 was written and judged.
        return min(dimension.values, key=lambda value: abs(value - stored)) if dimension.finite else stored
    return next(value for value in dimension.values if _encode(value) == stored)
