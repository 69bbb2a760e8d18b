"""The loop that one would write by hand with the newest Optuna: ask, train in this process, tell.

    python -m bench.sweeping.plain STORAGE N_TRIALS

The study is there, with its points waiting; a second process with the same storage shares them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from bench.sweeping.trial import fitted, prepared
from optuna.samplers import RandomSampler

NAME, SECONDS = "plain", "seconds"


def create(storage: str, points: Iterable[Mapping[str, Any]]) -> None:
    """A new study that will try these points in their order."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=storage, study_name=NAME, direction="maximize")
    for point in points:
        study.enqueue_trial(dict(point))


def seconds(storage: str) -> list[float]:
    """What each fit took."""
    trials = optuna.load_study(study_name=NAME, storage=storage, sampler=RandomSampler()).trials
    return [trial.user_attrs[SECONDS] for trial in trials if SECONDS in trial.user_attrs]


def main() -> None:
    """Try what waits until there is no more."""
    storage, n_trials = sys.argv[1], int(sys.argv[2])
    plan, _, _ = prepared()
    study = optuna.load_study(study_name=NAME, storage=storage, sampler=RandomSampler())
    while (trial := study.ask()).number < n_trials:
        fit = fitted({key.key: trial.suggest_categorical(key.key, key.values) for key in plan.space})
        trial.set_user_attr(SECONDS, fit.seconds)
        study.tell(trial, fit.value)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
