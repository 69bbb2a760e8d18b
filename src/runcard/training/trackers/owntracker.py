"""A logger of the user's own, of Lightning's kind, told what the trackers are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from runcard.card.naming.targets import build
from runcard.card.schema import Card
from runcard.runs import RunFolder
from runcard.training.trackers.base import Record, Tracker, settings

# As Lightning calls the ways in which a run ends.
ENDS = {"success": "success", "failed": "failed", "stopped": "failed"}


class OwnTracker(Tracker):
    """Calls the logger as Lightning would: once with the card, each epoch, and at the end.

    A run that goes on tells nothing that was told before.
    """

    def __init__(self, card: Card, run: RunFolder, first_epoch: int) -> None:
        super().__init__(card, run, first_epoch)
        self.kind = card.logger.target_class

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Add the numbers of an epoch, of which it has those before ``_begins``."""
        if epoch >= self._begins:
            self._own().log_metrics(dict(metrics), step=epoch)
            self._own().save()

    def close(self, status: str) -> None:
        """Say how the run ended, in Lightning's words."""
        self._own().finalize(ENDS[status])

    def _open(self, record: Record) -> tuple[Logger, Record]:
        self._begins = self.first_epoch if record else 0
        logger: Logger = build(self.card.logger, section="logger", save_dir=str(self.run.path))
        return logger, {"id": str(logger.version or "")}

    def _describe(self, *, known: bool) -> None:
        """Tell the card's values by dotted keys."""
        if not known:
            self._own().log_hyperparams(settings(self.card))

    def _own(self) -> Any:
        return self.logger
