"""TensorBoard: event files in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from runcard.card.naming.targets import build
from runcard.training.trackers.base import Record, Tracker, settings


class TensorBoard(Tracker):
    """Event files in the run folder."""

    kind = "tensorboard"

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Write what a kill must not take: the writer itself would wait for two minutes."""
        if epoch >= self._begins:
            self._writer().log_metrics(metrics, epoch)
            self._writer().experiment.flush()

    def close(self, status: str) -> None:
        """Close the files."""
        self._writer().finalize(status if status != "success" else "closed")  # success adds a file of no values

    def abandon(self) -> None:
        """End the writer's thread."""
        if self.logger is not None:
            self._writer().experiment.close()

    def _open(self, record: Record) -> tuple[Logger, Record]:
        self._begins = self.first_epoch if record else 0
        # TensorBoard then forgets what it was told of this epoch and later ones.
        purge: dict[str, Any] = {"purge_step": self.first_epoch} if record else {}
        return build(self.card.logger, save_dir=self.run.path, name="", version=self.kind, **purge), {"id": self.kind}

    def _describe(self, *, known: bool) -> None:
        """Fill the page of hyperparameters: its columns are the card's values and two of the numbers to come."""
        writer = self._writer().experiment
        if known:
            return
        # Part of torch, but it imports tensorboard.
        from torch.utils.tensorboard.summary import hparams

        columns = [self.card.trainer.monitor, f"test/{self.card.problem.metric}"]
        experiment, session, _ = hparams(settings(self.card), dict.fromkeys(columns, 0.0))
        for summary in (experiment, session):
            writer._get_file_writer().add_summary(summary)
        writer.flush()

    def _writer(self) -> Any:
        return self.logger
