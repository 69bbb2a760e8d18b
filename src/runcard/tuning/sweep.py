"""Ask for a point, fit its card, tell how good it was; until all trials are done."""

from __future__ import annotations

import itertools
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from runcard import files, studies
from runcard.card.metrics import maximizes
from runcard.card.plan import Plan
from runcard.card.schema import Card
from runcard.errors import RuncardError, TrainingError
from runcard.interrupts import HeldBack
from runcard.runs import RunFolder, shown
from runcard.studies import StudyFolder
from runcard.tuning.storage import decoded, distributions, encoded, new_study
from runcard.yamltext import dump_yaml

log = logging.getLogger("runcard")

# Card and where its run goes in, the run's numbers out.
Fit = Callable[[Card, RunFolder], Mapping[str, float]]


@dataclass(frozen=True)
class Study:
    """A finished sweep.

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


def run_sweep(plan: Plan, metric: str, fit: Fit) -> Study:
    """Run every trial of a plan, one after the other.

    Args:
        plan: What to try.
        metric: What decides, such as ``val/accuracy``.
        fit: Trains a trial's card.

    Returns:
        The study with its winner.

    Raises:
        RunError: If the study folder cannot be made or written.
        TrainingError: If not one trial was finished.
    """
    with HeldBack() as signals:
        folder = studies.create(plan.settings.studies_dir, plan.settings.name, plan.name)
        try:
            summary = _run_trials(plan, folder, metric, fit, signals)
        except BaseException:
            if not folder.summary.is_file():  # nothing was begun, and the name is free again
                shutil.rmtree(folder.path, ignore_errors=True)
            raise
    if summary["best"] is None:
        first = summary["trials"][0]["error"]
        raise TrainingError(f"none of the {plan.trials} trials of {folder.path} was finished; the first: {first}")
    return Study(folder, summary)


def _run_trials(plan: Plan, folder: StudyFolder, metric: str, fit: Fit, signals: HeldBack) -> dict[str, Any]:
    """All trials; the last summary."""
    for name, content in plan.composed():
        files.write_text(folder.cards / f"{name}.yaml", dump_yaml(content))
    with new_study(folder, plan.settings, maximize=maximizes(metric), trials=plan.trials) as study:
        summary = _write_summary(folder, plan, metric, study)
        log.info("study %s: %d trials, %s decides", folder.path, plan.trials, metric)
        if plan.trials > plan.size:
            hint = "so some are tried more than once; sweep=grid tries each once"
            log.warning("the space has %d points, %s", plan.size, hint)
        named = _named(plan)
        for _ in range(plan.trials):
            for point in itertools.islice(named, 1):
                study.enqueue_trial(encoded(point))
            try:
                _try(study, plan, folder, metric, fit, signals)
            finally:  # a signal too ends with a summary of what was done
                summary = _write_summary(folder, plan, metric, study)
            _report(summary, plan.trials)
    return summary


def _named(plan: Plan) -> Iterator[Mapping[str, Any]]:
    """The points that no sampler chooses: of a grid all; else the card's own, so that a sweep never ends below it."""
    if plan.settings.sampler == "grid":
        yield from plan.points()
    elif plan.own:
        yield plan.own


def _try(study: optuna.Study, plan: Plan, folder: StudyFolder, metric: str, fit: Fit, signals: HeldBack) -> None:
    """One trial; what goes wrong in it is recorded and costs this trial only."""
    trial = study.ask(distributions(plan.space))
    run = folder.trial(trial.number)
    try:
        card = plan.card(decoded(plan.space, trial.params))
        with signals.let_through():
            value = fit(card, run).get(metric, math.nan)
        if not math.isfinite(value):
            raise TrainingError(f"{metric} is not defined on these rows")
    except Exception as error:
        reason = str(error) if isinstance(error, RuncardError) else f"{type(error).__name__}: {error}"
        trial.set_user_attr("error", reason)
        study.tell(trial, state=TrialState.FAIL)
    except BaseException as error:  # a signal: the trial is over, and so is the sweep
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=TrialState.FAIL)
        raise
    else:
        study.tell(trial, value)


def _write_summary(folder: StudyFolder, plan: Plan, metric: str, study: optuna.Study) -> dict[str, Any]:
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    trials = [_described(trial, folder, plan) for trial in done]
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    sign = 1 if maximizes(metric) else -1
    # Of equal ones the earliest, for max keeps the first.
    best = max(complete, key=lambda trial: sign * trial["value"], default=None)
    summary = {
        "study": str(folder.path),
        "metric": metric,
        "direction": "maximize" if sign > 0 else "minimize",
        "n_trials": plan.trials,
        "sampler": plan.settings.sampler,
        "seed": plan.settings.seed,
        "space": plan.written_space,
        "best": best and {key: best[key] for key in ("number", "value", "params", "run")},
        "states": {state: sum(trial["state"] == state for trial in trials) for state in ("COMPLETE", "FAIL")},
        "trials": trials,
    }
    files.write_json(folder.summary, summary)
    return summary


def _described(trial: FrozenTrial, folder: StudyFolder, plan: Plan) -> dict[str, Any]:
    seconds = trial.duration.total_seconds() if trial.duration is not None else None
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "params": decoded(plan.space, trial.params),
        "run": str(folder.trial(trial.number).path),
        "seconds": seconds,
        "error": trial.user_attrs.get("error"),
    }


def _report(summary: Mapping[str, Any], trials: int) -> None:
    """One line for the trial that has just ended."""
    last, best = summary["trials"][-1], summary["best"]
    params = " ".join(f"{key}={shown(value)}" for key, value in last["params"].items())
    done = f"{len(summary['trials'])} of {trials} done" + (f", best trial {best['number']}" if best else "")
    if last["state"] == "COMPLETE":
        log.info("trial %d: %.4f  %s  (%s)", last["number"], last["value"], params, done)
    else:
        log.warning("trial %d failed: %s  %s  (%s)", last["number"], last["error"], params, done)
