"""The run folder: the one file that knows its layout.

A run is ``<runs_dir>/<name>/<id>/``. ``metrics.json`` is written when all else but the report is there, so a folder
that has it is a finished run and one that lacks it is not; the report can be made again. Files are written beside
their place and moved there.
"""

from __future__ import annotations

import datetime
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard.errors import RunError
from runcard.files import read_yaml

# What is kept in a folder → the key that says where.
_PLACES = {"run": "runs_dir", "study": "sweep.studies_dir"}
_OTHERWISE = {"run": "name another folder", "study": "choose another name with sweep.name=NAME"}


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
        """Weights of the last epoch."""
        return self.path / "checkpoints" / "last.ckpt"

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
    def log(self) -> Path:
        """What happened, in time order."""
        return self.path / "run.log"

    @property
    def finished(self) -> bool:
        """Whether training and evaluation came to their end."""
        return self.metrics.is_file()

    def read_card(self) -> dict[str, Any]:
        """The card as plain values, unchecked.

        Raises:
            RunError: If the file is missing or is no YAML mapping.
        """
        return read_yaml(self.card)


def create(runs_dir: str | Path, name: str) -> RunFolder:
    """Make a new, empty run folder that no other process has.

    Raises:
        RunError: If the folder cannot be made.
    """
    return _with_checkpoints(make_folder(Path(runs_dir).expanduser().absolute() / name))


def create_at(run: RunFolder) -> RunFolder:
    """Make a run folder whose place is given: that of a trial.

    Raises:
        RunError: If it is there already, or cannot be made.
    """
    return _with_checkpoints(make_folder(run.path.parent, run.path.name, exactly=True))


def make_folder(parent: Path, name: str = "", *, exactly: bool = False, what: str = "run") -> Path:
    """Make a new, empty folder that no other process has.

    Args:
        parent: Where; made if it is missing.
        name: Its name, or what its name begins with; date, time and a short random text follow.
        exactly: Whether ``name`` is all of it.
        what: The word for the thing that the folder holds.

    Raises:
        RunError: If the folder cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
            path = parent / (name if exactly else f"{name}{moment}-{secrets.token_hex(3)}")
            try:
                path.mkdir()
            except FileExistsError:
                if exactly:
                    raise RunError(f"there is a {what} {path} already: {_OTHERWISE[what]}, or remove it") from None
                continue
            return path
    except OSError as error:
        raise RunError(
            f"cannot make a {what} folder in {parent}: {error.strerror or error}. "
            f"Choose another place with {_PLACES[what]}=FOLDER, or mend its permissions."
        ) from error


def open_run(path: str | Path) -> RunFolder:
    """The finished run that a folder holds.

    Args:
        path: The run folder, or any file directly in it.

    Raises:
        RunError: If the folder is missing, is no run folder, or is unfinished.
    """
    folder = Path(path).absolute()
    if folder.is_file():
        folder = folder.parent
    run = RunFolder(folder)
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}. `runcard ls` lists the runs.")
    if not run.card.is_file():
        raise RunError(f"{folder} is not a run folder: it holds no card.yaml. `runcard ls` lists the runs.")
    if not run.finished:
        raise RunError(
            f"the run {folder} is not finished: it holds no metrics.json. "
            f"Fit it again with `runcard fit {run.card}`; run.log says what happened."
        )
    return run


def find(runs_dir: str | Path) -> list[RunFolder]:
    """All runs below ``runs_dir``, newest first."""
    cards = Path(runs_dir).expanduser().glob("*/*/card.yaml")
    # The id tells the second; within it, the card's own time.
    return sorted((RunFolder(card.parent) for card in cards), key=_moment, reverse=True)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path → leaf, for nested mappings."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differing_keys(cards: list[dict[str, Any]]) -> list[str]:
    """The dotted keys whose values are not the same in all cards, in the order of the cards."""
    flats = [flatten(card) for card in cards]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({json.dumps(flat.get(key), sort_keys=True, default=str) for flat in flats}) > 1]


def shown(value: Any) -> str:
    """A value of a card, for people: of a number six digits are enough."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _with_checkpoints(path: Path) -> RunFolder:
    run = RunFolder(path)
    try:
        run.best.parent.mkdir()
    except OSError as error:
        raise RunError(f"cannot make {run.best.parent}: {error.strerror or error}") from error
    return run


def _moment(run: RunFolder) -> tuple[str, int]:
    return run.path.name[:15], run.card.stat().st_mtime_ns
