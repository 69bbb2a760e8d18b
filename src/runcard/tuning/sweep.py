"""A sweep from its plan to its winner."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runcard import files, studies
from runcard.advice import advise
from runcard.brief import line_of, table_of
from runcard.card.plan import Plan
from runcard.card.schema import Card
from runcard.data.dataset import Dataset, Datasets
from runcard.environment import usable_cores
from runcard.errors import Stopped, TrainingError
from runcard.interrupts import HeldBack
from runcard.studies import StudyFolder
from runcard.training.trackers.winners import tell_winner
from runcard.tuning.account import Account
from runcard.tuning.driver import Driver
from runcard.tuning.listening import Address
from runcard.tuning.objective import objectives
from runcard.tuning.opening import opened
from runcard.tuning.placing import elsewhere
from runcard.tuning.pool import Pool
from runcard.tuning.storage import ASK_AGAIN_EVERY_S
from runcard.tuning.trials import Trials

log = logging.getLogger("runcard")

# Rows of so many cards are kept in memory for all trials; those of others are read by each trial for itself.
KEPT_DATA = 4


@dataclass(frozen=True, repr=False)
class Study:
    """A sweep that has ended.

    Attributes:
        folder: Where all of it is kept.
        summary: What ``study.json`` holds.
    """

    folder: StudyFolder
    summary: dict[str, Any]

    @property
    def best(self) -> dict[str, Any]:
        """The winner: ``number``, ``value``, ``params`` and ``run``, its folder."""
        best: dict[str, Any] = self.summary["best"]
        return best

    def __repr__(self) -> str:
        return line_of("Study", str(self.folder.path), self._winner())

    def _repr_html_(self) -> str:
        return table_of(f"study {self.folder.path}", self._winner())

    def _winner(self) -> dict[str, Any]:
        best = self.summary["best"]
        if best is None:
            return {"winner": "none"}
        return {"winner": f"trial {best['number']}", self.summary["metric"]: best["value"], **best["params"]}


def run_sweep(plan: Plan) -> Study:
    """Try what a plan says, or go on with it where it was left.

    Args:
        plan: What to try.

    Returns:
        The study with its winner.

    Raises:
        CardError: If the trials cannot be compared, or the study was made for something else.
        DataError: If the rows cannot be learned from; nothing was tried.
        RunError: If the study folder or the storage cannot be had.
        TrainingError: If not one trial was finished, or too many failed.
    """
    local = plan.launcher is None
    with HeldBack() as signals, _pool(plan) if local else contextlib.nullcontext() as pool:
        with signals.let_through():
            metrics, keys = _read(plan, pool)
        with opened(plan, metrics) as (folder, trials), _can_go_on(folder):
            summary = _run(plan, metrics, folder, trials, pool, keys, signals)
            with signals.let_through():
                tell_winner(folder, summary)
    if summary["best"] is None:
        raise TrainingError(f"none of the {plan.trials} trials of {folder.path} was finished; {_why(summary)}")
    return Study(folder, summary)


def _why(summary: dict[str, Any]) -> str:
    """Why a study has no winner."""
    errors = [trial["error"] for trial in summary["trials"] if trial["error"]]
    if errors:
        return f"the first: {errors[0]}"
    if summary["states"]["PRUNED"]:
        way = advise("sweep.pruner=none")
        return f"those that ended were pruned. Choose {way}, or a larger sweep.pruning.startup_trials."
    return str(summary["ended"])


def resume_sweep(path: str | Path) -> Study:
    """Go on with a study as it was begun, to the same total; one that is over is left as it is.

    Args:
        path: The study folder; nothing else is needed.

    Raises:
        RunError: If there is no such study, or what it was made for cannot be read.
    """
    folder = studies.open_study(path)
    plan = Plan.from_dict(files.read_json(folder.plan).get("plan", {}))
    # By its own place, for the folder may have been moved.
    place = {"name": folder.path.name, "studies_dir": str(folder.path.parent), "if_exists": "resume"}
    return run_sweep(replace(plan, settings=plan.settings.model_copy(update=place)))


def _run(
    plan: Plan,
    metrics: list[str],
    folder: StudyFolder,
    trials: Trials,
    pool: Pool | None,
    keys: Callable[[Card], str],
    signals: HeldBack,
) -> dict[str, Any]:
    """All trials that are left; the last summary."""
    trials.say_aside()
    if trials.over() and folder.summary.is_file():
        log.info("all %d trials of %s are done; raise sweep.n_trials to try more", len(trials.all()), folder.path)
        return folder.read()
    decide = f"{' and '.join(metrics)} decide{'' if len(metrics) > 1 else 's'}"
    log.info("study %s: %d trials over %s; %s", folder.path, plan.trials, ", ".join(plan.written_space), decide)
    if plan.trials > plan.size:
        log.warning(
            "the space has %d points, so some are tried more than once; %s tries each once",
            plan.size,
            advise("sweep.sampler=grid"),
        )
    with signals.let_through():
        executor = elsewhere(plan, folder) if pool is None else pool.ready(folder.outputs)
    trials.storage.pause = lambda: _pause(signals)
    address = None if pool is not None else Address(plan, folder, trials.study.study_name)
    with Account(plan, metrics, folder, trials) as account, contextlib.closing(executor):
        driver = Driver(plan, metrics, trials, folder, executor, watch=account, data_key=keys, address=address)
        account.ended = driver.run(signals)
    with signals.let_through():
        pass
    return account.summary


def _pause(signals: HeldBack) -> None:
    """Wait a little for a storage that is away; a signal ends the waiting, and the sweep."""
    with signals.let_through():
        time.sleep(ASK_AGAIN_EVERY_S)


@contextlib.contextmanager
def _can_go_on(folder: StudyFolder) -> Iterator[None]:
    """Say how to go on with a study that a signal ends."""
    try:
        yield
    except Stopped as stopped:
        stopped.go_on = advise("runcard", "resume", str(folder.path))
        raise


@contextlib.contextmanager
def _pool(plan: Plan) -> Iterator[Pool]:
    """Processes for trials; they import what they need while the rows are read."""
    workers, cores = plan.settings.workers, usable_cores()
    if workers > cores:
        log.warning("sweep.workers=%d is more than the %d cores: each trial will take longer", workers, cores)
    pool = Pool(workers)
    try:
        yield pool
    finally:
        pool.close()


def _read(plan: Plan, pool: Pool | None) -> tuple[list[str], Callable[[Card], str]]:
    """What decides; the rows that are read for it are kept for the trials."""
    datasets, kept = Datasets(), set[str]()

    def read(card: Card) -> Dataset:
        data, key = datasets.of(card), datasets.key(card)
        if pool is not None and key not in kept and len(kept) < KEPT_DATA:
            pool.share(key, data, card)
            kept.add(key)
        return data

    # Reading also finds out, before the first trial, that there is nothing to learn from.
    metrics = objectives(plan, lambda card: read(card).signature.target.task)
    assert metrics is not None  # for every task is known now
    return metrics, datasets.key
