"""How trials are begun, gone on with and given up; where they run is played by an executor that does as it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runcard
from runcard.errors import TrainingError
from runcard.interrupts import HeldBack
from runcard.tuning.driver import Driver
from runcard.tuning.events import Died, Ended, Event, Report
from runcard.tuning.opening import opened
from runcard.tuning.task import Task, outcome

Act = Callable[[Task], Iterator[Event]]


class Played:
    """An executor whose trials do what a generator says, a step each time anybody waits."""

    def __init__(self, act: Act, slots: int = 2) -> None:
        self.slots = slots
        self.act = act
        self.begun: list[Task] = []
        self.running: dict[int, Iterator[Event]] = {}
        self.answers: list[tuple[int, bool]] = []
        self.stopped: set[int] = set()
        self.most = 0

    @property
    def free(self) -> bool:
        return len(self.running) < self.slots

    def start(self, task: Task) -> str:
        self.begun.append(task)
        self.running[task.number] = self.act(task)
        self.most = max(self.most, len(self.running))
        return "0"

    def wait(self, timeout_s: float) -> list[Event]:
        events: list[Event] = []
        for number, acts in list(self.running.items()):
            event = Ended(number, outcome("STOPPED")) if number in self.stopped else next(acts)
            if not isinstance(event, Report):
                del self.running[number]
            events.append(event)
        return events

    def answer(self, number: int, *, stop: bool) -> None:
        self.answers.append((number, stop))

    def stop(self, number: int) -> None:
        self.stopped.add(number)

    def close(self) -> None:
        pass


class Watched:
    """Remembers which trials have ended."""

    def __init__(self) -> None:
        self.ended: list[int] = []

    def begun(self, number: int, *, again: bool) -> None:
        pass

    def over(self, number: int) -> None:
        self.ended.append(number)

    def tick(self) -> None:
        pass


def finished(task: Task, value: float = 0.5) -> Iterator[Event]:
    yield Ended(task.number, outcome("COMPLETE", values=[value]))


def failed(task: Task) -> Iterator[Event]:
    yield Ended(task.number, outcome("FAIL", error="it diverged"))


def died(task: Task) -> Iterator[Event]:
    yield Died(task.number, "killed")


def drive(played: Played, *words: str, signals: HeldBack | None = None) -> tuple[str, list[str], list[int]]:
    base = ["sweep=random", "data=wine", "model=linear", "sweep.n_trials=8", "sweep.name=driven"]
    plan = runcard.load_sweep([*base, *words])
    watched = Watched()
    with opened(plan, ["val/accuracy"]) as (folder, trials):
        driver = Driver(plan, ["val/accuracy"], trials, folder, played, watch=watched, data_key=lambda _: "")
        why = driver.run(signals or HeldBack())
        states = [trial.state.name for trial in trials.all()]
    return why, states, watched.ended


def test_all_are_done_and_no_more_at_once_than_there_is_room() -> None:
    played = Played(finished)
    why, states, ended = drive(played)
    assert why == "all trials are done"
    assert states == ["COMPLETE"] * 8
    assert (sorted(ended), played.most) == (list(range(8)), 2)


def test_a_process_that_dies_is_tried_again_and_then_given_up() -> None:
    why, states, _ = drive(played := Played(lambda task: died(task) if task.number == 1 else finished(task)))
    assert states == ["COMPLETE", "FAIL", *["COMPLETE"] * 6]
    assert [task.number for task in played.begun].count(1) == 3
    assert why == "all trials are done"


def test_too_many_failures_end_the_sweep() -> None:
    with pytest.raises(TrainingError, match=r"5 of 5 trials failed, more than sweep.max_failure_rate=0.5.*it diverged"):
        drive(Played(failed, slots=1))


@pytest.mark.slow
def test_failures_that_are_tolerated() -> None:
    _, states, _ = drive(Played(lambda task: failed(task) if task.number % 2 else finished(task)))
    assert states.count("FAIL") == 4
    _, states, _ = drive(Played(failed), "sweep.max_failure_rate=1.0", "sweep.name=all")
    assert states == ["FAIL"] * 8


def test_a_target_that_is_reached() -> None:
    played = Played(lambda task: finished(task, task.number / 10), slots=1)
    why, states, _ = drive(played, "sweep.target_value=0.3")
    assert (why, len(states)) == ("sweep.target_value=0.3 is reached", 4)
    # What was reached before counts too.
    why, states, _ = drive(played, "sweep.target_value=0.3")
    assert len(states) == 4


def test_a_time_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    began, passed = time.monotonic(), 0.0

    def act(task: Task) -> Iterator[Event]:
        nonlocal passed
        passed += 10.0
        yield from finished(task)

    monkeypatch.setattr(time, "monotonic", lambda: began + passed)
    why, states, _ = drive(Played(act, slots=1), "sweep.timeout_s=25")
    assert (why, len(states)) == ("sweep.timeout_s=25 is over", 3)


def test_what_a_trial_reports_is_answered() -> None:
    def act(task: Task) -> Iterator[Event]:
        for step in range(3):
            yield Report(task.number, step, 0.1 * step)
        yield Ended(task.number, outcome("PRUNED", epochs=3))

    played = Played(act, slots=1)
    _, states, _ = drive(played, "sweep.pruner=median")
    assert states == ["PRUNED"] * 8
    assert len(played.answers) == 24
    assert {task.reports for task in played.begun} == {"epoch"}


def test_a_signal_leaves_what_runs_for_later() -> None:
    signals = HeldBack()

    def act(task: Task) -> Iterator[Event]:
        if task.number == 3:
            signals._waiting.append(15)
        while task.number >= 3:
            yield Report(task.number, 0, 0.0)
        yield from finished(task)

    why, states, _ = drive(Played(act), "sweep.pruner=median", signals=signals)
    assert (why, states[:3]) == ("stopped", ["COMPLETE"] * 3)
    assert set(states[3:]) == {"RUNNING"}
    played = Played(finished)
    why, states, _ = drive(played, "sweep.pruner=median")
    assert (why, states) == ("all trials are done", ["COMPLETE"] * 8)
    assert played.begun[0].number == 3


def test_a_point_that_the_card_refuses_costs_one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    from runcard.card.plan import Plan
    from runcard.errors import CardError

    original, calls = Plan.card, 0

    def card(self: Plan, values: Any) -> Any:
        nonlocal calls
        calls += Path("studies").exists() and "optimizer.lr" in values
        if calls == 4:
            calls += 1
            raise CardError("an odd corner")
        return original(self, values)

    monkeypatch.setattr(Plan, "card", card)
    _, states, _ = drive(Played(finished))
    assert states.count("FAIL") == 1
