"""Own callbacks that look at the test rows: their ``on_test_*`` is called as Lightning's ``Trainer.test`` does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor, nn

from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.data.loader import CHECK_ROWS, Batch, Batches
from runcard.errors import TrainingError
from runcard.models.make import threads
from runcard.runs import RunFolder
from runcard.training.checkpoint import load
from runcard.training.fit import make_callbacks, make_part
from runcard.training.shared import EpochNumbers, SharedLogger
from runcard.training.surroundings import as_it_was, plain_failures, without_hints

HOOKS = [name for name in vars(Callback) if name.startswith("on_test_")]


class NetworkOnTestRows(LightningModule):
    """A trained network, asked for the test rows.

    Args:
        model: The network.
        metrics: What the answers are worth, by name; callbacks read it once all rows are answered.
    """

    def __init__(self, model: nn.Module, metrics: Mapping[str, float]) -> None:
        super().__init__()
        self.model = model
        self.metrics = metrics

    def test_step(self, batch: Batch, index: int) -> Tensor:
        """The outputs for a batch, ``(rows, outputs)``."""
        outputs: Tensor = self.model(batch[0])
        return outputs

    def on_test_epoch_end(self) -> None:
        """Let callbacks read the scores."""
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in self.metrics.items()})


def call_test_hooks(
    card: Card, run: RunFolder, model: nn.Module, data: Dataset, metrics: Mapping[str, float]
) -> dict[str, float]:
    """Let the card's own callbacks look at the test rows, as they were at the end of training.

    Args:
        card: With nothing left on ``auto``.
        run: The run's folder, with what the callbacks kept.
        model: The trained network, on the CPU.
        data: The rows, with their split.
        metrics: What the answers are worth, by name.

    Returns:
        What they logged.

    Raises:
        TrainingError: If one fails, or logs under a name of Runcard's own.
    """
    callbacks = make_callbacks(card)
    if not any(_looks(callback) for callback in callbacks.values()):
        return {}
    kept = load(run.last).get("callbacks", {}) if run.last.is_file() else {}
    for name, state in kept.items():
        if name in callbacks:
            callbacks[name].load_state_dict(state)
    logger = SharedLogger([DummyLogger()])
    with as_it_was(), without_hints(), plain_failures(run), threads(card.trainer.thread_count):
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            callbacks=[EpochNumbers([], logger), *callbacks.values()],
            logger=logger,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=run.path,
        )
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
        trainer.test(NetworkOnTestRows(model, metrics), Batches(make_part(data, "test"), CHECK_ROWS), verbose=False)
    there = {name: float(value) for name, value in trainer.callback_metrics.items()} | logger.logged
    taken = [name for name in metrics if name in logger.logged or there.get(name) != torch.tensor(metrics[name]).item()]
    if taken:
        raise TrainingError(f"trainer.callbacks: one logs {taken[0]!r}, a number of Runcard's own; rename it")
    return {name: value for name, value in there.items() if name not in metrics}


def _looks(callback: Callback) -> bool:
    return any(getattr(type(callback), name) is not getattr(Callback, name) for name in HOOKS)
