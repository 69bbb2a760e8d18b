"""Trials that plain Optuna put into a study: added with a value, told, enqueued, or begun and left.

What waits or runs is tried as any other, if its values are of the sweep's space; if not, it fails with the reason. What
has a value already has no run: samplers learn from it where its values fit, and it neither counts nor wins.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from runcard.card.space import Dimension
from runcard.leaves import shown
from runcard.tuning.points import distributions, fits

# A trial that a sweep has worked on has one of them, and one that it left aside the last.
_OURS = ("epochs", "error", "run", "tries", "worker")
ASIDE = "aside"
NO_RUN = "it was given its value from elsewhere and has no run"


def is_ours(trial: FrozenTrial) -> bool:
    """Whether a trial was tried by a sweep, or will be: one that somebody else has finished is not."""
    if ASIDE in trial.user_attrs:
        return False
    return not trial.state.is_finished() or any(key in trial.user_attrs for key in _OURS)


def why_aside(trial: FrozenTrial, space: Sequence[Dimension]) -> str:
    """Why a trial that is not ours is left aside."""
    return trial.user_attrs.get(ASIDE) or misfit(trial, space) or NO_RUN


def misfit(trial: FrozenTrial, space: Sequence[Dimension]) -> str:
    """What of a trial's values, stored or enqueued, the sweep does not try; empty: they fit."""
    dimensions, wanted = {one.key: one for one in space}, distributions(space)
    given = {**trial.params, **(trial.system_attrs.get("fixed_params") or {})}
    for key, value in given.items():
        if key not in dimensions:
            return f"this sweep does not vary {key}"
        if not fits(dimensions[key], value):
            return f"{key}={shown(value)}, where this sweep tries {dimensions[key].text}"
        stored = trial.distributions.get(key)
        if stored is not None and _is_choice(stored) != _is_choice(wanted[key]):
            return f"{key} is a choice in the one and a number in the other"
    return ""


def learnable(trials: Iterable[FrozenTrial], space: Sequence[Dimension]) -> list[FrozenTrial]:
    """Trials as a sampler is to see them: without those that do not fit, the others' values as of this space."""
    wanted = distributions(space)
    return [_as_ours(trial, wanted) for trial in trials if is_ours(trial) or not misfit(trial, space)]


def _as_ours(trial: FrozenTrial, wanted: Mapping[str, BaseDistribution]) -> FrozenTrial:
    if is_ours(trial):
        return trial
    fitted = copy.copy(trial)
    fitted.distributions = {key: wanted[key] for key in trial.params}
    return fitted


def _is_choice(distribution: object) -> bool:
    return isinstance(distribution, CategoricalDistribution)
