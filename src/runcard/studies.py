"""The study folder: the one file that knows its layout.

A study is ``<studies_dir>/<name>/``: ``study.db``, Optuna's storage, ``study.json``, what came out so far, ``cards/``,
the composed cards, and a run folder for each trial, named by the trial's number.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard import files, runs
from runcard.errors import RunError
from runcard.runs import RunFolder

PLAN = "plan.json"


@dataclass(frozen=True)
class StudyFolder:
    """One sweep and the folder that holds all of its trials."""

    path: Path

    @property
    def database(self) -> Path:
        """Every trial with its state, values and times, in SQLite."""
        return self.path / "study.db"

    @property
    def summary(self) -> Path:
        """Settings, space, trials and the winner; written anew after each trial."""
        return self.path / "study.json"

    @property
    def plan(self) -> Path:
        """What the study was made for; all that it takes to go on with it."""
        return self.path / PLAN

    @property
    def baselines(self) -> Path:
        """Scores of the baselines on the test rows; absent with ``report=false``, or if trials differ in their rows."""
        return self.path / "baselines.json"

    @property
    def report(self) -> Path:
        """One page for people; needs no network."""
        return self.path / "report.html"

    @property
    def tracker(self) -> Path:
        """Which run of the tracker is the study's own, and who was marked as its winner; absent without a tracker."""
        return self.path / "tracker.json"

    @property
    def outputs(self) -> Path:
        """What trials printed, a file each, of those that printed anything."""
        return self.path / "output"

    @property
    def lock(self) -> Path:
        """Held by the one process that runs a study in a file."""
        return self.path / ".lock"

    @property
    def cards(self) -> Path:
        """The composed cards, one for each choice of groups that is varied."""
        return self.path / "cards"

    def trial(self, number: int) -> RunFolder:
        """The run folder of a trial, which may not be there yet."""
        return RunFolder(self.path / str(number))

    def read(self) -> dict[str, Any]:
        """What the summary holds.

        Raises:
            RunError: If the file is missing or damaged.
        """
        return files.read_json(self.summary)


def create_at(folder: StudyFolder) -> None:
    """Make a study folder whose place is given, if nobody else has made it.

    Raises:
        RunError: If it cannot be made.
    """
    try:
        runs.make_folder(folder.path.parent, folder.path.name, exactly=True, what="study")
    except RunError:
        if not folder.path.is_dir():
            raise
    folder.cards.mkdir(exist_ok=True)


def free(parent: Path, beginning: str) -> Path:
    """A place for a study that has no name: one that no other process has.

    Args:
        parent: Where study folders are.
        beginning: What its name begins with; date, time and a short random text follow.
    """
    return runs.free_name(parent, beginning)


def unfinished(parent: Path, beginning: str) -> list[StudyFolder]:
    """The studies whose names begin so and that have trials left, newest first."""
    found = [StudyFolder(path.parent) for path in parent.glob(f"{glob.escape(beginning)}*/{PLAN}")]
    newest = sorted(found, key=lambda folder: folder.plan.stat().st_mtime_ns, reverse=True)
    return [folder for folder in newest if not _is_over(folder)]


def _is_over(folder: StudyFolder) -> bool:
    try:
        done, wanted = progress(folder.path)
    except RunError:  # it was left before it had a summary
        return False
    return done >= wanted


def is_study(path: str | Path) -> bool:
    """Whether a folder, or a file of a study in it, is meant to be a study."""
    folder = Path(path)
    if folder.name in ("study.json", "study.db", PLAN):
        return True
    return any((folder / name).is_file() for name in ("study.json", "study.db", PLAN))


def winner(path: str | Path) -> RunFolder:
    """The run folder of a study's best trial.

    Raises:
        RunError: If the folder holds no study, or the study no finished trial.
    """
    folder = open_study(path)
    best = folder.read().get("best")
    if best is None:
        raise RunError(f"the study {folder.path} has no winner: none of its trials is finished")
    if not isinstance(best, dict) or not isinstance(best.get("number"), int):
        raise RunError(f"{folder.summary} is damaged: best must hold a trial's number")
    return runs.open_run(folder.trial(best["number"]).path)


def progress(path: str | Path) -> tuple[int, int]:
    """How many of a study's trials are over, and how many it was to have.

    Raises:
        RunError: If the folder holds no study.
    """
    folder = open_study(path)
    return count_trials(folder, folder.read())


def count_trials(folder: StudyFolder, content: Mapping[str, Any]) -> tuple[int, int]:
    """As ``progress``, of what the summary holds.

    Raises:
        RunError: If it is damaged.
    """
    trials, wanted = content.get("trials"), content.get("n_trials")
    if not isinstance(trials, list) or not all(isinstance(one, dict) for one in trials) or not isinstance(wanted, int):
        raise RunError(f"{folder.summary} is damaged: trials must be a list of trials, and n_trials a number")
    return sum(trial.get("state") != "RUNNING" for trial in trials), wanted


def open_study(path: str | Path) -> StudyFolder:
    """The study that a folder, or a file directly in it, holds.

    Raises:
        RunError: If the folder is missing or holds no study.
    """
    place = Path(path).absolute()
    folder = StudyFolder(place.parent if place.is_file() else place)
    if not folder.path.is_dir():
        raise RunError(f"there is no folder {folder.path}")
    if not is_study(folder.path):
        raise RunError(f"{folder.path} is not a study: it holds no study.json")
    return folder
