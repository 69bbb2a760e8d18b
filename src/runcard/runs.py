"""The run folder: the one file that knows its layout.

A run is ``<runs_dir>/<name>/<id>/``. It is drafted as ``.<id>.draft`` and takes its name when the card, the data's
description and the split are in it, so that every run folder can be resumed. ``metrics.json`` is written when all else
but the report is there: a folder that has it is a finished run and one that lacks it is not. Files are written beside
their place and moved there.
"""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard.advice import advise
from runcard.errors import RunError
from runcard.files import flush_folder, read_json, read_yaml, sha256

# What is kept in a folder → the key that says where.
_PLACES = {"run": "runs_dir", "study": "sweep.studies_dir"}

# Rows that were at hand, and no file, when the run began.
ROWS = "rows.parquet"
# In a run's ``environment.json``: the SHA-256 of its card as training began with it.
CARD_DIGEST = "card_sha256"


@dataclass(frozen=True)
class RunFolder:
    """One training and the folder that holds all it made."""

    path: Path

    @property
    def card(self) -> Path:
        """The resolved card; fitting this file again gives this run."""
        return self.path / "card.yaml"

    @property
    def origin(self) -> Path:
        """Where each value of the card came from."""
        return self.path / "origin.json"

    @property
    def environment(self) -> Path:
        """Versions, commit, uncommitted difference, hardware, threads."""
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        """Fingerprint of the data, hash of the split, signature, fitted transforms."""
        return self.path / "data.json"

    @property
    def split(self) -> Path:
        """Which row of the data is in which part."""
        return self.path / "split.parquet"

    @property
    def best(self) -> Path:
        """Weights of the epoch that validated best."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """All that training needs to go on, or the weights of the last epoch when it is over."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def last_before(self) -> Path:
        """What ``last`` was before it was last written."""
        return self.path / "checkpoints" / "last-before.ckpt"

    @property
    def rows(self) -> Path:
        """The rows that it learned from, if they were at hand and no file; else absent."""
        return self.path / ROWS

    @property
    def parent(self) -> Path:
        """The finished run that this one went on from, with its card and what was asked; absent if there is none."""
        return self.path / "parent.json"

    @property
    def lock(self) -> Path:
        """Held by the one process that writes the run."""
        return self.path / ".lock"

    @property
    def draft(self) -> RunFolder:
        """The folder under the name that it has until it can be resumed."""
        return RunFolder(self.path.with_name(f".{self.path.name}.draft"))

    @property
    def history(self) -> Path:
        """One line an epoch; absent with ``logger=none``."""
        return self.path / "metrics.csv"

    @property
    def tracker(self) -> Path:
        """Which run of the tracker is this one's, so that a resumed run goes on with it; absent without a tracker."""
        return self.path / "tracker.json"

    @property
    def metrics(self) -> Path:
        """The final numbers; its presence says that the run is finished."""
        return self.path / "metrics.json"

    @property
    def predictions(self) -> Path:
        """The answers to the test rows."""
        return self.path / "predictions.parquet"

    @property
    def report(self) -> Path:
        """One page for people; needs no network."""
        return self.path / "report.html"

    @property
    def profile(self) -> Path:
        """Where the time of training went; there with ``trainer.profile``."""
        return self.path / "profile.json"

    @property
    def trace(self) -> Path:
        """A few steps, operator by operator, for a trace viewer; there with ``trainer.profile``."""
        return self.path / "trace.json"

    @property
    def pruned(self) -> Path:
        """After how many epochs a sweep's pruner ended the run; gone when somebody has gone on with it."""
        return self.path / "pruned.json"

    @property
    def log(self) -> Path:
        """What happened, in time order."""
        return self.path / "run.log"

    @property
    def finished(self) -> bool:
        """Whether training and evaluation came to their end."""
        return self.metrics.is_file()

    @property
    def card_changed(self) -> bool:
        """Whether the card was changed since the run began; runs of earlier versions kept no digest that tells."""
        known = read_json(self.environment).get(CARD_DIGEST) if self.environment.is_file() else None
        return known is not None and known != sha256([self.card.read_bytes()])

    def read_card(self) -> dict[str, Any]:
        """The card as plain values, unchecked.

        Raises:
            RunError: If the file is missing or is no YAML mapping.
        """
        return read_yaml(self.card)


def create(runs_dir: str | Path, name: str) -> RunFolder:
    """Begin a new run, in a place that no other process has; its draft is there, empty.

    Raises:
        RunError: If the folder cannot be made.
    """
    draft = make_folder(Path(runs_dir).expanduser().absolute() / name, ".", end=".draft")
    return _with_checkpoints(RunFolder(draft.with_name(draft.name.removeprefix(".").removesuffix(".draft"))))


def create_at(run: RunFolder) -> RunFolder:
    """Begin a run whose place is given, that of a trial; its draft is there, empty.

    Raises:
        RunError: If it is there already, or cannot be made.
    """
    if run.path.exists():
        raise RunError(f"there is a run {run.path} already: {_otherwise('run')}, or remove it")
    shutil.rmtree(run.draft.path, ignore_errors=True)  # of a process that died while it wrote it
    make_folder(run.path.parent, run.draft.path.name, exactly=True)
    return _with_checkpoints(run)


def publish(run: RunFolder) -> None:
    """Give a draft the run's name.

    Raises:
        RunError: If the folder cannot be renamed.
    """
    try:
        os.rename(run.draft.path, run.path)
        flush_folder(run.path.parent)
    except OSError as error:
        raise RunError(f"cannot make {run.path}: {error.strerror or error}") from error


def make_folder(parent: Path, name: str = "", *, exactly: bool = False, what: str = "run", end: str = "") -> Path:
    """Make a new, empty folder that no other process has.

    Args:
        parent: Where; made if it is missing.
        name: Its name, or what its name begins with; date, time and a short random text follow.
        exactly: Whether ``name`` is all of it.
        what: The word for the thing that the folder holds.
        end: What a name that was made up ends with.

    Raises:
        RunError: If the folder cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            path = parent / name if exactly else free_name(parent, name, end)
            try:
                path.mkdir()
            except FileExistsError:
                if exactly:
                    raise RunError(f"there is a {what} {path} already: {_otherwise(what)}, or remove it") from None
                continue
            return path
    except OSError as error:
        raise RunError(
            f"cannot make a {what} folder in {parent}: {error.strerror or error}. "
            f"Choose another place with {advise(f'{_PLACES[what]}=FOLDER')}, or mend its permissions."
        ) from error


def free_name(parent: Path, beginning: str, end: str = "") -> Path:
    """A name that nobody has: date, time and a short random text between a beginning and an end."""
    moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return parent / f"{beginning}{moment}-{secrets.token_hex(3)}{end}"


def open_run(path: str | Path) -> RunFolder:
    """The finished run that a folder holds.

    Args:
        path: The run folder, or any file directly in it.

    Raises:
        RunError: If the folder is missing, is no run folder, or is unfinished.
    """
    run = open_any(path)
    if run.pruned.is_file() and not run.finished:
        command = advise("runcard", "resume", str(run.path))
        raise RunError(
            f"the run {run.path} was pruned by its sweep. `{command}` goes on with it to its end; the study "
            "keeps it as pruned."
        )
    if not run.finished:
        raise RunError(
            f"the run {run.path} is not finished: it holds no metrics.json. Go on with "
            f"`{advise('runcard', 'resume', str(run.path))}`; run.log says what happened."
        )
    return run


def open_any(path: str | Path) -> RunFolder:
    """The run that a folder holds, finished or not.

    Args:
        path: The run folder, or any file directly in it.

    Raises:
        RunError: If the folder is missing, or is no run folder.
    """
    folder = Path(path).absolute()
    if folder.is_file():
        folder = folder.parent
    run = RunFolder(folder)
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}. `{advise('runcard', 'ls')}` lists the runs.")
    if (folder / "study.json").is_file():
        raise RunError(f"{folder} is a study, which has many runs: name one of them, such as {folder / '0'}")
    if not run.card.is_file():
        raise RunError(
            f"{folder} is not a run folder: it holds no card.yaml. `{advise('runcard', 'ls')}` lists the runs."
        )
    return run


def _otherwise(what: str) -> str:
    return f"choose another name with {advise('sweep.name=NAME')}" if what == "study" else "name another folder"


def find(runs_dir: str | Path) -> list[RunFolder]:
    """All runs below ``runs_dir``, newest first."""
    cards = Path(runs_dir).expanduser().glob("[!.]*/[!.]*/card.yaml")
    # The id tells the second; within it, the card's own time.
    return sorted((RunFolder(card.parent) for card in cards), key=_moment, reverse=True)


def _with_checkpoints(run: RunFolder) -> RunFolder:
    checkpoints = run.draft.best.parent
    try:
        checkpoints.mkdir()
    except OSError as error:
        raise RunError(f"cannot make {checkpoints}: {error.strerror or error}") from error
    return run


def _moment(run: RunFolder) -> tuple[str, int]:
    return run.path.name[:15], run.card.stat().st_mtime_ns
