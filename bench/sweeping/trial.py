"""The training that every contender does: a point in, how good it was out. Needs no Optuna, for each has another one.

What is the same for all points lies in the environment variable ``BENCH_SWEEP``, for some contenders train in processes
that they start themselves.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "BENCH_SWEEP"
METRIC = "val/accuracy"


class Task(NamedTuple):
    """What is the same for all points.

    Attributes:
        words: The sweep, as it stands behind ``runcard fit -m``.
        runs: Where run folders go.
    """

    words: list[str]
    runs: str

    def environment(self) -> dict[str, str]:
        """This process's, and the task."""
        return {**os.environ, VARIABLE: json.dumps(self)}


class Fitted(NamedTuple):
    """How good a point was, and the seconds that its fit took."""

    value: float
    seconds: float


@functools.cache
def prepared() -> tuple[Any, Any, Path]:
    """Plan, rows and where runs go, once in a process; it has then fitted a little, so that all is imported."""
    from runcard.api import load_sweep
    from runcard.data.dataset import Datasets

    task = Task(*json.loads(os.environ[VARIABLE]))
    plan = load_sweep(task.words)
    card = plan.card(next(plan.points()))
    data = Datasets().of(card)
    rehearsed(card, data, max_epochs=1, limit_batches=1)
    return plan, data, Path(task.runs)


def rehearsed(card: Any, data: Any, **trainer: Any) -> float:
    """The seconds of a fit with these settings of the trainer, of which nothing is kept."""
    from runcard import runs
    from runcard.fitting import fit_card

    changed = card.model_copy(update={"trainer": card.trainer.model_copy(update=trainer)})
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fit_card(changed, data, lambda name: runs.create(folder, name))
        return time.perf_counter() - started


def fitted(point: Mapping[str, Any]) -> Fitted:
    """Train the card of a point, exactly as a trial of Runcard's does."""
    from runcard import runs
    from runcard.fitting import fit_card

    plan, data, folder = prepared()
    card = plan.card(point)
    started = time.perf_counter()
    run = fit_card(card, data, lambda name: runs.create(folder, name))
    return Fitted(run.metrics[METRIC], time.perf_counter() - started)
