"""Card and rows → a finished run: settle what was left open, train, evaluate, and keep what happened."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator

import torch

from runcard import environment, files
from runcard.card import check as judge
from runcard.card.metrics import DEFAULT_METRIC
from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.data.split import labels_to_parquet
from runcard.errors import CardError, RunError
from runcard.evaluation.evaluate import evaluate
from runcard.evaluation.predictor import Run, open_trained
from runcard.models.make import make_model, settle_model
from runcard.runs import RunFolder
from runcard.training.fit import train

log = logging.getLogger("runcard")


def fit_card(card: Card, data: Dataset, make_folder: Callable[[str], RunFolder], *, progress: bool = False) -> Run:
    """Train and evaluate.

    Args:
        card: The card.
        data: Its rows.
        make_folder: Called with the card's name when all is known to fit.
        progress: Whether to say on stderr how far it is.

    Returns:
        The finished run.

    Raises:
        CardError: If the card does not fit the data or the machine.
        RunError: If the run folder cannot be written.
        TrainingError: If training fails.
    """
    card = _settle(card, data)
    folder = make_folder(card.name)
    with logged(folder):
        _write_beginnings(folder, card, data)
        said, warned = (logging.INFO, logging.WARNING) if progress else (logging.DEBUG, logging.DEBUG)
        sizes = [len(data.indices(part)) for part in ("train", "validation", "test")]
        log.log(said, "run %s: %d rows to learn from, %d to choose the epoch, %d to test", folder.path, *sizes)
        for note in data.rows.notes:
            log.log(warned, "%s", note)
        training = train(card, data, folder, progress=progress)
        run = open_trained(folder)
        metrics = evaluate(run, data, training, report=card.report)
        log.debug("finished: %s", json.dumps(metrics))
    return run


def _settle(card: Card, data: Dataset) -> Card:
    """Write what was left on ``auto`` into the card, and refuse what this data or machine cannot do.

    Raises:
        CardError: If there is no GPU where one is asked for, or the model cannot take this data or be had.
    """
    task = data.signature.target.task
    metric = DEFAULT_METRIC[task] if card.problem.metric == "auto" else card.problem.metric
    gpu = torch.cuda.is_available()
    if card.trainer.accelerator == "gpu" and not gpu:
        raise CardError("trainer.accelerator: this machine has no GPU that torch can use. Choose trainer=cpu or auto.")
    accelerator = ("gpu" if gpu else "cpu") if card.trainer.accelerator == "auto" else card.trainer.accelerator
    card = judge.resolved(card, task=task, metric=metric, accelerator=accelerator, model=settle_model(card))
    with torch.device("meta"):  # shapes only: no memory, no random numbers
        model = make_model(card, data.signature, data.transforms, fresh=False)
    weights = sum(weight.numel() for weight in model.parameters())
    # Each weight comes with a gradient and, with Adam, two averages; all of 4 bytes.
    needed, there = 16 * weights, environment.memory_bytes()
    if there and needed > there:
        raise CardError(
            f"model: {weights:,} weights need {needed / 2**30:,.0f} GB to train, and this machine has "
            f"{there / 2**30:,.0f} GB. Make the layers smaller."
        )
    return card


def _write_beginnings(folder: RunFolder, card: Card, data: Dataset) -> None:
    """All that is known before training."""
    files.write_text(folder.card, files.dump_yaml(card.to_dict()))
    files.write_json(folder.origin, card.origins)
    files.write_json(folder.environment, environment.describe() | {"threads": card.trainer.threads})
    files.write_json(folder.data, data.to_dict())
    files.write_bytes(folder.split, labels_to_parquet(data.split))


@contextlib.contextmanager
def logged(folder: RunFolder) -> Iterator[None]:
    """Keep what is logged, and how it ended, in the run's ``run.log``."""
    try:
        handler = _LogFile(folder.log, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {folder.log}: {error.strerror or error}") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    except BaseException as error:
        # At this level the traceback reaches the file and not the terminal, where one line says what to do.
        log.debug("ended early: %s", error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        with contextlib.suppress(OSError):  # a full disk
            handler.close()


class _LogFile(logging.FileHandler):
    """On a full disk the log ends early; what is written for keeps says so, and in one line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        pass
