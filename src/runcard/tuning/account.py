"""What a sweep says of itself while it goes on, and what it leaves: lines, a bar, ``study.json`` and a report."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Any

from runcard import files
from runcard.card.plan import Plan
from runcard.errors import RunError
from runcard.studies import StudyFolder
from runcard.tuning.live import Live
from runcard.tuning.storage import quietly
from runcard.tuning.summary import Summary, importances
from runcard.tuning.trials import Trials

# Between two drawings of the bar.
DRAW_EVERY_S = 0.5


class Account:
    """Keeps the account of a study, as a context; at its end, however that comes, all is written once more.

    Args:
        plan: What is tried.
        metrics: What decides.
        folder: Where it is written.
        trials: The study's.

    Attributes:
        ended: Why the sweep is over, such as ``all trials are done``; None: it is not.
        summary: What ``study.json`` holds.
    """

    def __init__(self, plan: Plan, metrics: list[str], folder: StudyFolder, trials: Trials) -> None:
        self.folder = folder
        self.trials = trials
        self.ended: str | None = None
        self._made = Summary(plan, metrics, folder)
        self._live = Live(plan.trials, plan.settings.workers, [dimension.key for dimension in plan.space])
        self._began, self._before = time.monotonic(), _seconds_before(folder)
        self._drawn = 0.0
        self.summary = self._write()

    def __enter__(self) -> Account:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)
        if error is not None:  # a storage that is away need not come back for this
            self.trials.storage.patience_s = 0.0
        with contextlib.suppress(*() if error is None else (RunError,)):
            self.summary = self._write(importance=True)
        if error is None:
            # Imported here: drawing takes half a second to import.
            from runcard.tuning.report import render

            files.write_text(self.folder.report, render(self.summary))

    def begun(self, number: int, *, again: bool) -> None:
        """A trial runs now; ``again``: it was begun before."""
        self._live.begun(number, again=again)

    def over(self, number: int) -> None:
        """A trial has ended, and what came of it is kept."""
        self.summary = self._write()
        self._live.over(number, self.summary)

    def tick(self) -> None:
        """Draw the bar, if it is time."""
        if time.monotonic() - self._drawn >= DRAW_EVERY_S:
            self._drawn = time.monotonic()
            self._live.tick()

    def _write(self, *, importance: bool = False) -> dict[str, Any]:
        study = self.trials.study
        seconds = self._before + time.monotonic() - self._began
        with quietly():
            content = self.trials.storage.patiently(lambda: self._made.of(study, seconds=seconds, ended=self.ended))
            if importance:
                content["importance"] = self.trials.storage.patiently(lambda: importances(study))
        files.write_json(self.folder.summary, content)
        return content


def _seconds_before(folder: StudyFolder) -> float:
    """How long earlier commands worked on the study."""
    try:
        return float(folder.read().get("seconds") or 0.0)
    except RunError:  # there was none, or it was cut off before it said anything
        return 0.0
