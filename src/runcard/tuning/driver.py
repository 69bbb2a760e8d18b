"""Run a study: ask for a point, have its card fitted, tell how good it was; several at once, until all are done."""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from optuna.trial import TrialState

from runcard.card.plan import Plan
from runcard.errors import CardError, RunError
from runcard.interrupts import HeldBack
from runcard.studies import StudyFolder
from runcard.tuning.budget import Budget
from runcard.tuning.events import Died, Ended, Event, Executor, Report
from runcard.tuning.leases import RENEW_EVERY_S
from runcard.tuning.listening import Address
from runcard.tuning.task import Task, outcome
from runcard.tuning.trials import Taken, Trials

log = logging.getLogger("runcard")

# How soon a signal is heeded, and how often others are asked whether they left a trial behind.
LOOK_EVERY_S = 0.2
ASK_OTHERS_EVERY_S = 2.0
# For trials to save what they have after a signal.
STOP_PATIENCE_S = 30.0


class Watch(Protocol):
    """Hears how far a sweep is."""

    def begun(self, number: int, *, again: bool) -> None:
        """A trial runs now; ``again``: it was begun before."""

    def over(self, number: int) -> None:
        """A trial has ended, and what came of it is kept."""

    def tick(self) -> None:
        """Some time has passed."""


class Driver:
    """Keeps an executor busy with the trials of a study.

    Args:
        plan: What is tried.
        metrics: What decides.
        trials: The study's.
        folder: Where its runs go.
        executor: Where trials run.
        watch: Who hears how far it is.
        data_key: Of a card, under which the executor may have its rows.
        address: Where trials tell of their steps, of those that run elsewhere.
    """

    def __init__(
        self,
        plan: Plan,
        metrics: list[str],
        trials: Trials,
        folder: StudyFolder,
        executor: Executor,
        *,
        watch: Watch,
        data_key: Callable[[Any], str],
        address: Address | None = None,
    ) -> None:
        self.plan = plan
        self.metrics = metrics
        self.trials = trials
        self.folder = folder
        self.executor = executor
        self.watch = watch
        self.data_key = data_key
        self.address = address
        self.running: dict[int, tuple[Taken, Task]] = {}
        settings = plan.settings
        self.budget = Budget(metrics[0], settings.timeout_s, settings.target_value, settings.max_failure_rate)
        self._values = [one.values[0] for one in trials.all(TrialState.COMPLETE)]
        self._failed: list[str] = []
        self._over: list[tuple[Taken, bool]] = []
        self._asked = self._renewed = -math.inf
        self._waits = False

    def run(self, signals: HeldBack) -> str:
        """Run trials until all are done or a budget is spent.

        Args:
            signals: Held back; on one, what runs is saved and left, for a later command to go on with.

        Returns:
            Why it ended.

        Raises:
            RunError: If the storage cannot be had.
            TrainingError: If too many fail.
        """
        try:
            return self._run(signals)
        except RunError:  # a storage that was waited for in vain; to ask it once more would take as long
            self._over.clear()
            raise
        finally:
            self._say_over()

    def _run(self, signals: HeldBack) -> str:
        over: str | None = None
        while not signals.waiting:
            over = over or self.budget.spent(self._values, self._failed)
            none_left = over is not None or not self._fill()
            self._say_over()  # only now: a place that is free waits for nobody's account
            if none_left and not self.running and (over or self.trials.over()):
                return over or "all trials are done"
            if none_left and not self.running and not self._waits:
                self._waits = True
                log.info("nothing is left to begin here; waiting for the trials of other machines")
            self._hear(LOOK_EVERY_S)
        self._stop()
        return "stopped"

    def _fill(self) -> bool:
        """Begin trials where there is room; whether there may be more of them now."""
        while len(self.running) < self.executor.slots and self.executor.free:
            now = time.monotonic()
            if now - self._asked < ASK_OTHERS_EVERY_S:
                return False
            taken = self.trials.take()
            if taken is None:
                self._asked = now
                return False
            self._begin(taken)
        return True

    def _begin(self, taken: Taken) -> None:
        try:
            task = self._task(taken)
        except CardError as error:  # a corner of the space that could not be foreseen
            self._tell(taken, outcome("FAIL", error=str(error)))
            return
        self.running[taken.number] = taken, task
        self.watch.begun(taken.number, again=not taken.new)
        worker = self.executor.start(task)
        self.trials.note(taken, worker=worker, host=socket.gethostname(), run=task.folder)

    def _task(self, taken: Taken) -> Task:
        card, settings = self.plan.card(taken.point), self.plan.settings
        by_seed = settings.pruner == "wilcoxon"
        return Task(
            taken.number,
            str(self.folder.trial(taken.number).path),
            card.saved(),
            card.origins,
            self.metrics,
            settings.seeds,
            settings.spread_weight,
            "none" if settings.pruner == "none" else "seed" if by_seed else "epoch",
            self.data_key(card),
            None if self.address is None else self.address.of(taken.trial_id),
            str(self.folder.baselines) if self.plan.is_compared else "",
        )

    def _hear(self, timeout_s: float) -> None:
        """Answer what trials say."""
        heard = self.executor.wait(timeout_s)
        self.watch.tick()
        self._renew()  # first: what a trial says that is lost to someone else does not count
        for event in heard:
            if event.number in self.running:
                self._answer(event)
            elif isinstance(event, Report):  # of a trial that is lost to someone else
                self.executor.answer(event.number, stop=True)

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEW_EVERY_S:
            self._renewed = time.monotonic()
            for number in self.trials.renew():
                log.warning("trial %d was taken by another machine, for this one did not answer in time", number)
                self._asked = -math.inf
                self.running.pop(number, None)
                self.executor.stop(number)

    def _answer(self, event: Event) -> None:
        taken, task = self.running[event.number]
        if isinstance(event, Report):
            self.executor.answer(event.number, stop=self.trials.report(taken, event.step, event.value))
        elif isinstance(event, Died):
            self._again_or_failed(taken, task, event.reason)
        elif event.outcome["state"] == "STOPPED":  # not by us: whoever did may want it back
            del self.running[event.number]
            self._again_or_failed(taken, task, str(event.outcome["error"]))
        else:
            del self.running[event.number]
            self._tell(taken, event.outcome)

    def _again_or_failed(self, taken: Taken, task: Task, reason: str) -> None:
        """A process that died has cost its trial what was not saved; a trial that kills each process fails."""
        self.running.pop(taken.number, None)
        tries = taken.tries + 1
        if tries > self.plan.settings.retries:
            self._tell(taken, outcome("FAIL", error=reason))
            return
        log.warning("trial %d: %s; going on with it", taken.number, reason)
        self.trials.note(taken, tries=tries)
        again = Taken(taken.number, taken.trial_id, taken.point, taken.lease, tries, new=False)
        self.running[taken.number] = again, task
        self.executor.start(task)

    def _tell(self, taken: Taken, result: Mapping[str, Any]) -> None:
        self._asked = -math.inf
        counts = self.trials.tell(taken, result)
        self._over.append((taken, counts))
        if not counts:
            return
        if result["state"] == "COMPLETE":
            self._values.append(result["values"][0])
        elif result["state"] == "FAIL":
            self._failed.append(str(result["error"]))

    def _say_over(self) -> None:
        while self._over:
            taken, counts = self._over.pop(0)
            self.trials.give_back(taken)
            if counts:
                self.watch.over(taken.number)

    def _stop(self) -> None:
        """Have each trial save what it has, and leave it."""
        if self.running:
            log.info("stopping %d trials; they save what they have", len(self.running))
        for number in self.running:
            self.executor.stop(number)
        until = time.monotonic() + STOP_PATIENCE_S
        while self.running and time.monotonic() < until:
            for event in self.executor.wait(LOOK_EVERY_S):
                self._left(event)
        for taken, _ in self.running.values():
            self.trials.give_back(taken)

    def _left(self, event: Event) -> None:
        if event.number not in self.running:
            return
        taken, _ = self.running[event.number]
        if isinstance(event, Report):  # it stops at its next minibatch; what it says is kept, for it is said once
            self.executor.answer(event.number, stop=self.trials.report(taken, event.step, event.value))
            return
        del self.running[event.number]
        if isinstance(event, Ended) and event.outcome["state"] != "STOPPED":
            self._tell(taken, event.outcome)
        else:
            self.trials.give_back(taken)
