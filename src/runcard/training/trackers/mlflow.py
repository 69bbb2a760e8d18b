"""MLflow: a run in a file, a database or a server."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from runcard.card.naming.targets import build
from runcard.card.sections.loggers import MlflowLogger
from runcard.training.trackers.base import Record, Tracker, settings
from runcard.training.trackers.variables import AUTO

LOCKED_S = 60.0
ADDRESS = "MLFLOW_TRACKING_URI"
# MLflow takes it from the folder of the program that runs.
COMMIT = "mlflow.source.git.commit"


class Mlflow(Tracker):
    """A run in an MLflow store: a file, a database, a server."""

    kind = "mlflow"

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Add what the store lacks: it would keep a number that it is told twice, twice."""
        assert self.logger is not None
        lacking = {name: value for name, value in metrics.items() if epoch not in self._epochs_of(name)}
        if lacking:
            self.logger.log_metrics(lacking, epoch)

    def close(self, status: str) -> None:
        """Set FINISHED, FAILED or KILLED."""
        assert self.logger is not None
        self.logger.finalize("KILLED" if status == "stopped" else status)

    def _open(self, record: Record) -> tuple[Logger, Record]:
        assert isinstance(self.card.logger, MlflowLogger)
        place = record.get("place") or absolute(self.card.logger.tracking_uri)
        if place == AUTO:
            raise LookupError(f"its address was in the variable {ADDRESS}, which is not set")
        section = self.card.logger.model_copy(update={"tracking_uri": place})
        with _few_tries(place), _one_at_a_time(place):
            logger = build(section, run_name=self.name, run_id=record.get("id"), synchronous=True, tags=self._tags())
            self._client = _opened(logger)
        if not record and not self.commit and COMMIT in self._client.get_run(logger.run_id).data.tags:
            self._client.delete_tag(logger.run_id, COMMIT)
        self._held: dict[str, set[int]] | None = {} if record else None
        if record:
            self._client.update_run(logger.run_id, status="RUNNING")
        # An address of the environment may hold a password, and is read from there again.
        known = ("logger", "tracking_uri") not in self.card.secrets
        return logger, {"id": logger.run_id, **({"place": place} if known else {})}

    def _tags(self) -> dict[str, str]:
        """What MLflow would guess from the program that runs, which is Runcard's own; and the study."""
        commit = {COMMIT: self.commit} if self.commit else {}
        return {"mlflow.source.name": "runcard", **commit, **({"runcard.study": self.study} if self.study else {})}

    def _describe(self, *, known: bool) -> None:
        assert self.logger is not None
        told = self._client.get_run(self.logger.version).data.params if known else {}
        self.logger.log_hyperparams({name: value for name, value in settings(self.card).items() if name not in told})

    def _epochs_of(self, name: str) -> set[int]:
        """The epochs that a run which goes on had of a metric, looked up once."""
        if self._held is None:
            return set()
        if name not in self._held:
            assert self.logger is not None
            points = self._client.get_metric_history(self.logger.version, name)
            self._held[name] = {point.step for point in points}
        return self._held[name]


def absolute(uri: str) -> str:
    """The place of a store, also from another working directory."""
    scheme, found, path = uri.partition(":///")
    return f"{scheme}:///{Path(path).absolute()}" if found and scheme == "sqlite" else uri


@contextlib.contextmanager
def _few_tries(place: str) -> Iterator[None]:
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
def _one_at_a_time(place: str) -> Iterator[None]:
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


def _opened(logger: Any) -> Any:
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
