"""How far training is and how long it will take: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from runcard.training.task import Task

LINE_EVERY_S = 10.0
BAR_EVERY_S = 0.1


class ShowProgress(Callback):
    """Shows epochs done, the latest numbers and the time left, on stderr.

    Args:
        monitor: The number to show, such as ``val/loss``.
    """

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.console = Console(stderr=True)
        self._bar: Progress | None = None
        self._row: TaskID | None = None
        self._shown = 0.0
        self._started = 0.0
        self._first = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar, if there is a terminal."""
        assert isinstance(pl_module, Task)
        self._started = self._shown = time.monotonic()
        self._first = pl_module.state.epoch
        if self.console.is_terminal:
            columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.description}"), console=self.console)
            self._bar.start()
            self._row = self._bar.add_task("", total=trainer.max_epochs)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object, **__: object) -> None:
        """Move the bar within a long epoch."""
        if self._bar is not None and self._due(BAR_EVERY_S):
            self._move(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move the bar, or print a line if none was printed for a while."""
        assert isinstance(pl_module, Task)
        if self._bar is not None:
            if self._due(BAR_EVERY_S):
                self._move(pl_module)
        elif self._due(LINE_EVERY_S):
            done, all_epochs = pl_module.state.epoch, trainer.max_epochs or 0
            passed = time.monotonic() - self._started
            left = passed / max(done - self._first, 1) * (all_epochs - done)
            self.console.print(f"epoch {done}/{all_epochs}  {self._numbers(pl_module)}  at most {left:.0f} s left")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar, full as far as training went."""
        if self._bar is not None:
            self._move(pl_module)
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._close()

    def _move(self, task: LightningModule) -> None:
        assert isinstance(task, Task)
        if self._bar is not None and self._row is not None:
            done = task.state.epoch + task.state.minibatch / task.minibatches
            self._bar.update(self._row, completed=round(done, 1), description=self._numbers(task))

    def _numbers(self, task: Task) -> str:
        value = task.state.history[-1].get(self.monitor) if task.state.history else None
        return "" if value is None else f"{self.monitor} {value:.4f}"

    def _due(self, every_s: float) -> bool:
        now = time.monotonic()
        if now - self._shown < every_s:
            return False
        self._shown = now
        return True

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
