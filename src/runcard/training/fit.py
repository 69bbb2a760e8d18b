"""Card and data → trained weights in the run folder."""

from __future__ import annotations

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers.logger import Logger
from torch import nn

from runcard.card.metrics import METRICS, metrics_of
from runcard.card.schema import Card
from runcard.card.targets import build
from runcard.data.dataset import Dataset
from runcard.data.loader import Tensors
from runcard.data.signature import Signature
from runcard.data.transforms import Transforms
from runcard.errors import CardError, TrainingError
from runcard.runs import RunFolder
from runcard.training.checkpoint import KeepBest
from runcard.training.progress import ShowProgress
from runcard.training.task import Task


def train(card: Card, data: Dataset, run: RunFolder, *, progress: bool = False) -> dict[str, float]:
    """Train until the epochs are over or no better one comes; write best and last weights and the history.

    Args:
        card: With nothing left on ``auto``.
        data: What to learn from.
        run: Where to write.
        progress: Whether to show a bar or lines on stderr.

    Returns:
        ``best_epoch`` and ``epochs``, counted from 0 and 1, and the best epoch's ``val/...`` numbers.

    Raises:
        CardError: If the model cannot take this data, or the logger is not installed.
        TrainingError: If the loss is no longer a number, or memory is short.
    """
    seed_everything(card.seed, workers=True, verbose=False)
    task = make_task(card, data)
    best = KeepBest(run, card.trainer.monitor)
    trainer = make_trainer(card, run, [best, *([ShowProgress(card.trainer.monitor)] if progress else [])])
    rows = Tensors(
        (data.inputs("train"), data.targets("train")),
        (data.inputs("validation"), data.targets("validation")),
        batch_size=card.data.batch_size,
        seed=card.seed,
    )
    with threads(card.trainer.threads), _without_hints(), _plain_failures(), _closing(trainer):
        trainer.fit(task, datamodule=rows)
    return {"best_epoch": best.epoch, "epochs": trainer.current_epoch, **best.numbers}


def make_model(card: Card, signature: Signature, transforms: Transforms) -> nn.Module:
    """The card's network with fresh weights, its shapes taken from the data's signature.

    Raises:
        CardError: If the network cannot take inputs of this shape.
    """
    shape = transforms.input_shape(signature)
    model = build(card.model, input_shape=shape, outputs=transforms.target.outputs)
    assert isinstance(model, nn.Module)
    return model


def make_task(card: Card, data: Dataset) -> Task:
    """A fresh network with its loss, optimizer, schedule and metrics."""
    monitored = card.trainer.monitor.removeprefix("val/")
    wanted = dict.fromkeys([card.problem.metric, monitored])
    return Task(
        make_model(card, data.signature, data.transforms),
        target=data.transforms.target,
        metrics=[name for name in wanted if name in metrics_of(data.signature.target.task)],
        optimizer=functools.partial(build, card.optimizer),
        schedule=build(card.scheduler),
    )


def make_trainer(card: Card, run: RunFolder, callbacks: list[Callback]) -> Trainer:
    """Lightning's Trainer as the card wants it; checkpoints and progress are our own callbacks."""
    settings = card.trainer
    monitored = settings.monitor.removeprefix("val/")
    if settings.early_stopping.patience is not None:
        callbacks.append(
            EarlyStopping(
                settings.monitor,
                min_delta=settings.early_stopping.min_delta,
                patience=settings.early_stopping.patience,
                mode="max" if monitored in METRICS and METRICS[monitored].maximize else "min",
            )
        )
    return Trainer(
        accelerator=settings.accelerator,
        devices=1,
        precision=settings.precision,
        max_epochs=settings.max_epochs,
        limit_train_batches=settings.limit_batches,
        gradient_clip_val=settings.gradient_clip_norm,
        deterministic=settings.deterministic,
        callbacks=callbacks,
        logger=make_logger(card, run),
        log_every_n_steps=2**31,  # numbers are of epochs; steps log nothing
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run.path,
    )


def make_logger(card: Card, run: RunFolder) -> Logger:
    """Who keeps the history of the run.

    Raises:
        CardError: If the package it needs is not installed.
    """
    places: dict[str, dict[str, Any]] = {
        "runcard.training.csvlog.CsvLogger": {"path": run.history},
        "pytorch_lightning.loggers.WandbLogger": {"save_dir": run.path, "name": f"{card.name}/{run.path.name}"},
    }
    try:
        logger = build(card.logger, **places.get(card.logger.target_class, {}))
    except ModuleNotFoundError as error:
        raise CardError(
            "logger: this one needs a package that is not installed: pip install 'runcard[wandb]'"
        ) from error
    assert isinstance(logger, Logger)
    logger.log_hyperparams(card.to_dict())
    return logger


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads; bits depend on it, so what was set before comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _plain_failures() -> Iterator[None]:
    """Say what to lower when memory is short."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the GPU's memory is full: lower data.batch_size, or set trainer.precision=bf16-mixed"
        ) from error


@contextlib.contextmanager
def _without_hints() -> Iterator[None]:
    """Silence what Lightning says of its own settings, which the user of a card neither sees nor can change."""
    with warnings.catch_warnings():
        # It logs no single steps here, on purpose; and its pytree code calls a name that torch has renamed.
        warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        yield


@contextlib.contextmanager
def _closing(trainer: Trainer) -> Iterator[None]:
    """Close trackers that run on after training, whatever happened."""
    try:
        yield
    finally:
        for logger in trainer.loggers:
            finish = getattr(getattr(logger, "experiment", None), "finish", None)
            if callable(finish):
                finish()


# Lightning's hints (GPU available, tips, workers) are of its Trainer, which the user does not see.
for _name in ("pytorch_lightning", "lightning_fabric"):
    logging.getLogger(_name).setLevel(logging.ERROR)
