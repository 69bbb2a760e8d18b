"""What happens when an epoch is over: its numbers, whether it is the best, whether to stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor, nn

from runcard.card.metrics import better, maximizes
from runcard.errors import TrainingError
from runcard.training.sharding import whole
from runcard.training.state import Numbers
from runcard.training.task import Task


class EpochEnd(Callback):
    """Keeps the history, the best epoch's weights, and the count of epochs without a better one.

    The best weights are held in memory: a short epoch takes milliseconds, a flushed file as long as an epoch.

    Args:
        monitor: What chooses the best epoch, such as ``val/loss``.
        rows: Rows of each minibatch of an epoch.
        patience: Epochs without a better monitor before training stops; None: never.
        min_delta: What counts as better for stopping, in the monitor's unit, 0 or more.
        loggers: Who is told of each epoch.
    """

    def __init__(
        self,
        monitor: str,
        rows: list[int],
        *,
        patience: int | None,
        min_delta: float,
        loggers: Sequence[Logger] = (),
    ) -> None:
        self.monitor = monitor
        self.rows = np.array(rows, dtype=np.float64)
        self.patience = patience
        self.min_delta = min_delta
        self.loggers = loggers

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the epoch.

        Raises:
            TrainingError: If these validation rows do not define the monitor.
        """
        assert isinstance(pl_module, Task)
        state = pl_module.state
        numbers = self._numbers(pl_module)
        state.history.append(numbers)
        value = numbers[self.monitor]
        if not state.best_numbers or better(self.monitor, value, state.best_numbers[self.monitor]):
            state.best_epoch, state.best_numbers = state.epoch, dict(pl_module.validated)
            state.best_weights = weights(pl_module.judged)
        state.stopped = self._patience_ends(pl_module, value) or state.epoch + 1 == trainer.max_epochs
        trainer.should_stop = state.stopped
        state.epoch, state.minibatch = state.epoch + 1, 0
        for logger in self.loggers:
            logger.log_metrics(numbers, step=state.epoch - 1)

    def _numbers(self, task: Task) -> Numbers:
        if self.monitor not in task.validated:
            raise TrainingError(
                f"{self.monitor} cannot be computed on the validation rows: they are too few or of one class. "
                "Choose trainer.monitor=val/loss, or a larger data.split.validation."
            )
        losses = np.array(task.state.losses[-len(self.rows) :], dtype=np.float64)
        known = np.isfinite(losses)
        if not known.any():
            raise TrainingError(f"no loss of epoch {task.state.epoch} was a number: nothing was learned in it.")
        loss = float(np.average(losses[known], weights=self.rows[known]))
        return {"epoch": task.state.epoch, "lr": task.state.rate, "train/loss": loss, **task.validated}

    def _patience_ends(self, task: Task, value: float) -> bool:
        """Count as Lightning's ``EarlyStopping`` does: better is better by more than ``min_delta``."""
        state = task.state
        delta = self.min_delta if maximizes(self.monitor) else -self.min_delta
        if state.reached is None or better(self.monitor, value, state.reached + delta):
            state.reached, state.waited = value, 0
        else:
            state.waited += 1
        return self.patience is not None and state.waited >= self.patience


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy on the CPU: the optimizer writes into the tensors themselves."""
    return {name: whole(tensor.detach()).to("cpu", copy=True) for name, tensor in model.state_dict().items()}
