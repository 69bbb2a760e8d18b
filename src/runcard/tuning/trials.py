"""The trials of one study: taken, reported, told; each by one process at a time, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from runcard.card.plan import Plan
from runcard.tuning.leases import Lease, Leases
from runcard.tuning.listening import report
from runcard.tuning.points import distributions, encoded, suggest
from runcard.tuning.samplers import make_sampler
from runcard.tuning.storage import Storage, quietly

T = TypeVar("T")
STATES = {"COMPLETE": TrialState.COMPLETE, "PRUNED": TrialState.PRUNED, "FAIL": TrialState.FAIL}


@dataclass(frozen=True)
class Taken:
    """A trial that this process works on.

    Attributes:
        number: From 0.
        trial_id: Its key in the storage.
        point: Its values, by the keys of the space that apply.
        lease: The right to it.
        tries: How often its process has died so far.
        new: Whether nobody has worked on it before.
    """

    number: int
    trial_id: int
    point: dict[str, Any]
    lease: Lease
    tries: int
    new: bool


class Trials:
    """What is tried in a study, and by whom.

    Args:
        study: In the storage.
        storage: Which holds it.
        plan: What is tried.

    Attributes:
        total: How many there will be.
    """

    def __init__(self, study: optuna.Study, storage: Storage, plan: Plan) -> None:
        self.study = study
        self.storage = storage
        self.plan = plan
        self.total = plan.trials  # once: of a grid, all of its points are counted for it
        self.leases = Leases(storage.engine, study._study_id, sole=not storage.shared)
        self._held: dict[int, Lease] = {}

    def all(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials so far; those that wait for their turn are not among them."""
        wanted = states or (TrialState.RUNNING, *STATES.values())
        return self._asked(lambda: self.study.get_trials(deepcopy=False, states=wanted))

    def over(self) -> bool:
        """Whether all are finished."""
        return len(self.all(*STATES.values())) >= self.total

    def take(self) -> Taken | None:
        """A trial to work on: one that was left behind, else a new one; None: there is none at this time."""
        return self._asked(self._take)

    def report(self, taken: Taken, step: int, value: float) -> bool:
        """Note how a trial stands at a step.

        Returns:
            Whether to prune it; one that someone else has finished meanwhile is not worth going on with either.
        """
        try:
            return self._asked(lambda: report(self.study, taken.trial_id, step, value))
        except UpdateFinishedTrialError:
            return True

    def tell(self, taken: Taken, outcome: Mapping[str, Any]) -> bool:
        """Note what came of a trial, which is then to be given back: nobody waits for that, so it may come later.

        Args:
            taken: The trial.
            outcome: As ``task.outcome`` makes it, of a trial that has ended.

        Returns:
            Whether it counts; not if someone else has taken the trial meanwhile.
        """
        kept = {key: outcome[key] for key in ("epochs", "error", "seed_values") if outcome[key]}
        if outcome["values"] and kept.get("seed_values") == [outcome["values"]]:  # of one run, they say the same
            del kept["seed_values"]
        return self._asked(lambda: self._tell(taken, STATES[outcome["state"]], outcome["values"], kept))

    def note(self, taken: Taken, **attributes: Any) -> None:
        """Keep something of a trial that goes on; nothing, if someone else has finished it."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self._asked(lambda: self._keep(taken.trial_id, attributes))

    def give_back(self, taken: Taken) -> None:
        """Hold a trial no more; one that is not finished is gone on with by whoever asks next."""
        self._held.pop(taken.number, None)
        self._asked(lambda: self.leases.give_back(taken.lease))

    def renew(self) -> list[int]:
        """Hold on to the trials that were taken.

        Returns:
            The numbers of those that are lost to someone else: what comes of them here does not count.
        """
        lost = self._asked(lambda: self.leases.renew(list(self._held.values())))
        for lease in lost:
            self._held.pop(lease.number, None)
        return [lease.number for lease in lost]

    def _asked(self, call: Callable[[], T]) -> T:
        with quietly():
            return self.storage.patiently(call)

    def _take(self) -> Taken | None:
        with self.storage.alone(self.study.study_name):
            there = self.study.get_trials(deepcopy=False)
            for trial in there:
                if trial.state == TrialState.RUNNING and trial.number not in self._held:
                    lease = self.leases.claim(trial.number)
                    if lease is not None:
                        return self._left_behind(trial._trial_id, lease)
            begun = [trial for trial in there if trial.state != TrialState.WAITING]
            if len(begun) >= self.total:
                return None
            return self._begun(len(begun), waiting=len(there) > len(begun))

    def _begun(self, count: int, *, waiting: bool) -> Taken | None:
        """A new trial: one that waits for its turn, or the next."""
        self.study.sampler = self._sampler(count)
        if self.plan.settings.sampler == "grid" and not waiting:
            trial = self._written(next(itertools.islice(self.plan.points(), count, None)))
        else:
            for point in () if waiting else self.plan.first[count : count + 1]:
                self.study.enqueue_trial(encoded(point))
            trial = self.study.ask()
        lease = self.leases.claim(trial.number)
        return None if lease is None else self._taken(trial, lease, new=True)

    def _written(self, point: Mapping[str, Any]) -> optuna.Trial:
        """A new trial at a point that no sampler chooses: in one transaction where asking for it takes six."""
        among = distributions([dimension for dimension in self.plan.space if dimension.key in point])
        running = create_trial(state=TrialState.RUNNING, params=encoded(point), distributions=among)
        return self._there(self.study._storage.create_new_trial(self.study._study_id, running))

    def _left_behind(self, trial_id: int, lease: Lease) -> Taken:
        """A trial whose process is gone; a value that was not drawn yet comes out as it would have then."""
        self.study.sampler = self._sampler(lease.number)
        return self._taken(self._there(trial_id), lease, new=False)

    def _there(self, trial_id: int) -> optuna.Trial:
        """A trial that is in the storage, for the sampler that the study has now."""
        self.study._thread_local.cached_all_trials = None
        return optuna.trial.Trial(self.study, trial_id)

    def _taken(self, trial: optuna.Trial, lease: Lease, *, new: bool) -> Taken:
        point = suggest(trial, self.plan.space)
        self._held[lease.number] = lease  # only now: one that is held is not looked for when an answer is lost
        return Taken(lease.number, trial._trial_id, point, lease, int(trial.user_attrs.get("tries", 0)), new)

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        return make_sampler(
            self.plan.settings,
            number=number,
            trials=self.total,
            objectives=len(self.study.directions),
            conditional=any(dimension.when for dimension in self.plan.space),
        )

    def _tell(self, taken: Taken, state: TrialState, values: list[float] | None, kept: dict[str, Any]) -> bool:
        with self.storage.alone(self.study.study_name):
            if not self.leases.held(taken.lease):
                return False
            with contextlib.suppress(UpdateFinishedTrialError):  # it was told, and the answer was lost
                self._keep(taken.trial_id, kept)
                self.study.sampler = self._sampler(taken.number)
                self.study.tell(taken.number, values, state=state, skip_if_finished=True)
        return True

    def _keep(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.study._storage.set_trial_user_attr(trial_id, key, value)
