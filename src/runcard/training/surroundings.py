"""What stands around training: the process given back as it was, libraries kept quiet, failures put into words."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import signal
import threading
import warnings
from collections.abc import Iterator

import numpy as np
import torch

from runcard.advice import advise
from runcard.errors import TrainingError
from runcard.runs import RunFolder

# What seeding, determinism and tracing leave behind in the environment.
OWN_VARIABLES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "CUBLAS_WORKSPACE_CONFIG", "KINETO_LOG_LEVEL")
# How the libraries of several processes say that one of them is gone.
LOST = re.compile(r"gloo/transport|NCCL|(reset|closed) by peer")


@contextlib.contextmanager
def plain_failures(run: RunFolder | None = None) -> Iterator[None]:
    """Say what to lower when memory is short, and that another process is gone."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"the GPU's memory is full: lower data.batch_size, or set {advise('trainer.precision=bf16-mixed')}"
        ) from error
    except RuntimeError as error:
        if run is None or not LOST.search(str(error)):
            raise
        raise TrainingError(
            f"another process of this training has died. Go on with `{advise('runcard', 'resume', str(run.path))}`."
        ) from error


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Give back what seeding, determinism, Lightning and trackers change for the whole process.

    Raises:
        KeyboardInterrupt: On Ctrl-C, which Lightning would turn into a ``SystemExit``, ignoring any further one.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # Deterministic training writes NaN into all memory before it is used: for a residual network 5 % of its time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
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
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        for name in OWN_VARIABLES:
            os.environ.pop(name, None)
            if name in variables:
                os.environ[name] = variables[name]
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)


@contextlib.contextmanager
def without_hints() -> Iterator[None]:
    """Silence what Lightning says of its own settings, which the user of a card neither sees nor can change."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # It logs no single steps here, on purpose; and its pytree code calls a name that torch has renamed.
        warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        # On a machine of a SLURM cluster: who wants its processes says so in the card.
        warnings.filterwarnings("ignore", "(?s).*`srun` command is available.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
