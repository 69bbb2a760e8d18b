"""Who ends trials early, by name."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any, cast

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
    WilcoxonPruner,
)
from optuna.study import Study
from optuna.trial import FrozenTrial

from runcard.card.sections.sweep import Sweep


def make_pruner(settings: Sweep, *, max_epochs: int) -> BasePruner:
    """The pruner that a sweep names. A step is an epoch, from 0; for wilcoxon it is a run with another seed.

    Successive halving first looks after a tenth of the epochs: Optuna's own rule, a hundredth of the steps, is for
    steps that are minibatches, and ends what learns slowly at first.

    Args:
        settings: Name and options; what is left open there is as ``card/sections/sweep.py`` says.
        max_epochs: The most that a trial may have, 1 or more.
    """
    options: dict[str, Any] = settings.pruning_options
    makers: dict[str, Callable[[], BasePruner]] = {
        "none": NopPruner,
        "median": lambda: Quiet(MedianPruner(*_looks(options))),
        "percentile": lambda: Quiet(PercentilePruner(options["percentile"], *_looks(options))),
        "hyperband": lambda: Hyperband(
            options["min_epochs"], max(max_epochs, options["min_epochs"]), options["reduction"]
        ),
        "successive_halving": lambda: SuccessiveHalvingPruner(
            options["min_epochs"] or max(1, max_epochs // 10), reduction_factor=options["reduction"]
        ),
        "patient": lambda: Quiet(PatientPruner(None, options["patience"], options["min_delta"])),
        "threshold": lambda: ThresholdPruner(
            options["lower"],
            options["upper"],
            n_warmup_steps=options["warmup_epochs"],
            interval_steps=options["every_epochs"],
        ),
        "wilcoxon": lambda: Quiet(WilcoxonPruner(p_threshold=options["p_value"])),
    }
    return makers[settings.pruner]()


def _looks(options: dict[str, Any]) -> tuple[int, int, int]:
    """From when on, and how often, trials are compared with each other."""
    return options["startup_trials"], options["warmup_epochs"], options["every_epochs"]


class Hyperband(HyperbandPruner):
    """Hyperband with brackets by the trials' numbers, not by the study's name too, which may hold the time."""

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        return super()._get_bracket_id(cast(Study, types.SimpleNamespace(study_name="")), trial)


class Quiet(BasePruner):
    """A pruner without its warnings about values that are no numbers: of such a trial the run's own log tells."""

    def __init__(self, pruner: BasePruner) -> None:
        self.pruner = pruner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to end the trial."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.pruner.prune(study, trial)
