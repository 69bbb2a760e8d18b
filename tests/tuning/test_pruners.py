"""The contract of a pruner: plainly bad trials end early, the best one never, and the same ones each time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.pruners import BasePruner
from optuna.trial import TrialState

import runcard
from runcard.card.sections.sweep import Pruning, Sweep
from runcard.errors import CardError
from runcard.tuning.pruners import make_pruner
from runcard.tuning.storage import quietly

EPOCHS = 20
TRIALS = 40
OPTIONS: dict[str, dict[str, Any]] = {"threshold": {"lower": 0.3, "warmup_epochs": 2}}
# Which compare a trial with the others, epoch by epoch.
COMPARING = ["median", "percentile", "hyperband", "successive_halving"]

Curve = list[float]


def made(pruner: str, **options: Any) -> BasePruner:
    pruning = Pruning(**{**OPTIONS.get(pruner, {}), **options})
    with quietly():
        settings = Sweep.model_validate({"sampler": "random", "pruner": pruner, "pruning": pruning, "space": {}})
        return make_pruner(settings, max_epochs=EPOCHS)


def curves(seed: int = 0) -> list[Curve]:
    """Accuracies as they come for learning rates of 1e-4 to 1e-1: too low is slow, too high is unsteady and ends low.

    Number 5 is plainly the best, number 10 diverges.
    """
    random = np.random.default_rng(seed)
    found = []
    for power in random.uniform(-4.0, -1.0, TRIALS):
        ceiling = 0.97 - 0.03 * (power + 2.3) ** 2
        rate = min(1.2, 0.12 * 10 ** (0.45 * (power + 4.0)))
        noise = random.normal(0.0, 0.005 if power < -1.5 else 0.04, EPOCHS)
        found.append((ceiling - 0.85 * np.exp(-rate * np.arange(1, EPOCHS + 1)) + noise).clip(0.1, 0.975).tolist())
    found[5] = (0.99 - 0.3 * np.exp(-1.0 * np.arange(EPOCHS))).tolist()
    found[10] = [0.25, *[0.1] * (EPOCHS - 1)]
    return found


def replayed(pruner: BasePruner, told: list[Curve], *, maximize: bool = True, name: str = "one") -> list[int]:
    """How many epochs each trial came to, two at a time."""
    sign = 1.0 if maximize else -1.0
    with quietly():
        study = optuna.create_study(
            direction="maximize" if maximize else "minimize",
            pruner=pruner,
            sampler=optuna.samplers.RandomSampler(0),
            study_name=name,
        )
        for pair in range(0, len(told), 2):
            running = [(study.ask(), curve) for curve in told[pair : pair + 2]]
            for epoch in range(EPOCHS):
                for trial, curve in list(running):
                    trial.report(sign * curve[epoch], epoch)
                    if trial.should_prune():
                        study.tell(trial, state=TrialState.PRUNED)
                        running.remove((trial, curve))
            for trial, curve in running:
                study.tell(trial, sign * np.nanmax([*curve, -1.0]))
    return [len(trial.intermediate_values) for trial in study.trials]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("pruner", [*COMPARING, "patient"])
def test_a_bad_trial_ends_early_and_the_best_one_does_not(pruner: str, maximize: bool, seed: int) -> None:
    epochs = replayed(made(pruner), curves(seed), maximize=maximize)
    assert epochs[10] <= EPOCHS // 2
    assert epochs[5] == EPOCHS


@pytest.mark.parametrize("pruner", COMPARING)
def test_those_that_compare_save_half(pruner: str) -> None:
    assert sum(replayed(made(pruner), curves())) <= 0.55 * EPOCHS * TRIALS


@pytest.mark.parametrize("pruner", [*COMPARING, "patient", "threshold"])
def test_the_same_ones_each_time_whatever_the_study_is_called(pruner: str) -> None:
    assert replayed(made(pruner), curves()) == replayed(made(pruner), curves(), name="two")


def test_none_ends_none() -> None:
    assert replayed(made("none"), curves()) == [EPOCHS] * TRIALS


def test_a_threshold_is_for_either_side() -> None:
    epochs = replayed(made("threshold"), curves())
    assert epochs[10] == 3  # the first after the warm-up
    assert epochs[5] == EPOCHS
    losses = [[-value for value in curve] for curve in curves()]
    assert replayed(made("threshold", lower=None, upper=-0.3), losses)[10] == 3


@pytest.mark.parametrize("pruner", ["median", "percentile", "hyperband", "successive_halving", "threshold"])
def test_what_is_no_number_ends_a_trial(pruner: str) -> None:
    told = curves()
    told[30] = [math.nan] * EPOCHS
    assert replayed(made(pruner), told)[30] < EPOCHS


@pytest.mark.parametrize("pruner", ["none", "patient"])
def test_and_without_comparison_it_is_borne_in_silence(pruner: str) -> None:
    told = curves()
    told[30] = [math.nan] * EPOCHS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert replayed(made(pruner), told)[30] == EPOCHS


@pytest.mark.parametrize(
    ("pruner", "option", "least"),
    [("median", {"warmup_epochs": 4}, 5), ("percentile", {"warmup_epochs": 4}, 5), ("hyperband", {"min_epochs": 4}, 5)],
)
def test_options_give_time(pruner: str, option: dict[str, int], least: int) -> None:
    assert min(replayed(made(pruner, **option), curves())) == least


def test_nobody_is_stopped_before_enough_are_finished() -> None:
    assert replayed(made("median", startup_trials=12), curves())[:12] == [EPOCHS] * 12


def _by_seed(values: Callable[[int], float], pruner: BasePruner, seeds: int) -> int:
    """After how many seeds a trial is stopped that is compared with a good one."""
    with quietly(), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        study = optuna.create_study(direction="maximize", pruner=pruner)
        good, other = study.ask(), study.ask()
        for seed in range(seeds):
            good.report(0.9 + 0.001 * seed, seed)
        study.tell(good, 0.9)
        for seed in range(seeds):
            other.report(values(seed), seed)
            if other.should_prune():
                return seed + 1
    return seeds


def test_wilcoxon_stops_what_is_worse_on_each_seed() -> None:
    assert _by_seed(lambda seed: 0.5 + 0.003 * seed, made("wilcoxon"), 8) == 4  # three seeds cannot prove so much
    assert _by_seed(lambda seed: 0.95, made("wilcoxon"), 8) == 8
    assert _by_seed(lambda seed: math.nan, made("wilcoxon"), 8) == 8


@pytest.mark.parametrize(("p_value", "enough"), [(0.5, 2), (0.3, 2), (0.125, 4), (0.1, 4), (0.02, 6)])
def test_wilcoxon_needs_a_seed_more_than_it_can_be_sure_after(p_value: float, enough: int) -> None:
    assert _by_seed(lambda seed: 0.1 - 0.01 * seed, made("wilcoxon", p_value=p_value), 8) == enough
    words = ["sweep=random", "data=wine", "model=linear", "optimizer.lr=0.1,0.2", "sweep.pruner=wilcoxon"]
    words.append(f"sweep.pruning.p_value={p_value}")
    with pytest.raises(
        CardError, match=rf"(?s)before {enough} seeds, and a trial has {enough}.*sweep.seeds={enough + 1}"
    ):
        runcard.load_sweep([*words, f"sweep.seeds={enough}"])
    runcard.load_sweep([*words, f"sweep.seeds={enough + 1}"])
