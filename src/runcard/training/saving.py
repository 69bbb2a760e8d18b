"""When training is written down: now and then, on a signal, when a loss is no number, and at the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from runcard.errors import TrainingError
from runcard.interrupts import HeldBack
from runcard.runs import RunFolder
from runcard.training.checkpoint import loadable, save
from runcard.training.epochs import weights
from runcard.training.sharding import is_sharded, shares
from runcard.training.state import random_states, set_random_states
from runcard.training.task import NotANumberError, Task, lower_rate

UNLOADABLE = (
    "what cannot be loaded safely, and no run could go on from a checkpoint. Keep numbers, texts, lists, mappings and "
    "tensors."
)


class Saving(Callback):
    """Writes checkpoints that training can go on from, to the same bits.

    Args:
        run: Where to write.
        every_s: Seconds between two checkpoints, 0 or more; at the end and on signals there is one anyway.
        signals: Held back while a minibatch is learned.
        resumed: What the run's newest checkpoint holds; None: training begins.
        writes: Whether this process writes at all; of several, the first does.
        callbacks: The card's own, by name, whose state is kept too.
    """

    def __init__(
        self,
        run: RunFolder,
        every_s: float,
        signals: HeldBack,
        resumed: dict[str, Any] | None,
        *,
        writes: bool = True,
        callbacks: Mapping[str, Callback] | None = None,
    ) -> None:
        self.callbacks = dict(callbacks or {})
        self.run = run
        self.writes = writes
        self.every_s = every_s
        self.signals = signals
        self.resumed = resumed
        self._written = time.monotonic()
        self._task: Task | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the card's own callbacks what they kept, after their own setup, as Lightning does.

        Raises:
            TrainingError: If one keeps what no checkpoint can hold.
        """
        if self.resumed is not None:
            restore_callbacks(self.callbacks, self.resumed)
            for callback in self.callbacks.values():
                callback.on_load_checkpoint(trainer, pl_module, self.resumed)
        self._kept()

    def _kept(self) -> dict[str, Any]:
        kept = {name: callback.state_dict() for name, callback in self.callbacks.items()}
        for name, state in kept.items():
            if not loadable(state):
                raise TrainingError(f"trainer.callbacks.{name}: its state_dict holds {UNLOADABLE}")
        return kept

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take up weights, optimizer and random numbers where the checkpoint left them."""
        assert isinstance(pl_module, Task)
        if self.resumed is not None:
            pl_module.model.load_state_dict(shares(self.resumed["state_dict"], pl_module.model))
            pl_module.stepper.load_state_dict(self.resumed["stepper"])
            set_random_states(self.resumed["random"])
            self.resumed = None
        self._task = pl_module
        pl_module.between = self.between

    def between(self) -> None:
        """After each minibatch: if a signal waits, save and let it act.

        Before the first there is nothing to lose, and it may take long, to compile say: so signals act at once.
        """
        self.signals.hold()
        together = self._task.together if self._task is not None else None
        if self.signals.waiting if together is None else together.stopping:
            self.save()
            if not self.signals.waiting:  # another process was asked
                signal.raise_signal(signal.SIGTERM)
            with self.signals.let_through():
                pass

    @property
    def due(self) -> bool:
        """Whether this process writes, and it is time to."""
        return self.writes and time.monotonic() - self._written >= self.every_s

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object, **__: object) -> None:
        """Save if it is time."""
        assert isinstance(pl_module, Task)
        if self.due if pl_module.together is None else pl_module.together.saving:
            self.save()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """As after a minibatch: a signal may have come while the epoch was closed."""
        self.between()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep what was good before a loss that is no number."""
        task = self._task
        if isinstance(exception, NotANumberError) and task is not None and task.whole and finite(task):
            self.save()

    def save(self) -> None:
        """Write ``last``, and keep the one before.

        Raises:
            RunError: If it cannot be written; the last good checkpoint is still there.
            TrainingError: If a weight is no number: what is there already is better.
        """
        task = self._task
        assert task is not None
        if not (self.writes or is_sharded(task.model)):  # a share that another process lacks is in this one
            return
        task.settle()
        if not finite(task):
            raise TrainingError(
                f"a weight became infinite or no number by step {task.stepper.step}: the last checkpoint is kept. "
                f"{lower_rate()}"
            )
        made = content(task) | {"callbacks": self._kept()}
        self._add_own(made, task)
        if self.writes:
            save(self.run.last, made, keep=self.run.last_before)
            self._written = time.monotonic()

    def _add_own(self, made: dict[str, Any], task: Task) -> None:
        """Let the card's own callbacks add to a checkpoint.

        Raises:
            TrainingError: If one changes what is there, or adds what no checkpoint can hold.
        """
        before = dict(made)
        for name, callback in self.callbacks.items():
            callback.on_save_checkpoint(task.trainer, task, made)
            if any(made.get(key) is not value for key, value in before.items()):
                raise TrainingError(
                    f"trainer.callbacks.{name}: its on_save_checkpoint changes what training goes on from"
                )
            if not loadable({key: value for key, value in made.items() if key not in before}):
                raise TrainingError(f"trainer.callbacks.{name}: its on_save_checkpoint adds {UNLOADABLE}")


def restore_callbacks(callbacks: Mapping[str, Callback], content: Mapping[str, Any]) -> None:
    """Give the card's own callbacks what they kept.

    Args:
        callbacks: By name.
        content: Of a checkpoint.
    """
    for name, state in content.get("callbacks", {}).items():
        if name in callbacks:
            callbacks[name].load_state_dict(state)


def content(task: Task) -> dict[str, Any]:
    """All that training needs to go on."""
    return {
        "state_dict": weights(task.model),
        "epoch": task.state.epoch,
        "state": task.state.to_dict(),
        "stepper": task.stepper.state_dict(),
        "random": random_states(),
    }


def finite(task: Task) -> bool:
    """Whether every weight is a number."""
    with torch.no_grad():
        return all(bool(torch.isfinite(weight).all()) for weight in task.model.parameters())
