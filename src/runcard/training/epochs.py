"""What happens when an epoch is over: its numbers, whether it is the best, whether to stop."""

from __future__ import annotations

from collections.abc import Sequence

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor, nn

from runcard.advice import advise
from runcard.card.metrics import METRICS, better, maximizes
from runcard.errors import TrainingError
from runcard.training.sharding import whole
from runcard.training.shared import EpochNumbers
from runcard.training.task import Task


class EpochEnd(Callback):
    """Keeps the history, the best epoch's weights, and the count of epochs without a better one.

    The best weights are held in memory: a short epoch takes milliseconds, a flushed file as long as an epoch.

    Args:
        monitor: What chooses the best epoch, such as ``val/loss``.
        numbers: The numbers of an epoch; stands before the own callbacks, and this behind them.
        patience: Epochs without a better monitor before training stops; None: never.
        min_delta: What counts as better for stopping, in the monitor's unit, 0 or more.
        loggers: Who is told of each epoch.
    """

    def __init__(
        self,
        monitor: str,
        numbers: EpochNumbers,
        *,
        patience: int | None,
        min_delta: float,
        loggers: Sequence[Logger] = (),
    ) -> None:
        self.monitor = monitor
        self.numbers = numbers
        self.patience = patience
        self.min_delta = min_delta
        self.loggers = loggers

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the epoch.

        Raises:
            TrainingError: If these validation rows do not define the monitor, or no callback logged it.
        """
        assert isinstance(pl_module, Task)
        state = pl_module.state
        logged = self.numbers.take(trainer)
        numbers = self.numbers.numbers | logged
        if self.monitor not in numbers:
            raise TrainingError(self._unknown(pl_module))
        state.history.append(numbers)
        value = numbers[self.monitor]
        if not state.best_numbers or better(self.monitor, value, state.best_numbers[self.monitor]):
            state.best_epoch, state.best_numbers = state.epoch, pl_module.validated | logged
            state.best_weights = weights(pl_module.judged)
        state.stopped = self._patience_ends(pl_module, value) or state.epoch + 1 == trainer.max_epochs
        trainer.should_stop = state.stopped = state.stopped or trainer.should_stop
        state.epoch, state.minibatch = state.epoch + 1, 0
        for logger in self.loggers:
            logger.log_metrics(numbers, step=state.epoch - 1)

    def _unknown(self, task: Task) -> str:
        if self.monitor.removeprefix("val/") in (*METRICS, "loss"):
            return (
                f"{self.monitor} cannot be computed on the validation rows: they are too few or of one class. "
                f"Choose {advise('trainer.monitor=val/loss')}, or a larger data.split.validation."
            )
        return (
            f"trainer.monitor: no callback logged {self.monitor!r} in epoch {task.state.epoch}, and it must each epoch"
        )

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
