"""What every executor must do, whoever places its trials."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runcard.tuning.events import Died, Ended, Event
from runcard.tuning.task import Task

RUN_TASK = "tests.tuning.fake_trials:run_task"
HANG_S = 90.0


def task(folder: Path, number: int, **card: Any) -> Task:
    return Task(number, str(folder / str(number)), card, {}, ["val/accuracy"], 1, 0.0, "none")


def events(executor: Any, count: int) -> list[Event]:
    """The next ones."""
    found: list[Event] = []
    end = time.monotonic() + HANG_S
    while len(found) < count:
        assert time.monotonic() < end, f"only {found}"
        found += executor.wait(0.5)
    return found


def until(path: Path, *, there: bool = True) -> str:
    end = time.monotonic() + HANG_S
    while path.exists() != there or (there and path.name == "pid" and not path.read_text()):
        assert time.monotonic() < end, path
        time.sleep(0.02)
    return path.read_text() if there else ""


class ExecutorContract:
    """Inherited for each executor, which a fixture ``make`` gives for a number of slots and a folder."""

    @pytest.fixture
    def executor(self, make: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
        made = make(4, tmp_path)
        yield made
        made.close()

    def test_an_outcome_a_failure_and_a_death(
        self, executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RUNCARD_TRUST", "mine")
        executor.start(task(tmp_path, 0))
        executor.start(task(tmp_path, 1, fail=True))
        executor.start(task(tmp_path, 2, die=True))
        first, second, third = sorted(events(executor, 3), key=lambda event: event.number)
        assert isinstance(first, Ended)
        assert first.outcome["values"] == [0.0]
        assert first.outcome["trust"] == "mine"
        assert isinstance(second, Ended)
        assert second.outcome["error"] == "as asked"
        assert isinstance(third, Died)
        assert "its log is" in third.reason

    def test_a_long_trial_delays_no_other(self, executor: Any, tmp_path: Path) -> None:
        executor.start(task(tmp_path, 0, seconds=HANG_S))
        until(tmp_path / "0" / "pid")
        for number in (1, 2):
            executor.start(task(tmp_path, number))
            assert [event.number for event in events(executor, 1)] == [number]
        Path(tmp_path, "0", "go").touch()
        (last,) = events(executor, 1)
        assert isinstance(last, Ended)

    def test_a_killed_trial_costs_only_itself_and_can_be_tried_again(self, executor: Any, tmp_path: Path) -> None:
        executor.start(task(tmp_path, 0, seconds=HANG_S))
        executor.start(task(tmp_path, 1, seconds=HANG_S))
        until(tmp_path / "1" / "pid")
        os.kill(int(until(tmp_path / "0" / "pid")), signal.SIGKILL)
        (event,) = events(executor, 1)
        assert isinstance(event, Died)
        assert event.number == 0
        executor.start(task(tmp_path, 0))
        (event,) = events(executor, 1)
        assert isinstance(event, Ended)
        assert event.number == 0
        Path(tmp_path, "1", "go").touch()
        assert isinstance(events(executor, 1)[0], Ended)

    def test_a_stopped_trial_saves_and_goes_on_later(self, executor: Any, tmp_path: Path) -> None:
        executor.start(task(tmp_path, 0, seconds=HANG_S))
        until(tmp_path / "0" / "pid")
        executor.wait(0)
        executor.stop(0)
        (event,) = events(executor, 1)
        assert isinstance(event, Ended)
        assert event.outcome["state"] == "STOPPED"
        assert Path(tmp_path, "0", "saved").exists()
        executor.start(task(tmp_path, 0))
        (event,) = events(executor, 1)
        assert isinstance(event, Ended)
        assert event.outcome["state"] == "COMPLETE"

    def test_an_outcome_that_nobody_saw_is_seen(self, make: Callable[..., Any], executor: Any, tmp_path: Path) -> None:
        executor.start(task(tmp_path, 0))
        events(executor, 1)
        executor.start(task(tmp_path, 0))
        (event,) = events(executor, 1)
        assert isinstance(event, Ended)
        assert Path(tmp_path, "0", "begun").read_text() == "x"
