"""Weights on disk: tensors and plain values only, moved into place whole, with a checksum beside them."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from runcard.card.metrics import better
from runcard.errors import RunError, TrainingError
from runcard.runs import RunFolder, write_bytes, write_text
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
        metric = self.monitor.removeprefix("val/")
        if not self.numbers or better(metric, numbers[self.monitor], self.numbers[self.monitor]):
            self.epoch, self.numbers = trainer.current_epoch, numbers
            self._weights = _weights(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write both checkpoints."""
        facts = {"monitor": self.monitor, "best_epoch": self.epoch, "best_value": self.numbers[self.monitor]}
        save(self.run.best, {"state_dict": self._weights, "epoch": self.epoch, **facts})
        # After the last epoch Lightning has counted on to the next.
        save(self.run.last, {"state_dict": _weights(pl_module), "epoch": trainer.current_epoch - 1, **facts})


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint and its SHA-256.

    Raises:
        RunError: If it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())
    write_text(_checksum(path), f"{hashlib.sha256(buffer.getvalue()).hexdigest()}  {path.name}\n")


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, on the CPU, after comparing its SHA-256; runs no code from it.

    Raises:
        RunError: If it is missing or damaged.
    """
    try:
        content = path.read_bytes()
        expected = _checksum(path).read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read the checkpoint {path} and its checksum: {error}") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise RunError(f"the checkpoint {path} is damaged: its SHA-256 is not the one in {_checksum(path).name}")
    try:
        loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise RunError(f"{path} is no checkpoint: {str(error).splitlines()[0]}") from error
    return loaded


def _weights(module: LightningModule) -> dict[str, Tensor]:
    assert isinstance(module, Task)
    return {name: tensor.detach().cpu().clone() for name, tensor in module.model.state_dict().items()}


def _checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
