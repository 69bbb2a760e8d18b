"""Columns that a user's class gives, as rows: tables guessed as files are, arrays by their dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from runcard.data.arrays import KINDS, LARGEST
from runcard.data.looking.cautions import cautions
from runcard.data.looking.features import Given, choose
from runcard.data.looking.look import KindOrIgnore
from runcard.data.looking.target import truth_of
from runcard.data.signature import FORMS, Array, Kind, Rows, TaskOrAuto
from runcard.data.table import compare_columns, features_of, spellings_of
from runcard.data.values import without
from runcard.errors import DataError
from runcard.files import sha256


def rows_of(found: Any, target: str, task: TaskOrAuto, kinds: Mapping[str, KindOrIgnore], name: str) -> Rows:
    """Columns by name as rows.

    Args:
        found: A polars table, or a mapping of arrays and lists ``(rows, ...)``.
        target: The column to predict.
        task: What to predict.
        kinds: Column → kind, for those not to be guessed.
        name: Who gave them, for people.

    Raises:
        CardError: If the target or a column of ``kinds`` is not there.
        DataError: If they cannot be used.
    """
    frame, arrays = _divided(found, name)
    compare_columns([*frame.columns, *arrays], target, kinds, name)
    if target in arrays:
        raise DataError(f"{name}: the target {target!r} has the shape {arrays[target].shape}, and (rows,) is expected")
    forms: dict[str, Kind] = {column: _form(values, column, name) for column, values in arrays.items()}
    given = Given(kinds)
    looked = choose(without(frame, target), given)
    chosen, notes = features_of(looked.kinds), [*looked.notes(), *cautions(looked)]
    alone = [column for column, kind in forms.items() if kind != "vector"]
    if not chosen and not forms:
        raise DataError(
            f"{name} has no column to learn from besides {target!r}" + "".join(f"; {note}" for note in notes)
        )
    if alone and len(chosen) + len(forms) > 1:
        others = ", ".join(column for column in [*chosen, *forms] if column != alone[0])
        raise DataError(f"{name}: {alone[0]!r} is an {forms[alone[0]]}, which is read alone, and there is {others}")
    truth = truth_of(frame[target], task, given, others=looked)
    columns = {column: looked.values(column) for column in chosen} | arrays
    return Rows(
        columns,
        chosen | forms,
        truth.values,
        target,
        truth.task,
        truth.classes,
        _fingerprint(frame, arrays),
        (*notes, *truth.notes),
        taken_for=looked.kinds,
        spellings=spellings_of(looked, target, truth),
    )


def _divided(found: Any, name: str) -> tuple[pl.DataFrame, dict[str, Array]]:
    """Columns of single values, and arrays of more."""
    if isinstance(found, pl.DataFrame):
        return found, {}
    if not isinstance(found, Mapping):
        kind = f"{type(found).__module__}.{type(found).__qualname__}"
        raise DataError(f"{name}.read gave a {kind}; a polars.DataFrame or a mapping of arrays is expected")
    columns = {str(column): values for column, values in found.items()}
    arrays = {column: values for column, values in columns.items() if getattr(values, "ndim", 1) > 1}
    try:
        frame = pl.DataFrame({column: _plain(values) for column, values in columns.items() if column not in arrays})
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(f"{name}.read gave columns that do not fit together: {str(error).splitlines()[0]}") from error
    counts = {column: len(values) for column, values in arrays.items() if len(values) != frame.height}
    if counts:
        raise DataError(f"{name}.read gave {frame.height} rows, and of {next(iter(counts.items()))}")
    if not frame.height:
        raise DataError(f"{name}.read gave no rows")
    return frame, arrays


def _plain(values: Any) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "OUS" else values


def _form(values: Array, column: str, name: str) -> Kind:
    """What a row of an array is, by its dimensions.

    Raises:
        DataError: If it is nothing that can be learned from.
    """
    if values.ndim not in KINDS or values.dtype.kind not in "fiub" or 0 in values.shape:
        shapes = "(rows, width), (rows, steps, channels) or (rows, channels, height, width)"
        raise DataError(f"{name}: {column!r} is {values.dtype} {values.shape}; numbers {shapes} are expected")
    kind = KINDS[values.ndim]
    numbers = values.astype(FORMS[kind], copy=False)
    wrong = ~(np.abs(numbers) <= LARGEST)
    if kind != "image":
        wrong &= ~np.isnan(numbers)
    if wrong.any():
        row = int(np.argmax(wrong.reshape(len(values), -1).any(axis=1)))
        raise DataError(f"{name}: {column!r} holds {numbers[row][wrong[row]][0]:g} in row {row}, counted from 0")
    return kind


def _fingerprint(frame: pl.DataFrame, arrays: Mapping[str, Array]) -> str:
    parts = [frame.write_ipc(None).getvalue()]
    for column, values in arrays.items():
        parts += [f"{column} {values.dtype} {values.shape}".encode(), np.ascontiguousarray(values).tobytes()]
    return sha256(parts)
