"""Where MLflow keeps runs, opened for a moment and with bounded patience; no Lightning is needed for it."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runcard.card.check import load_saved
from runcard.card.sections.loggers import MlflowLogger
from runcard.files import read_json
from runcard.runs import RunFolder

LOCKED_S = 60.0
ADDRESS = "MLFLOW_TRACKING_URI"
# MLflow takes it from the folder of the program that runs.
COMMIT = "mlflow.source.git.commit"


def absolute(uri: str) -> str:
    """The place of a store, also from another working directory."""
    scheme, found, path = uri.partition(":///")
    return f"{scheme}:///{Path(path).absolute()}" if found and scheme == "sqlite" else uri


@contextlib.contextmanager
def reached(run: RunFolder) -> Iterator[tuple[Any, str]]:
    """MLflow's client and its run, of a run that is finished.

    Raises:
        RunError: If the run is tracked nowhere, or its card cannot be read.
    """
    record = read_json(run.tracker)
    place = str(record.get("place") or _address(run))
    with few_tries(place):
        mlflow: Any = importlib.import_module("mlflow")
        yield mlflow.MlflowClient(place), record["id"]


def _address(run: RunFolder) -> str:
    """The store of a run that does not note it, for it may hold a password."""
    section = load_saved(run.card).logger
    assert isinstance(section, MlflowLogger)
    return absolute(section.tracking_uri)


@contextlib.contextmanager
def few_tries(place: str) -> Iterator[None]:
    """Give a database up after a second or two; MLflow would try ten times, for 100 s."""
    if place.startswith("http"):
        yield
        return
    engines: Any = importlib.import_module("mlflow.store.db.utils")
    before = engines.MAX_RETRY_COUNT
    engines.MAX_RETRY_COUNT = 4
    try:
        yield
    finally:
        engines.MAX_RETRY_COUNT = before


@contextlib.contextmanager
def one_at_a_time(place: str) -> Iterator[None]:
    """Hold the other processes back that would make the tables of the same new file, and break one another's.

    Raises:
        BlockingIOError: If another process takes a minute.
    """
    if not place.startswith("sqlite:///"):
        yield
        return
    folder = Path(place.removeprefix("sqlite:///")).parent
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)  # locking the folder leaves no file behind
    try:
        _lock(held, time.monotonic() + LOCKED_S)
        yield
    finally:
        os.close(held)


def _lock(file: int, give_up: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        except OSError:
            return None  # a file system without locks: one process alone is the usual case


def opened(logger: Any) -> Any:
    """The client of a Lightning logger; the process's own MLflow settings stay as they were."""
    mlflow: Any = importlib.import_module("mlflow")
    variable = os.environ.pop(ADDRESS, None)  # which MLflow would take for a setting of the process's own
    before = mlflow.get_tracking_uri() if mlflow.tracking.is_tracking_uri_set() else None
    try:
        return logger.experiment
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return logger.experiment  # another process made the experiment a moment ago
    finally:
        mlflow.set_tracking_uri(before)
        if variable is not None:
            os.environ[ADDRESS] = variable
