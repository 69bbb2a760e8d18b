"""Card and data → trained weights in the run folder."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers.logger import Logger

from runcard.card.metrics import maximizes, metrics_of
from runcard.card.schema import Card
from runcard.card.targets import build
from runcard.data.dataset import Dataset
from runcard.data.loader import Tensors
from runcard.errors import TrainingError
from runcard.models.make import make_model, threads
from runcard.runs import RunFolder
from runcard.training.best import KeepBest
from runcard.training.loggers import closing, make_logger
from runcard.training.progress import ShowProgress
from runcard.training.task import Task

# What seeding, determinism and Weights & Biases leave behind in the environment.
OWN_VARIABLES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "CUBLAS_WORKSPACE_CONFIG", "WANDB_MODE")


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
    best = KeepBest(run, card.trainer.monitor)
    rows = Tensors(
        (data.inputs("train"), data.targets("train")),
        (data.inputs("validation"), data.targets("validation")),
        batch_size=card.data.batch_size,
        seed=card.seed,
    )
    with _as_it_was(), _without_hints(), _plain_failures(), threads(card.trainer.threads):
        seed_everything(card.seed, workers=True, verbose=False)
        task = make_task(card, data)
        logger = make_logger(card, run)
        with closing(logger):
            trainer = make_trainer(card, run, logger, [best, *([ShowProgress(best.monitor)] if progress else [])])
            trainer.fit(task, datamodule=rows)
    return {"best_epoch": best.epoch, "epochs": trainer.current_epoch, **best.numbers}


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


def make_trainer(card: Card, run: RunFolder, logger: Logger, callbacks: Sequence[Callback]) -> Trainer:
    """Lightning's Trainer as the card wants it; checkpoints and progress are our own callbacks."""
    settings, patience = card.trainer, card.trainer.early_stopping.patience
    stops = [
        EarlyStopping(
            settings.monitor,
            min_delta=settings.early_stopping.min_delta,
            patience=patience or 0,
            mode="max" if maximizes(settings.monitor) else "min",
        )
    ]
    return Trainer(
        accelerator=settings.accelerator,
        devices=1,
        precision=settings.precision,
        max_epochs=settings.max_epochs,
        limit_train_batches=settings.limit_batches,
        gradient_clip_val=settings.gradient_clip_norm,
        deterministic=settings.deterministic,
        callbacks=[*callbacks, *(stops if patience is not None else [])],
        logger=logger,
        log_every_n_steps=2**31,  # numbers are of epochs; steps log nothing
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run.path,
    )


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
def _as_it_was() -> Iterator[None]:
    """Give back what seeding, determinism, Lightning and trackers change for the whole process.

    Raises:
        KeyboardInterrupt: On Ctrl-C, which Lightning would turn into a ``SystemExit``, ignoring any further one.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    variables, interrupt = dict(os.environ), signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        for name in OWN_VARIABLES:
            os.environ.pop(name, None)
            if name in variables:
                os.environ[name] = variables[name]
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)


@contextlib.contextmanager
def _without_hints() -> Iterator[None]:
    """Silence what Lightning says of its own settings, which the user of a card neither sees nor can change."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # It logs no single steps here, on purpose; and its pytree code calls a name that torch has renamed.
        warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
