"""What is said while a sweep goes on: a line for each trial that ends, and on a terminal a bar below them."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from runcard.leaves import shown
from runcard.tuning.ranking import number_text

log = logging.getLogger("runcard")


class Live:
    """Says on stderr how far a sweep is.

    Draws only when it is called, never from a thread of its own, for who sweeps may fork.

    Args:
        total: How many trials the study is to have.
        workers: How many run at once, 1 or more.
        varied: The keys that a line names.
    """

    def __init__(self, total: int, workers: int, varied: Collection[str]) -> None:
        self.total, self.workers, self.varied = total, workers, varied
        self._began: dict[int, float] = {}
        columns = (MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}"))
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, auto_refresh=False, transient=True)
        self._drawn = console.is_interactive
        self._row = self._bar.add_task("", total=total)
        self._words: tuple[int, str, float | None] = (0, "", None)

    def __enter__(self) -> Live:
        if self._drawn:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._bar.stop()

    def begun(self, number: int, *, again: bool = False) -> None:
        """A trial runs now; ``again``: it goes on where it was cut off."""
        self._began[number] = time.monotonic()
        if again:
            log.info("trial %d goes on from its checkpoint", number)
        self.tick()

    def over(self, number: int, summary: Mapping[str, Any]) -> None:
        """A trial has ended; ``summary`` holds it."""
        self._began.pop(number, None)
        trials = [trial for trial in summary["trials"] if trial["state"] != "RUNNING"]
        seconds = [trial["seconds"] for trial in trials if trial["seconds"] is not None]
        best = summary["best"]
        best_text = f", best trial {best['number']}: {number_text(best['value'])}" if best else ""
        self._words = (len(trials), best_text, sum(seconds) / len(seconds) if seconds else None)
        trial = next(trial for trial in trials if trial["number"] == number)
        level = logging.WARNING if trial["state"] == "FAIL" else logging.INFO
        self.tick()
        # On a terminal the bar below says how far all is.
        done = "" if self._drawn else f"  ({len(trials)} of {self.total} done{best_text})"
        log.log(level, "%s%s", trial_text(trial, self.varied), done)
        self.tick()

    def tick(self) -> None:
        """Draw the bar again; to be called now and then, such as twice a second."""
        if self._drawn:
            done, best, _ = self._words
            words = f"{best.removeprefix(', ')}  {len(self._began)} running  {self._left()}".strip()
            self._bar.update(self._row, completed=done, description=words, refresh=True)

    def _left(self) -> str:
        done, _, mean = self._words
        if mean is None:
            return ""
        now = time.monotonic()
        begun = sum(min(now - moment, mean) for moment in self._began.values())
        left = max(mean * (self.total - done) - begun, 0) / self.workers
        return f"about {left / 60:.0f} min left" if left >= 90 else f"about {left:.0f} s left"


def trial_text(trial: Mapping[str, Any], varied: Collection[str]) -> str:
    """One line for a trial that has ended."""
    params = " ".join(f"{key}={shown(value)}" for key, value in trial["params"].items() if key in varied)
    number, value = trial["number"], trial["value"]
    if trial["state"] == "COMPLETE":
        said = f"trial {number}: " + " ".join(map(number_text, trial.get("values") or [value]))
    elif trial["state"] == "PRUNED":
        count = trial.get("epochs")
        epochs = f" after {count} epoch{'s' if count > 1 else ''}" if count else ""
        said = f"trial {number} pruned{epochs}" + ("" if value is None else f" at {number_text(value)}")
    else:
        said = f"trial {number} failed: {trial['error']}"
    return f"{said}  {params}".rstrip()
