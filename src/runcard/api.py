"""The line from Python, for notebooks and scripts: ``load_card``, ``fit``, ``evaluate``, ``load_run``.

    card = runcard.load_card(["data=wine", "model=linear"])
    run = runcard.fit(card)
    print(run.metrics["test/accuracy"], run.predict("bottles.csv"))

Imports nothing heavy before it is called, for ``runcard check`` passes through here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runcard import environment, runs
from runcard.card import check as judge
from runcard.card.metrics import DEFAULT_METRIC
from runcard.card.schema import Card
from runcard.card.targets import build
from runcard.errors import CardError, RunError
from runcard.runs import RunFolder

if TYPE_CHECKING:
    from runcard.data.dataset import Dataset
    from runcard.evaluation.predictor import Run

log = logging.getLogger("runcard")


def load_card(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> Card:
    """Compose a card and check every key and value of it; reads no data.

    Args:
        overrides: ``group=choice`` and ``key=value``; the first may be a saved ``card.yaml``.
        config_dir: A folder with groups of your own.

    Raises:
        CardError: If anything is wrong; its ``mistakes`` name each with its place.
    """
    return judge.load(overrides, config_dir)


def check(card: Card) -> None:
    """Compare a card with what it names outside itself: of a table, the header alone is read.

    Raises:
        CardError: If it names a column that is not there.
        DataError: If the file is missing or unreadable.
    """
    build(card.data).check_columns(card.problem.target)


def fit(card: Card, *, progress: bool = False) -> Run:
    """Train the card's model and evaluate it.

    Args:
        card: From ``load_card``.
        progress: Whether to show on stderr how far it is.

    Returns:
        The finished run; ``run.path`` is its folder, ``run.metrics`` its numbers.

    Raises:
        CardError: If the card does not fit the data or the machine.
        DataError: If the rows cannot be learned from.
        RunError: If the run folder cannot be written.
        TrainingError: If training fails.
    """
    # Imported here: `runcard check` passes through this file and must not wait for torch.
    from runcard.data.dataset import load_dataset
    from runcard.evaluation.evaluate import evaluate as evaluate_run
    from runcard.evaluation.predictor import open_trained
    from runcard.training.fit import train

    data = load_dataset(card)
    card = _settle(card, data)
    folder = runs.create(card.runs_dir, card.name)
    with _logged(folder):
        _write_beginnings(folder, card, data)
        sizes = [len(data.indices(part)) for part in ("train", "validation", "test")]
        log.info("run %s: %d rows to learn from, %d to choose the epoch, %d to test", folder.path, *sizes)
        for note in data.rows.notes:
            log.warning("%s", note)
        training = train(card, data, folder, progress=progress)
        run = open_trained(folder)
        metrics = evaluate_run(run, data, training, report=card.report)
        log.debug("finished: %s", json.dumps(metrics))
    return run


def load_run(path: str | Path) -> Run:
    """Load a finished run, to look at it or to predict with it.

    Args:
        path: The run folder.

    Raises:
        RunError: If there is none, it is unfinished, or a file of it is damaged.
    """
    from runcard.evaluation.predictor import open_trained

    return open_trained(runs.open_run(path))


def evaluate(path: str | Path) -> Run:
    """Score a finished run again from its stored weights, fit the baselines, and write its report.

    Args:
        path: The run folder.

    Raises:
        DataError: If the data is gone or is no longer that of the run.
        RunError: If there is no such run, or a file of it is damaged.
    """
    from runcard.data.dataset import restore
    from runcard.data.split import read_labels
    from runcard.evaluation.evaluate import evaluate as evaluate_run

    run = load_run(path)
    folder, card = run.folder, run.card
    data = restore(card, folder.read_json(folder.data), read_labels(folder.split))
    training = {name: value for name, value in run.metrics.items() if not name.startswith(("test/", "baseline/"))}
    with _logged(folder):
        metrics = evaluate_run(run, data, training, report=True)
        log.debug("evaluated again: %s", json.dumps(metrics))
    return run


def _settle(card: Card, data: Dataset) -> Card:
    """Write what was left on ``auto`` into the card, and refuse what this data or machine cannot do.

    Raises:
        CardError: If there is no GPU where one is asked for, or the model cannot take this data.
    """
    import torch

    from runcard.models.make import make_model

    task = data.signature.target.task
    metric = DEFAULT_METRIC[task] if card.problem.metric == "auto" else card.problem.metric
    gpu = torch.cuda.is_available()
    if card.trainer.accelerator == "gpu" and not gpu:
        raise CardError("trainer.accelerator: this machine has no GPU that torch can use. Choose trainer=cpu or auto.")
    accelerator = ("gpu" if gpu else "cpu") if card.trainer.accelerator == "auto" else card.trainer.accelerator
    card = judge.resolved(card, task=task, metric=metric, accelerator=accelerator)
    with torch.device("meta"):  # shapes only: no memory, no random numbers
        weights = sum(weight.numel() for weight in make_model(card, data.signature, data.transforms).parameters())
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
    from runcard.data.split import labels_to_parquet

    runs.write_text(folder.card, runs.dump_yaml(card.to_dict()))
    runs.write_json(folder.origin, card.origins)
    runs.write_json(folder.environment, environment.describe() | {"threads": card.trainer.threads})
    runs.write_json(folder.data, data.to_dict())
    runs.write_bytes(folder.split, labels_to_parquet(data.split))


@contextmanager
def _logged(folder: RunFolder) -> Iterator[None]:
    """Keep what is logged, and how it ended, in the run's ``run.log``."""
    try:
        handler = logging.FileHandler(folder.log, encoding="utf-8")
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
        handler.close()
