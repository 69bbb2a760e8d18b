"""What one trial does, wherever it runs: fit its card, or go on where a process died, and tell how good it was.

Knows nothing of Optuna: reports go to a callable, and what came of the trial is a mapping of plain values.
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runcard import files, runs
from runcard.card import check
from runcard.card.metrics import MEASURED, maximizes
from runcard.card.schema import Card
from runcard.data.dataset import Dataset, load_dataset
from runcard.errors import Pruned, RuncardError, Stopped, TrainingError
from runcard.evaluation.cost import costs
from runcard.evaluation.predictor import Run
from runcard.evaluation.scores import score_baselines
from runcard.fitting import ask_again, fit_card, resume_run
from runcard.runs import RunFolder
from runcard.tuning.task import Task, Told, outcome

log = logging.getLogger("runcard")

# A trial whose parent died has ended by then.
LOCK_PATIENCE_S = 30.0


def run_task(task: Task, told: Told | None = None, data: Dataset | None = None) -> dict[str, Any]:
    """Do a trial's runs one after the other; those that are finished are only read.

    Args:
        task: The trial.
        told: Who hears of each step and may end the trial; None: nobody.
        data: The card's rows, if they are at hand.

    Returns:
        What came of it; see ``outcome``.
    """
    place = Path(task.folder)
    busy = f"another process still works on trial {task.number}"
    done = _Done(task)
    try:
        with files.locked(place.with_name(f".{place.name}.lock"), busy, patience_s=LOCK_PATIENCE_S):
            return done.run(told, data)
    except Pruned as pruned:
        return outcome("PRUNED", epochs=done.epochs + pruned.epochs)
    except Stopped as stopped:
        return outcome("STOPPED", epochs=done.epochs, error=str(stopped))
    except Exception as error:
        reason = str(error) if isinstance(error, RuncardError) else f"{type(error).__name__}: {error}"
        return outcome("FAIL", seed_values=done.values or None, epochs=done.epochs, error=reason)


class _Done:
    """What of a trial is done."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.values: list[list[float]] = []
        self.scores: dict[str, float] = {}
        self.epochs = 0

    def run(self, told: Told | None, data: Dataset | None) -> dict[str, Any]:
        task = self.task
        for number in range(task.seeds):
            run = self._fitted(number, told if task.reports == "epoch" and number == 0 else None, data)
            self.epochs += int(run.metrics["epochs"])
            self.values.append(values_of(run, task.metrics, data))
            if number == 0:
                first = run
                self.scores = {name: value for name, value in run.metrics.items() if name.startswith("val/")}
            last = number + 1 == task.seeds
            if told is not None and task.reports == "seed" and told(number, self.values[-1][0]) and not last:
                return outcome("PRUNED", seed_values=self.values, epochs=self.epochs)
        values = [
            summed_up(metric, one, task.spread_weight)
            for metric, one in zip(task.metrics, zip(*self.values, strict=True), strict=True)
        ]
        keep_baselines(task, first, data)
        return outcome("COMPLETE", values=values, seed_values=self.values, epochs=self.epochs, scores=self.scores)

    def _fitted(self, number: int, told: Told | None, data: Dataset | None) -> Run:
        """The run with the number's seed, begun or gone on with."""
        folder, metric = seed_folder(self.task.folder, number), self.task.metrics[0]
        report = None if told is None else lambda epoch, numbers: told(epoch, numbers.get(metric, math.nan))
        if folder.card.is_file():
            if report is not None and not folder.finished:
                ask_again(folder, report)
            return resume_run(folder, report=report, data=data)
        card = seeded(self.task, number)
        return fit_card(card, data or load_dataset(card), lambda _: runs.create_at(folder), report=report)


def keep_baselines(task: Task, run: Run, data: Dataset | None) -> None:
    """Score the baselines on the test rows, once a study; a trial does not fail where they do.

    Args:
        task: The trial.
        run: Its first run, finished.
        data: Its rows, if they are at hand.
    """
    place = Path(task.baselines)
    if not task.baselines or place.exists():
        return
    try:
        scores = score_baselines(data or load_dataset(run.card), run.card)
        files.write_json(place, {"metric": run.card.problem.metric, **scores})
    except (RuncardError, MemoryError, ValueError) as error:
        log.warning("the baselines could not be scored: %s", error)


def seed_folder(folder: str | Path, number: int) -> RunFolder:
    """Where a trial's run with the card's seed, or the ``number``-th after it, lies."""
    place = Path(folder)
    return RunFolder(place if number == 0 else place.with_name(f"{place.name}.seed-{number}"))


def seeded(task: Task, number: int) -> Card:
    """The trial's card with its own seed or the ``number``-th after it.

    Raises:
        CardError: If the card is not right.
    """
    values = dict(task.card)
    values["seed"] += number
    return check.load_content(values, task.origins)


def values_of(run: Run, metrics: Sequence[str], data: Dataset | None) -> list[float]:
    """What decides, of a finished run.

    Raises:
        TrainingError: If one is not defined on these rows.
    """
    numbers = dict(run.metrics)
    if set(MEASURED) & set(metrics):
        numbers |= costs(run, data or load_dataset(run.card))
    found = [numbers.get(metric, math.nan) for metric in metrics]
    for metric, value in zip(metrics, found, strict=True):
        if not math.isfinite(value):
            raise TrainingError(f"{metric} is not defined on these rows")
    return found


def summed_up(metric: str, values: Sequence[float], spread_weight: float) -> float:
    """Of several seeds one number: the mean, made worse by so many standard deviations."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.fmean(values) - math.copysign(spread_weight * spread, 1.0 if maximizes(metric) else -1.0)
