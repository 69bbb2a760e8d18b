"""Own callbacks that look at the test rows: their ``on_test_*`` is called as Lightning's ``Trainer.test`` does."""

from __future__ import annotations

from collections.abc import Mapping

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor, nn

from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.data.loader import CHECK_ROWS, Batch, Batches
from runcard.models.make import threads
from runcard.runs import RunFolder
from runcard.training.checkpoint import load
from runcard.training.fit import make_callbacks, make_part
from runcard.training.saving import restore_callbacks
from runcard.training.shared import EpochNumbers, SharedLogger
from runcard.training.surroundings import as_it_was, plain_failures, without_hints

HOOKS = [name for name in vars(Callback) if name.startswith("on_test_")]


class NetworkOnTestRows(LightningModule):
    """A trained network, asked for the test rows.

    Args:
        model: The network.
        numbers: What the answers are worth; callbacks read it once all rows are answered.
    """

    def __init__(self, model: nn.Module, numbers: EpochNumbers) -> None:
        super().__init__()
        self.model = model
        self.numbers = numbers

    def test_step(self, batch: Batch, index: int) -> Tensor:
        """The outputs for a batch, ``(rows, outputs)``."""
        outputs: Tensor = self.model(batch[0])
        return outputs

    def on_test_epoch_end(self) -> None:
        """Let callbacks read the scores."""
        self.numbers.share(self.trainer, self.numbers.numbers)


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
        TrainingError: If one logs under a name of Runcard's own, or what is no number.
    """
    callbacks = make_callbacks(card)
    if not any(_looks(callback) for callback in callbacks.values()):
        return {}
    if run.last.is_file():
        restore_callbacks(callbacks, load(run.last))
    numbers = EpochNumbers([], SharedLogger([DummyLogger()]))
    numbers.numbers = dict(metrics)
    with as_it_was(), without_hints(), plain_failures(run), threads(card.trainer.thread_count):
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            callbacks=[numbers, *callbacks.values()],
            logger=numbers.logger,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=run.path,
        )
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
        trainer.test(NetworkOnTestRows(model, numbers), Batches(make_part(data, "test"), CHECK_ROWS), verbose=False)
    return numbers.take(trainer)


def _looks(callback: Callback) -> bool:
    return any(getattr(type(callback), name) is not getattr(Callback, name) for name in HOOKS)
