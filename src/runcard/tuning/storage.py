"""A study in Optuna: its storage, its sampler, its distributions. With ``sweep.py`` the only file that knows Optuna."""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from runcard.card.sections.sweep import Sweep
from runcard.card.space import Dimension
from runcard.errors import RunError
from runcard.studies import StudyFolder

# Trials at random before the estimator has something to learn from; with few trials in all, a third of them.
STARTUP_TRIALS = 10
# Longer than any transaction of ours: who waits so long for the file has met a dead disk, not a busy one.
LOCK_TIMEOUT_S = 60


@contextlib.contextmanager
def new_study(folder: StudyFolder, settings: Sweep, *, maximize: bool, trials: int) -> Iterator[optuna.Study]:
    """A new study in the folder's database, closed at the end.

    Args:
        folder: A study folder without a database.
        settings: Sampler and seed.
        maximize: Whether more is better.
        trials: How many are planned.

    Raises:
        RunError: If the database cannot be written.
    """
    with _quietly():
        # Connected by hand: in an URL a path with a question mark would end there.
        connect = functools.partial(sqlite3.connect, folder.database, LOCK_TIMEOUT_S, check_same_thread=False)
        storage = RDBStorage("sqlite:///study.db", engine_kwargs={"creator": connect})
        try:
            yield optuna.create_study(
                storage=storage,
                sampler=_sampler(settings, trials),
                study_name=folder.path.name,
                direction="maximize" if maximize else "minimize",
            )
        except (StorageInternalError, SQLAlchemyError) as error:
            raise RunError(f"cannot write {folder.database}: {_first_cause(error)}") from error
        finally:
            storage.remove_session()
            storage.engine.dispose()


def distributions(space: Sequence[Dimension]) -> dict[str, BaseDistribution]:
    """Optuna's word for each dimension."""
    return {dimension.key: _distribution(dimension) for dimension in space}


def encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """A point as Optuna stores it: lists and mappings as JSON."""
    return {key: _encode(value) for key, value in values.items()}


def decoded(space: Sequence[Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    """A point as the card takes it, from what Optuna stored."""
    by_key = {dimension.key: dimension for dimension in space}
    return {key: _decode(by_key[key], value) for key, value in params.items()}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without Optuna's own report of each trial, and without its word that a sampler's options may change."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _first_cause(error: BaseException) -> BaseException:
    """SQLite's own words, such as ``database or disk is full``."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _sampler(settings: Sweep, trials: int) -> BaseSampler:
    if settings.sampler == "tpe":
        startup = min(STARTUP_TRIALS, max(1, trials // 3))
        return TPESampler(seed=settings.seed, multivariate=True, n_startup_trials=startup)
    return RandomSampler(seed=settings.seed)


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
