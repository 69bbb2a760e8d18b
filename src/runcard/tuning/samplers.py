"""Who chooses the next point, by name.

A new sampler is made before each point, seeded by the study's seed and the trial's number, so that a sweep with one
worker tries the same points again, also one that was killed and is gone on with by another process: what a sampler
has learned it learns anew from the trials, or keeps in the storage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from runcard.card.sections.sweep import Sweep

# Trials at random before a model has something to learn from; with few trials in all, a third of them.
STARTUP_TRIALS = 10
# A Gaussian process over so many trials takes a tenth of a second; over a thousand, nine tenths.
WINDOW = 100
# Of a generation; Optuna's own is 50, as many as most sweeps have trials.
LEAST_POPULATION, MOST_POPULATION = 8, 50


def make_sampler(settings: Sweep, *, number: int, trials: int, objectives: int, conditional: bool) -> BaseSampler:
    """The sampler that a sweep names, for one trial.

    Args:
        settings: Name, seed and options.
        number: Of the trial.
        trials: How many there will be.
        objectives: How many numbers decide.
        conditional: Whether some keys apply only where others have certain values.
    """
    startup = settings.startup_trials or min(STARTUP_TRIALS, max(1, trials // 3))
    seed = seed_of(settings.seed, number)
    population = int(np.clip(trials // 5, LEAST_POPULATION, MOST_POPULATION))
    makers: dict[str, Callable[[], BaseSampler]] = {
        "random": lambda: RandomSampler(seed),
        "grid": lambda: RandomSampler(seed),  # its points are laid in the queue, and none is drawn
        "brute_force": lambda: BruteForce(seed),
        "tpe": lambda: TPESampler(
            seed=seed,
            multivariate=True,
            group=conditional,
            n_startup_trials=startup,
            constant_liar=settings.workers > 1 or settings.storage is not None,
        ),
        "gp": lambda: WindowedGP(
            settings.window or WINDOW, seed=seed, n_startup_trials=startup, warn_independent_sampling=False
        ),
        "cmaes": lambda: CmaEsSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False),
        "qmc": lambda: QuasiRandom(number, seed=settings.seed, independent_sampler=RandomSampler(seed)),
        "nsga2": lambda: NSGAIISampler(seed=seed, population_size=population),
        "nsga3": lambda: NSGAIIISampler(seed=seed, population_size=population),
    }
    return makers[settings.sampler]()


def seed_of(seed: int, number: int) -> int:
    """A trial's seed, from the study's: unlike those of its neighbours."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


class BruteForce(BruteForceSampler):
    """Every point once, in random order; whoever asks for them counts them."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Nothing: Optuna's would stop a loop that is not there."""


class QuasiRandom(QMCSampler):
    """Sobol's sequence, scrambled; a trial's place in it is its number.

    Optuna counts the places in the storage, where two machines could take one, and a trial that is drawn again would
    take another.

    Args:
        number: Of the trial.
        seed: Of the whole sequence, so the same for every trial.
        independent_sampler: Draws what the first trial did not have; its seed is the trial's, or each got the same.
    """

    def __init__(self, number: int, *, seed: int, independent_sampler: BaseSampler) -> None:
        super().__init__(
            scramble=True, seed=seed, independent_sampler=independent_sampler, warn_independent_sampling=False
        )
        self.number = number

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self.number


class WindowedGP(GPSampler):
    """A Gaussian process that learns from the newest trials, and from the best one: its cost grows with their cube.

    Args:
        window: How many finished trials it looks at, 2 or more.
        settings: As Optuna takes them.
    """

    def __init__(self, window: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.window = window

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choose values as Optuna does, from fewer trials, on one thread: for so few, each more makes it slower."""
        import torch  # loaded by Optuna too, and only for this sampler

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return super().sample_relative(_Window(study, self.window), trial, search_space)
        finally:
            torch.set_num_threads(threads)


class _Window(Study):
    """A study as if it had fewer trials."""

    def __init__(self, study: Study, size: int) -> None:
        self.__dict__ = dict(study.__dict__)
        self._size = size

    def _get_trials(self, *arguments: Any, **settings: Any) -> list[FrozenTrial]:
        found = super()._get_trials(*arguments, **settings)
        complete = [trial for trial in found if trial.state == TrialState.COMPLETE]
        signs = [1 if direction == StudyDirection.MAXIMIZE else -1 for direction in self.directions]
        kept = {trial.number for trial in complete[-self._size :]}
        if complete:  # of each number that decides, the best
            for place, sign in enumerate(signs):
                kept.add(max(complete, key=lambda trial: sign * trial.values[place]).number)
        return [trial for trial in found if trial.state != TrialState.COMPLETE or trial.number in kept]
