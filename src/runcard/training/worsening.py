"""Notices that validation worsens while training improves: the network learns its rows by heart, and no rule."""

from __future__ import annotations

import logging
import math

from pytorch_lightning import Callback, LightningModule, Trainer

from runcard.training.state import Numbers
from runcard.training.task import Task

log = logging.getLogger("runcard")

# For so many epochs in a row the validation loss is above its best by such a share: chance does less, and sooner.
EPOCHS = 5
RISE = 0.1
# And by such a share of what it was after the first epoch: where nearly all is learned, a few rows double what is left.
LEAST = 0.1

ADVICE = (
    "Try model.dropout, a larger optimizer.weight_decay, trainer.early_stopping.patience, or more rows; "
    "the best epoch's weights are kept."
)


class Trend:
    """The way of the two losses; a pure function of the epochs that were added, so the same after a resume."""

    def __init__(self) -> None:
        self.best = math.inf
        self.best_epoch = -1
        self._first: float | None = None
        self._training_then = math.inf
        self._worse: list[float] = []
        self._said = False

    def add(self, numbers: Numbers) -> str | None:
        """Look at one more epoch.

        Returns:
            What to say, the first time that there is something; else None.
        """
        validation, training = numbers["val/loss"], numbers["train/loss"]
        if validation < self.best:
            self.best, self.best_epoch, self._training_then = validation, int(numbers["epoch"]), training
        self._first = validation if self._first is None else self._first
        worse = validation - self.best > max(RISE * self.best, LEAST * self._first) and training < self._training_then
        self._worse = [*self._worse, training] if worse else []
        if self._said or len(self._worse) < EPOCHS or training >= self._worse[0]:
            return None
        self._said = True
        return (
            f"val/loss rose from {self.best:.4g} in epoch {self.best_epoch} to {validation:.4g} in epoch "
            f"{int(numbers['epoch'])}, while train/loss fell from {self._training_then:.4g} to {training:.4g}: "
            f"the model learns its training rows by heart. {ADVICE}"
        )


class WarnOfWorsening(Callback):
    """Says it once, when it is first so; stands behind what closes the epoch."""

    def __init__(self) -> None:
        self.trend = Trend()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the epochs that are over; what there was to say of them has been said."""
        assert isinstance(pl_module, Task)
        for numbers in pl_module.state.history:
            self.trend.add(numbers)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the epoch that was closed."""
        assert isinstance(pl_module, Task)
        said = self.trend.add(pl_module.state.history[-1])
        if said is not None and trainer.is_global_zero:
            log.warning("%s", said)
