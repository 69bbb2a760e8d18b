"""A run scored on rows that it was not made from: a later month, another shop. Nothing of the run is changed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.card.metrics import metrics_of
from runcard.card.sections.data import TableData
from runcard.card.sections.formats import Spelling
from runcard.data.answers import Unusual
from runcard.data.fields import plainly
from runcard.data.reading.batches import batch_rows, read_batches
from runcard.data.reading.layout import Reading
from runcard.data.signature import Array, Target
from runcard.data.values import as_written, columns_of, number_values, text_values
from runcard.errors import DataError
from runcard.evaluation.predictor import Run
from runcard.training.metrics import score

MOST_NAMED = 5  # classes in an error


@dataclass(frozen=True)
class FileScores:
    """How good a run is on a file of rows.

    Attributes:
        metrics: By name, such as ``accuracy``; those that these rows define.
        rows: How many were scored.
        left_out: How many more had no truth.
        warnings: What is unusual about them, a line a feature.
    """

    metrics: dict[str, float]
    rows: int
    left_out: int
    warnings: tuple[str, ...] = ()


def score_file(run: Run, path: str | Path) -> FileScores:
    """Answer a file of rows and compare with the truth in it, a batch at a time.

    Args:
        run: A finished run.
        path: A file with the columns of the signature and the target: CSV, TSV, Parquet, JSON.

    Raises:
        DataError: If a column is missing, a value is of another kind, a class is none of the model's, or no row has a
            truth.
    """
    target, unusual = run.signature.target, Unusual(run.signature)
    spelling, before = _spelling(run), 0
    answers: list[NDArray[np.float64]] = []
    truths: list[Array] = []
    names = [*dict.fromkeys([*as_written(run.signature), target.name])]
    reading = Reading.of(run.card.values()["data"])
    with contextlib.closing(
        read_batches(path, names, batch_rows(run.transforms.input_shape(run.signature)), reading)
    ) as batches:
        for frame in batches:
            _check_target(frame, target, path)
            columns = columns_of(frame, run.signature, before=before)
            truth = _truth(frame[target.name], target, spelling, before)
            known = ~np.isnan(truth)
            kept = {name: values[known] for name, values in columns.items()}
            before += len(truth)
            if known.any():
                unusual.add(kept)
                answers.append(run.answer(kept))
                truths.append(truth[known])
    if not truths:
        raise DataError(f"{path} holds no row with a truth in {target.name!r}: there is nothing to compare with")
    truth = np.concatenate(truths)
    found = score(metrics_of(target.task), np.concatenate(answers), truth.astype(np.int64) if target.classes else truth)
    return FileScores(dict(found), len(truth), before - len(truth), tuple(unusual.lines()))


def _spelling(run: Run) -> Spelling:
    """How the target's values are written, as the run's card has it."""
    data, name = run.card.data, run.signature.target.name
    if not isinstance(data, TableData):
        return Spelling()
    return Spelling(data.formats.get(name, ""), data.null_values_of.get(name, ()))


def _check_target(frame: pl.DataFrame, target: Target, path: str | Path) -> None:
    if target.name not in frame.columns:
        raise DataError(f"{path} has no column {target.name!r}: the truth to compare the answers with")


def _truth(column: pl.Series, target: Target, spelling: Spelling, before: int) -> NDArray[np.float64]:
    """Places of classes, or numbers, ``(rows,)``; NaN where it is missing.

    Raises:
        DataError: If a value is none.
    """
    if not target.classes:
        return number_values(column, before, spelling)
    places = {text: place for place, text in enumerate(target.classes)}
    plain = {plainly(text): place for text, place in places.items()}
    by_value = plain if "" not in plain and len(plain) == len(places) else {}
    found = np.full(len(column), np.nan)
    for row, text in enumerate(text_values(column, spelling)):
        if text is not None:
            found[row] = places.get(text, places.get(text.strip(), by_value.get(plainly(text), -1)))
    unknown = np.flatnonzero(found == -1)
    if len(unknown):
        raise DataError(_no_class(column, target, int(unknown[0]), before))
    return found


def _no_class(column: pl.Series, target: Target, row: int, before: int) -> str:
    more = ", …" if len(target.classes) > MOST_NAMED else ""
    classes = ", ".join(map(repr, target.classes[:MOST_NAMED])) + more
    return (
        f"the target {target.name!r} is {column[row]!r} in row {before + row + 1}, and the model's classes are "
        f"{classes}. It can never answer so: leave such rows out of the file, or train with them."
    )
