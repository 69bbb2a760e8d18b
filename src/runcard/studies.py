"""The study folder: the one file that knows its layout.

A study is ``<studies_dir>/<name>/``: ``study.db``, Optuna's storage, ``study.json``, what came out so far, ``cards/``,
the composed cards, and a run folder for each trial, named by the trial's number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard import files, runs
from runcard.errors import RunError
from runcard.runs import RunFolder


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


def create(studies_dir: str, name: str | None, card_name: str) -> StudyFolder:
    """Make a new study folder.

    Args:
        studies_dir: Where study folders are.
        name: The folder's name; None: one that is free, made of the card's name and the time.
        card_name: The name of the card that is swept.

    Raises:
        RunError: If there is a study of that name, or the folder cannot be made.
    """
    parent = Path(studies_dir).expanduser().absolute()
    folder = StudyFolder(runs.make_folder(parent, name or f"{card_name}-", exactly=name is not None, what="study"))
    folder.cards.mkdir()
    return folder


def is_study(path: str | Path) -> bool:
    """Whether a folder, or the ``study.json`` in it, is meant to be a study."""
    folder = Path(path)
    return folder.name == "study.json" or (folder / "study.json").is_file() or (folder / "study.db").is_file()


def winner(path: str | Path) -> RunFolder:
    """The run folder of a study's best trial.

    Raises:
        RunError: If the folder holds no study, or the study no finished trial.
    """
    folder = _open(path)
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
    folder = _open(path)
    content = folder.read()
    done, wanted = content.get("trials"), content.get("n_trials")
    if not isinstance(done, list) or not isinstance(wanted, int):
        raise RunError(f"{folder.summary} is damaged: trials must be a list, and n_trials a number")
    return len(done), wanted


def _open(path: str | Path) -> StudyFolder:
    place = Path(path).absolute()
    return StudyFolder(place.parent if place.name == "study.json" else place)
