"""Which trials are best, and how sure that is: from what ``study.json`` holds, without Optuna."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

# A trial as ``study.json`` describes it.
Trial = Mapping[str, Any]
# The keys that say which of many equally good runs of the same choice it is: by its seed, or by its rows.
SEED, SPLIT = "seed", "data.split.seed"


def front(trials: Iterable[Trial], directions: Sequence[str]) -> list[Trial]:
    """The finished trials that no other one beats: of one objective the best, of several the Pareto front.

    Args:
        trials: Each with ``number``, ``state`` and ``values``.
        directions: ``maximize`` or ``minimize``, one an objective.

    Returns:
        The best by the first objective first; of equal ones only the earliest.
    """
    ranked = [trial for trial in trials if is_ranked(trial, len(directions))]
    if not ranked:
        return []
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    values = np.array([trial["values"] for trial in ranked], dtype=np.float64) * signs
    order = np.lexsort(([trial["number"] for trial in ranked], *values.T[::-1]))
    kept: list[int] = []
    for place in order:  # who comes later is beaten by an earlier one or by nobody
        if not (values[kept] <= values[place]).all(axis=1).any():
            kept.append(int(place))
    return [ranked[place] for place in kept]


def winners(trials: Sequence[Trial], directions: Sequence[str]) -> list[Trial]:
    """As ``front``; but trials on other splits are no contest: of the choice that is best on average the earliest.

    Args:
        trials: As of ``front``, with ``params``.
        directions: As of ``front``.
    """
    if not any(SPLIT in (trial.get("params") or {}) for trial in trials):
        return front(trials, directions)
    rows = [row for row in grouped({"trials": trials, "direction": directions[0]}) if row["value"] is not None]
    most = max((len(row["trials"]) for row in rows), default=0)
    # A choice that lacks splits may have had the easy ones.
    best: Sequence[int] = next((row["trials"] for row in rows if len(row["trials"]) == most), [])
    return [trial for trial in trials if trial["number"] in best][:1]


def is_ranked(trial: Trial, objectives: int = 1) -> bool:
    """Whether a trial came to its end with a number for each objective."""
    values = trial.get("values")
    if values is None:  # in a study of a version that knew one objective
        values = [trial.get("value")]
    return trial.get("state") == "COMPLETE" and len(values) >= objectives and all(map(is_number, values))


def is_number(value: object) -> bool:
    """Whether a value can be compared with others: finite, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def grouped(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A study's trials, those that differ in nothing but seed or split put together, best first.

    Args:
        summary: What ``study.json`` holds.

    Returns:
        A row for each choice: ``params`` without seed and split; ``value``, the mean of what the first objective said
        of its trials; ``mean`` and ``std`` (of a sample; None of one run) over all runs, and ``n``, how many;
        ``trials``, their numbers; ``unfinished``, how many more gave no value; ``winner``.
    """
    choices: dict[str, list[Trial]] = {}
    for trial in summary.get("trials", ()):
        choices.setdefault(json.dumps(_choice(trial), sort_keys=True, default=str), []).append(trial)
    sign = -1.0 if summary.get("direction") == "maximize" else 1.0
    rows = [_row(trials) for trials in choices.values()]
    rows.sort(key=lambda row: math.inf if row["value"] is None else sign * row["value"])
    return [row | {"winner": place == 0 and row["value"] is not None} for place, row in enumerate(rows)]


def run_values(trial: Trial) -> list[float]:
    """What the first objective said of each run of a trial, one a seed."""
    runs = [values[0] if isinstance(values, list) and values else values for values in trial.get("seed_values") or ()]
    return [value for value in runs if is_number(value)] or [trial["value"]]


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None of one value."""
    return statistics.stdev(values) if len(values) > 1 else None


def number_text(value: float) -> str:
    """A value of an objective, for people."""
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def _choice(trial: Trial) -> dict[str, Any]:
    return {key: value for key, value in (trial.get("params") or {}).items() if key not in (SEED, SPLIT)}


def _row(trials: Sequence[Trial]) -> dict[str, Any]:
    ranked = [trial for trial in trials if is_ranked(trial) and is_number(trial.get("value"))]
    values = [value for trial in ranked for value in run_values(trial)]
    return {
        "params": _choice(trials[0]),
        "value": statistics.fmean(trial["value"] for trial in ranked) if ranked else None,
        "mean": statistics.fmean(values) if values else None,
        "std": spread(values),
        "n": len(values),
        "trials": [trial["number"] for trial in ranked],
        "unfinished": len(trials) - len(ranked),
    }
