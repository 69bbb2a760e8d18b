"""The trials of one study: taken, reported, told; each by one process at a time, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from runcard.card.plan import Plan
from runcard.tuning.leases import Lease, Leases
from runcard.tuning.listening import report
from runcard.tuning.outside import ASIDE, is_ours, learnable, misfit, why_aside
from runcard.tuning.points import distributions, encoded, suggest
from runcard.tuning.samplers import make_sampler
from runcard.tuning.storage import Storage, quietly

log = logging.getLogger("runcard")

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
        self._with_others = False  # whether somebody else has finished trials of the study

    def all(self, *states: TrialState) -> list[FrozenTrial]:
        """The sweep's trials so far; neither those that wait for their turn, nor those that somebody else finished."""
        wanted = states or (TrialState.RUNNING, *STATES.values())
        found = self._asked(lambda: self.study.get_trials(deepcopy=False, states=wanted))
        return [trial for trial in found if is_ours(trial)]

    def say_aside(self) -> None:
        """Warn of the trials that were put into the study from elsewhere and are left aside."""
        for trial in self._asked(lambda: self.study.get_trials(deepcopy=False)):
            if not is_ours(trial):
                log.warning("trial %d is left aside: %s", trial.number, why_aside(trial, self.plan.space))

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
        kept = {key: outcome[key] for key in ("error", "seed_values") if outcome[key]}
        kept |= {"epochs": outcome["epochs"], **(outcome.get("scores") or {})}
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
            taken, there = None, self._there_now()
            self._with_others = not all(map(is_ours, there))
            for trial in there:
                if trial.state == TrialState.RUNNING and trial.number not in self._held:
                    lease = self.leases.claim(trial.number)
                    taken = None if lease is None else self._left_behind(trial._trial_id, lease)
                    if taken is not None:
                        return taken
            more = True
            while taken is None and more:  # a trial that is left aside makes room for another
                taken, more = self._begun(self._there_now())
            return taken

    def _there_now(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _begun(self, there: Sequence[FrozenTrial]) -> tuple[Taken | None, bool]:
        """A new trial: the first that waits for its turn, or the next; None and whether to look for another."""
        begun = [trial for trial in there if trial.state != TrialState.WAITING and is_ours(trial)]
        waiting = next((trial.number for trial in there if trial.state == TrialState.WAITING), None)
        if len(begun) >= self.total:
            return None, False
        if self.plan.settings.sampler == "grid" and waiting is None:
            point = self._untried(begun)
            if point is None:
                return None, False
            trial = self._written(point)
        else:
            for point in self.plan.first[len(begun) : len(begun) + 1] if waiting is None else ():
                self.study.enqueue_trial(encoded(point))
            with self._sampling(len(there) if waiting is None else waiting):
                trial = self.study.ask()
        lease = self.leases.claim(trial.number)
        return None if lease is None else self._taken(trial, lease, new=True), waiting is not None

    def _untried(self, before: Sequence[FrozenTrial]) -> dict[str, Any] | None:
        """The first point of the grid that no trial has; they are begun in order, so it is seldom looked for long."""
        points = self.plan.points()
        if not any(trial.system_attrs for trial in before):  # nobody has enqueued one out of its turn
            return next(itertools.islice(points, len(before), None), None)
        tried = [trial.params for trial in before]
        return next((point for point in points if encoded(point) not in tried), None)

    def _written(self, point: Mapping[str, Any]) -> optuna.Trial:
        """A new trial at a point that no sampler chooses: in one transaction where asking for it takes six."""
        among = distributions([dimension for dimension in self.plan.space if dimension.key in point])
        running = create_trial(state=TrialState.RUNNING, params=encoded(point), distributions=among)
        return self._there(self.study._storage.create_new_trial(self.study._study_id, running))

    def _left_behind(self, trial_id: int, lease: Lease) -> Taken | None:
        """A trial whose process is gone; a value that was not drawn yet comes out as it would have then."""
        with self._sampling(lease.number):
            trial = self._there(trial_id)
        return self._taken(trial, lease, new=False)

    def _there(self, trial_id: int) -> optuna.Trial:
        """A trial that is in the storage, for the sampler that the study has now."""
        self.study._thread_local.cached_all_trials = None
        return optuna.trial.Trial(self.study, trial_id)

    def _taken(self, trial: optuna.Trial, lease: Lease, *, new: bool) -> Taken | None:
        reason = misfit(trial._cached_frozen_trial, self.plan.space)
        if reason:
            self._leave_aside(trial, lease, reason)
            return None
        with self._sampling(lease.number):
            point = suggest(trial, self.plan.space)
        if new and self.plan.settings.sampler == "grid" and trial._cached_frozen_trial.system_attrs:
            reason = self._tried_already(trial.number, encoded(point))
            if reason:
                self._leave_aside(trial, lease, reason)
                return None
        self._held[lease.number] = lease  # only now: one that is held is not looked for when an answer is lost
        return Taken(lease.number, trial._trial_id, point, lease, int(trial.user_attrs.get("tries", 0)), new)

    def _tried_already(self, number: int, values: Mapping[str, Any]) -> str:
        """Which trial before this one of a grid has the same values; empty: none."""
        same = [
            one.number for one in self._there_now() if one.number < number and one.params == values and is_ours(one)
        ]
        return f"trial {same[0]} has the same values" if same else ""

    def _leave_aside(self, trial: optuna.Trial, lease: Lease, reason: str) -> None:
        """End a trial that was put into the study from elsewhere and cannot be tried."""
        self._with_others = True
        self._keep(trial._trial_id, {ASIDE: reason})
        self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        self.leases.give_back(lease)
        log.warning("trial %d, which was put into the study from elsewhere, fails: %s", trial.number, reason)

    @contextlib.contextmanager
    def _sampling(self, number: int) -> Iterator[None]:
        """Have values drawn for a trial of a number, by what can be learned from those before."""
        self.study.sampler = self._sampler(number)
        if not self._with_others:
            yield
            return
        storage = self.study._storage
        really = storage.get_all_trials

        def fitting(study_id: int, *options: Any, **named: Any) -> list[FrozenTrial]:
            return learnable(really(study_id, *options, **named), self.plan.space)

        storage.get_all_trials = fitting  # type: ignore[method-assign]
        try:
            yield
        finally:
            storage.get_all_trials = really  # type: ignore[method-assign]

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
