"""What own callbacks share with Runcard: the numbers of an epoch, to read and to add to, and a logger."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import DummyLogger, Logger

from runcard.errors import TrainingError
from runcard.training.state import Numbers
from runcard.training.task import Task

# What Lightning adds to the numbers of a call.
ADDED = ("epoch", "step")


class SharedLogger(Logger):
    """``trainer.logger``: what is logged through it counts as a number of the epoch, and reaches every logger with it.

    Args:
        loggers: The run's own, 1 or more: the history first, a tracker last.
    """

    def __init__(self, loggers: Sequence[Logger]) -> None:
        super().__init__()
        self.last = loggers[-1]
        self.logged: Numbers = {}

    @property
    def name(self) -> str | None:
        """The tracker's kind."""
        return self.last.name

    @property
    def version(self) -> int | str | None:
        """What the tracker calls the run."""
        return self.last.version

    @property
    def save_dir(self) -> str | None:
        """The run folder."""
        return self.last.save_dir

    @property
    def experiment(self) -> Any:
        """The tracker's own object; without a tracker one that takes any call and does nothing."""
        return getattr(self.last, "experiment", None) or DummyLogger().experiment

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the tracker has the card."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep numbers until the epoch is over; of a name that is logged again the last."""
        self.logged.update({name: float(value) for name, value in metrics.items() if name not in ADDED})


class EpochNumbers(Callback):
    """The numbers of an epoch: own callbacks read them in ``trainer.callback_metrics``, and log more.

    Stands before the own callbacks, so that at an epoch's end they find all of it.

    Args:
        rows: Rows of each minibatch of an epoch.
        logger: Through which callbacks may log; None: there is none.

    Attributes:
        numbers: Of the epoch that ends, without what callbacks logged.
    """

    def __init__(self, rows: Sequence[int], logger: SharedLogger | None = None) -> None:
        self.rows = np.array(rows, dtype=np.float64)
        self.logger = logger
        self.numbers: Numbers = {}
        self._known: dict[str, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep Lightning from telling the logger by itself what the epoch's end tells every logger."""
        trainer._logger_connector.log_metrics = lambda *_, **__: None  # type: ignore[method-assign]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Know what is there from before: Lightning keeps it, as new objects."""
        self._known = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let callbacks read what the validation rows gave."""
        assert isinstance(pl_module, Task)
        self.share(trainer, pl_module.validated)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the loss of the training rows and the learning rate.

        Raises:
            TrainingError: If no loss of the epoch was a number.
        """
        assert isinstance(pl_module, Task)
        state = pl_module.state
        losses = np.array(state.losses[-len(self.rows) :], dtype=np.float64)
        known = np.isfinite(losses)
        if not known.any():
            raise TrainingError(f"no loss of epoch {state.epoch} was a number: nothing was learned in it.")
        loss = float(np.average(losses[known], weights=self.rows[known]))
        self.numbers = {"epoch": state.epoch, "lr": state.rate, "train/loss": loss, **pl_module.validated}
        self.share(trainer, self.numbers)

    def take(self, trainer: Trainer) -> Numbers:
        """What callbacks have logged since the last call.

        Raises:
            TrainingError: If it has a name of Runcard's own, or is no number.
        """
        there = dict(trainer.callback_metrics)
        # What was logged before is the same object still.
        logged = {name: float(value) for name, value in there.items() if self._known.get(name) is not value}
        self._known = there
        if self.logger is not None:
            logged, self.logger.logged = logged | self.logger.logged, {}
        logged = trainer.strategy.broadcast(logged)  # each process must take the same epoch for the best
        self._check(logged)
        return logged

    def share(self, trainer: Trainer, numbers: Mapping[str, float]) -> None:
        """Let callbacks read numbers of Runcard's own."""
        made = {name: torch.tensor(value) for name, value in numbers.items() if name != "epoch"}
        trainer.callback_metrics.update(made)
        self._known.update(made)

    def _check(self, logged: Numbers) -> None:
        for name, value in logged.items():
            if name in self.numbers:
                raise TrainingError(f"trainer.callbacks: one logs {name!r}, a number of Runcard's own; rename it")
            if math.isnan(value):
                raise TrainingError(f"trainer.callbacks: one logs {name!r}, and its value is no number")
