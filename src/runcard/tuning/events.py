"""What a driver hears of its trials, wherever they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from runcard.tuning.task import Task


@dataclass(frozen=True)
class Report:
    """A trial has come to a step, and waits for an answer."""

    number: int
    step: int
    value: float


@dataclass(frozen=True)
class Ended:
    """A trial has come to its end, and says what came of it; see ``task.outcome``."""

    number: int
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Died:
    """A trial's process has ended without a word."""

    number: int
    reason: str


Event = Report | Ended | Died


class Executor(Protocol):
    """Where trials run."""

    slots: int
    """How many at once."""

    @property
    def free(self) -> bool:
        """Whether there is room for one more; a trial that was stopped has its place until it has ended."""

    def start(self, task: Task) -> str:
        """Begin a trial, or go on with it; where it runs, for people."""

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened; waits so long for the first thing that does."""

    def answer(self, number: int, *, stop: bool) -> None:
        """Let a trial that reported go on, or end it."""

    def stop(self, number: int) -> None:
        """Ask a trial to save what it has and to end."""

    def close(self) -> None:
        """End whatever still runs."""
