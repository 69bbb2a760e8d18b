"""The best epoch's weights, held in memory while training goes on."""

from __future__ import annotations

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from runcard.card.metrics import better
from runcard.errors import TrainingError
from runcard.runs import RunFolder
from runcard.training.checkpoint import save
from runcard.training.task import Task


class KeepBest(Callback):
    """Holds the best epoch's weights in memory, and writes best and last when training ends.

    A short epoch takes milliseconds, a flushed file as long as an epoch: so nothing is written in between.

    Args:
        run: Where to write.
        monitor: What chooses the best epoch, such as ``val/loss``.
    """

    def __init__(self, run: RunFolder, monitor: str) -> None:
        self.run = run
        self.monitor = monitor
        self.epoch = -1
        self.numbers: dict[str, float] = {}
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the weights if this epoch is the best so far; of equals the first.

        Raises:
            TrainingError: If these validation rows do not define the monitor.
        """
        assert isinstance(pl_module, Task)
        numbers = pl_module.validated
        if self.monitor not in numbers:
            raise TrainingError(
                f"{self.monitor} cannot be computed on the validation rows: they are too few or of one class. "
                "Choose trainer.monitor=val/loss, or a larger data.split.validation."
            )
        if not self.numbers or better(self.monitor, numbers[self.monitor], self.numbers[self.monitor]):
            self.epoch, self.numbers = trainer.current_epoch, numbers
            self._weights = _weights(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write both checkpoints."""
        facts = {"monitor": self.monitor, "best_epoch": self.epoch, "best_value": self.numbers[self.monitor]}
        save(self.run.best, {"state_dict": self._weights, "epoch": self.epoch, **facts})
        # After the last epoch Lightning has counted on to the next.
        save(self.run.last, {"state_dict": _weights(pl_module), "epoch": trainer.current_epoch - 1, **facts})


def _weights(module: LightningModule) -> dict[str, Tensor]:
    assert isinstance(module, Task)
    # A copy: the optimizer writes into the tensors themselves.
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in module.model.state_dict().items()}
