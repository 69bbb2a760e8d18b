"""A study as ``study.json`` holds it: settings, the winner, and every trial that was begun."""

from __future__ import annotations

import contextlib
import datetime
import functools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from runcard.card.metrics import maximizes
from runcard.card.plan import Plan
from runcard.errors import RunError
from runcard.files import read_json
from runcard.leaves import shown
from runcard.runs import RunFolder
from runcard.studies import StudyFolder
from runcard.tuning.outside import is_ours, why_aside
from runcard.tuning.points import decoded
from runcard.tuning.ranking import is_number, run_values, spread, winners

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
# What is told of the winner, as far as its trial has it.
TOLD = ("number", "value", "params", "run")
# Of a forest that weighs 1,000 trials in a quarter of a second; Optuna's own takes 16.
TREES, DEPTH = 16, 8


class Summary:
    """Describes a study, each finished trial once.

    Args:
        plan: The sweep.
        metrics: The objectives, the first deciding among equals.
        folder: The study's.
    """

    def __init__(self, plan: Plan, metrics: Sequence[str], folder: StudyFolder) -> None:
        settings = plan.settings
        self._plan, self._folder = plan, folder
        self._over: dict[int, dict[str, Any]] = {}
        self._runs = set[int]()
        self.directions: list[Literal["maximize", "minimize"]] = [
            "maximize" if maximizes(metric) else "minimize" for metric in metrics
        ]
        self._head = {
            "study": str(folder.path),
            "metric": metrics[0],
            "metrics": list(metrics),
            "direction": self.directions[0],
            "directions": self.directions,
            "n_trials": plan.trials,
            "sampler": settings.sampler,
            "pruner": settings.pruner,
            "pruning": settings.pruning_options,
            "seed": settings.seed,
            "seeds": settings.seeds,
            "workers": settings.workers,
            "space": plan.written_space,
            "first": plan.first,
        }

    def of(self, study: optuna.Study, *, seconds: float, ended: str | None = None) -> dict[str, Any]:
        """What ``study.json`` holds now.

        Args:
            study: Optuna's.
            seconds: How long the sweep has taken so far.
            ended: Why it is over, such as ``target reached``; None: it is not.
        """
        there = study.get_trials(deepcopy=False)
        begun = [trial for trial in there if trial.state != TrialState.WAITING and is_ours(trial)]
        trials = [self._described(trial) for trial in begun]
        best = [self._told(trial) for trial in winners([*filter(self._has_run, trials)], self.directions)]
        return {
            **self._head,
            "best": best[0] if best else None,
            "front": best if len(self.directions) > 1 else [],
            "states": {state: sum(trial["state"] == state for trial in trials) for state in STATES},
            "ended": ended,
            "seconds": round(seconds, 3),
            "trials": trials,
            "aside": [self._aside(trial) for trial in there if not is_ours(trial)],
            "baselines": self._baselines,
        }

    @functools.cached_property
    def _known_baselines(self) -> dict[str, Any]:
        return read_json(self._folder.baselines)

    @property
    def _baselines(self) -> dict[str, Any] | None:
        """Scores of the baselines on the test rows, and in which metric; None: they are not known, or not yet."""
        return self._known_baselines if self._folder.baselines.is_file() else None

    def _aside(self, trial: FrozenTrial) -> dict[str, Any]:
        """A trial that somebody else has put into the study, and why it does not count."""
        told = {"number": trial.number, "state": trial.state.name, "why": why_aside(trial, self._plan.space)}
        values = None if trial.values is None else [_plain(value) for value in trial.values]
        return told | {"values": values, "params": {key: shown(value) for key, value in trial.params.items()}}

    def _told(self, trial: Mapping[str, Any]) -> dict[str, Any]:
        told = {key: trial[key] for key in TOLD} | {"validation_rows": _validation_rows(str(trial["run"]))}
        if self._baselines is not None:
            told["test"] = _test_score(str(trial["run"]), str(self._baselines.get("metric")))
        if len(self.directions) > 1:
            told["values"] = trial["values"]
        if trial["seed_values"]:
            told |= {"std": spread(run_values(trial)), "seed_values": trial["seed_values"]}
        return told

    def _described(self, trial: FrozenTrial) -> dict[str, Any]:
        if trial.number not in self._over:
            described = self._describe(trial)
            if not trial.state.is_finished():
                return described
            self._over[trial.number] = described
        return self._over[trial.number]

    def _describe(self, trial: FrozenTrial) -> dict[str, Any]:
        values = None if trial.values is None else [_plain(value) for value in trial.values]
        known = trial.user_attrs
        of_one_run = [values] if trial.state == TrialState.COMPLETE else None
        return {
            "number": trial.number,
            "state": trial.state.name,
            "value": values and values[0],
            "values": values,
            "seed_values": known.get("seed_values", of_one_run),
            "params": decoded(self._plan.space, trial.params),
            "run": str(self._run(trial)),
            "started": _utc(trial.datetime_start),
            "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 3),
            **{key: known.get(key) for key in ("worker", "host", "epochs", "tries", "error")},
            "reports": [[step, _plain(value)] for step, value in sorted(trial.intermediate_values.items())],
        }

    def _has_run(self, trial: Mapping[str, Any]) -> bool:
        """Whether there is a finished run of a trial, without which it can be neither looked at nor packaged."""
        if trial["number"] not in self._runs and RunFolder(Path(trial["run"])).finished:
            self._runs.add(trial["number"])
        return trial["number"] in self._runs

    def _run(self, trial: FrozenTrial) -> Path:
        """A trial's run folder: in the study, which may have been moved, or else where it was begun."""
        here = self._folder.trial(trial.number).path
        return here if here.is_dir() else Path(trial.user_attrs.get("run", here))


@functools.cache
def _test_score(run: str, metric: str) -> float | None:
    """What a finished run scored on its test rows; None if it does not say."""
    with contextlib.suppress(RunError, TypeError, ValueError):
        return float(read_json(RunFolder(Path(run)).metrics).get(f"test/{metric}"))  # type: ignore[arg-type]
    return None


@functools.cache
def _validation_rows(run: str) -> int | None:
    """By how many rows a trial was judged; None if its run does not say."""
    try:
        return int(read_json(RunFolder(Path(run)).data)["parts"]["validation"])
    except (RunError, KeyError, TypeError, ValueError):
        return None


def importances(study: optuna.Study) -> dict[str, float]:
    """How much of the first objective's variation each key explains, from 0 to 1, most first.

    Returns:
        Empty where it cannot be told: with fewer than two finished trials, or if all are equally good. Keys that not
        every trial has are left out.
    """
    forest = FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            found = get_param_importances(study, evaluator=forest, target=lambda trial: trial.values[0])
    except (ValueError, RuntimeError):  # how Optuna says that there is nothing to compare
        return {}
    return {key: round(float(share), 4) for key, share in found.items() if is_number(float(share))}


def _plain(value: float) -> float | None:
    """A number as JSON can hold it."""
    return value if is_number(value) else None


def _utc(moment: datetime.datetime | None) -> str | None:
    """A moment of Optuna's, who notes them in local time."""
    return None if moment is None else moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
