"""MLflow: a run in a file, a database or a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning.loggers.logger import Logger

from runcard.card.naming.targets import build
from runcard.card.sections.loggers import MlflowLogger
from runcard.training.trackers.base import Record, Tracker, settings
from runcard.training.trackers.parents import KIND, PARENT, STUDY, parent_of
from runcard.training.trackers.stores import ADDRESS, COMMIT, absolute, few_tries, one_at_a_time, opened
from runcard.training.trackers.variables import AUTO


class Mlflow(Tracker):
    """A run in an MLflow store: a file, a database, a server."""

    kind = "mlflow"

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Add what the store lacks: it would keep a number that it is told twice, twice."""
        assert self.logger is not None
        lacking = {name: value for name, value in metrics.items() if epoch not in self._epochs_of(name)}
        if lacking:
            self.logger.log_metrics(lacking, epoch)

    def attach(self, path: Path) -> None:
        """Keep a file as an artifact of the run."""
        assert self.logger is not None
        self._client.log_artifact(self.logger.version, str(path))

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
        with few_tries(place), one_at_a_time(place):
            logger = build(section, run_name=self.name, run_id=record.get("id"), synchronous=True, tags=self._tags())
            self._client = opened(logger)
        if not record and not self.commit and COMMIT in self._client.get_run(logger.run_id).data.tags:
            self._client.delete_tag(logger.run_id, COMMIT)
        self._held: dict[str, set[int]] | None = {} if record else None
        if record:
            self._client.update_run(logger.run_id, status="RUNNING")
        # An address of the environment may hold a password, and is read from there again.
        known = {} if ("logger", "tracking_uri") in self.card.secrets else {"place": place}
        if self.study and not record:
            parent = parent_of(self.run.path.parent, self._client, logger.run_id, known)
            self._client.set_tag(logger.run_id, PARENT, parent)
        return logger, {"id": logger.run_id, **known}

    def _tags(self) -> dict[str, str]:
        """What MLflow would guess from the program that runs, which is Runcard's own; and the study."""
        commit = {COMMIT: self.commit} if self.commit else {}
        study = {STUDY: self.study, KIND: "trial"} if self.study else {}
        return {"mlflow.source.name": "runcard", **commit, **study}

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
