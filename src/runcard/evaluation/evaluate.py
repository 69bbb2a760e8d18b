"""A trained run on its test rows: scores, predictions, report, each written into the run folder."""

from __future__ import annotations

import io
import logging

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.data.dataset import Dataset
from runcard.data.reading.parquet import read_kept, said_first
from runcard.errors import RunError
from runcard.evaluation.predictor import Run
from runcard.evaluation.scores import score_test_rows
from runcard.files import write_bytes, write_json, write_text
from runcard.training.held_out import call_test_hooks

log = logging.getLogger("runcard")

# So many features are named whose test rows are unlike the training rows.
WARNED = 5


def evaluate(run: Run, data: Dataset, training: dict[str, float], *, report: bool) -> dict[str, float]:
    """Score the test rows and write what was found; the report last, for it can be made again.

    Args:
        run: The trained run.
        data: Its rows, with its split.
        training: The numbers that training gave.
        report: Whether to fit the baselines and write ``report.html``.

    Returns:
        All the run's numbers: those of training, ``test/metric``, ``baseline/name/metric``, and what the card's own
        callbacks log of the test rows.
    """
    scores = score_test_rows(run, data, baselines=report)
    metrics = training | scores.metrics | call_test_hooks(run.card, run.folder, run.model, data, scores.metrics)
    write_bytes(run.folder.predictions, _predictions(run, data, scores.answers))
    write_json(run.folder.metrics, metrics)
    if report:
        # Imported here: drawing takes half a second to import, and a sweep's trials draw nothing.
        from runcard.evaluation.report import render

        write_text(run.folder.report, render(run, data, scores, metrics))
    return metrics


def warn_of_test_rows(run: Run, data: Dataset) -> None:
    """Say which features of the test rows are missing or unseen, or further out of range than chance puts them.

    Args:
        run: The trained run.
        data: Its rows, with its split.
    """
    # Pictures and series are many numbers each, and one beyond all that were seen tells nothing.
    if data.lazy:
        return
    lines = run.warnings(data.rows.pick(data.indices("test")), len(data.indices("train")))
    for line in lines[:WARNED]:
        log.warning("of the test rows, %s", line)
    if len(lines) > WARNED:
        log.warning("of the test rows, %d more features are unlike the training rows", len(lines) - WARNED)


def read_predictions(run: Run, rows: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The test rows' numbers in the data, ``(rows,)``, and the answers that were evaluated, as of ``Run.answer``.

    Args:
        run: The run.
        rows: How many there are.

    Raises:
        RunError: If the file is missing or damaged.
    """
    classes = run.signature.target.classes
    names = [f"probability_{name}" for name in classes] or ["prediction"]
    try:
        frame = read_kept(run.folder.predictions, rows)
        numbers, answers = frame["row"].to_numpy(), frame.select(names).to_numpy().astype(np.float64)
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        raise RunError(f"cannot read {run.folder.predictions}: {said_first(error)}") from error
    if not np.isfinite(answers).all():
        raise RunError(f"{run.folder.predictions} is damaged: an answer in it is no finite number")
    return numbers.astype(np.int64), answers if classes else answers[:, 0]


def _predictions(run: Run, data: Dataset, answers: NDArray[np.float64]) -> bytes:
    rows = pl.Series("row", data.indices("test"))
    truth = pl.Series("truth", data.truth("test").tolist())
    buffer = io.BytesIO()
    frame = run.table(answers).insert_column(0, rows).insert_column(1, truth)
    if data.rows.places is not None:  # the run counts the rows that are kept, and people those of their file
        frame.insert_column(1, pl.Series("row_of_file", data.rows.places[data.indices("test")]))
    frame.write_parquet(buffer)
    return buffer.getvalue()
