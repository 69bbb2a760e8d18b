"""A first look at a file of rows that nobody has described: what each column seems to be, and why."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from runcard.card.sections.data import Ragged
from runcard.card.spelling import nearest
from runcard.data.leaks import give_away
from runcard.data.looks import Look, look_at
from runcard.data.reading.frames import CSV, column_names, read_frame
from runcard.data.reading.layout import NULL_VALUES, PLAIN, SEPARATOR_LINE, Reading, Source, first_lines, is_remote
from runcard.data.table import settle_task
from runcard.data.values import text_values, without
from runcard.errors import CardError, DataError

SEPARATORS = (",", ";", "\t", "|")
# A guess looks at so many lines; a header and a few rows tell.
SNIFFED_LINES = 20
# Texts that stand for a missing number, beyond those that are always read so.
MARKS = {"?", "-", "--", ".", "n/a", "#n/a", "#na", "none", "unknown", "missing", "nan", "<na>", "(null)", "k.a."}
# So many names of columns fit into a message.
LISTED = 40


@dataclass(frozen=True)
class Truth:
    """What is known of the target.

    Attributes:
        name: Its column.
        task: ``classification`` or ``regression``.
        counts: Class → rows, most frequent first; empty for regression.
    """

    name: str
    task: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Survey:
    """What a file of rows seems to hold.

    Attributes:
        path: The file, absolute.
        rows: How many.
        separator: Between the fields of a CSV.
        null_values: Texts of a CSV that mean missing.
        looks: Column → what it seems to be, without the target.
        truth: The target.
        notes: What its owner should know of the file as a whole.
        encoding: As it was given.
        ragged: As it was given.
    """

    path: str
    rows: int
    separator: str
    null_values: tuple[str, ...]
    looks: dict[str, Look]
    truth: Truth
    notes: tuple[str, ...] = ()
    encoding: str = "auto"
    ragged: Ragged = "refuse"


def survey(path: str, target: str | None, *, encoding: str = "auto", ragged: Ragged = "refuse") -> Survey:
    """Look at all rows of a file.

    Args:
        path: As ``Table`` reads it.
        target: The column to predict.
        encoding: As ``Table`` has it.
        ragged: As ``Table`` has it.

    Raises:
        CardError: If no target is named, or one that is not there; it lists the columns.
        DataError: If the file cannot be read, or has no column to learn from.
    """
    path = path if is_remote(path) else os.path.abspath(Path(path).expanduser())
    reading = Reading(encoding=encoding, ragged=ragged, advice="init")
    separator = guess_separator(path, reading)
    reading = replace(reading, separator=separator)
    _check_target(path, column_names(path, reading), target)
    assert target is not None
    frame = read_frame(path, reading)
    if not frame.height:
        raise DataError(f"{path} has a header and no rows")
    marks = _marks(frame, target)
    nulls = (*NULL_VALUES, *marks)
    if marks:
        frame = read_frame(path, replace(reading, null_values=nulls))
    said = f"{', '.join(map(repr, marks))} among numbers is read as missing; data.null_values says so"
    truth = _truth(frame[target])
    looks = {column.name: look_at(column) for column in without(frame, target)}
    _check_columns(path, looks, target)
    looks = give_away(frame, looks, target, truth.task)
    notes = (said,) if marks else ()
    return Survey(path, frame.height, separator, nulls, looks, truth, notes, encoding, ragged)


def guess_separator(path: str, reading: Reading = PLAIN) -> str:
    """The character that divides the first lines of a CSV into the same number of fields, and the most."""
    kind = Path(path).suffix.lower()
    if kind == ".tsv":
        return "\t"
    if kind not in CSV or not Path(path).is_file():
        return ","
    lines = first_lines(Source(Path(path), path), reading, SNIFFED_LINES)
    named = SEPARATOR_LINE.match(lines[0]) if lines else None
    return named[1] if named else max(SEPARATORS, key=lambda mark: _fields(lines, mark))


def _fields(lines: Sequence[str], mark: str) -> tuple[bool, int]:
    counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
    # The last line may be cut off within quotes.
    steady = len(set(counts[:-1])) <= 1
    return steady and counts[:1] > [1], counts[0] if counts else 0


def _check_target(path: str, names: Sequence[str], target: str | None) -> None:
    listed = ", ".join(map(repr, names[:LISTED])) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    if target is None:
        raise CardError(f"--target must be given with --data: the column to predict. {path} has: {listed}.")
    if target not in names:
        near = nearest(target, names)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise CardError(f"--target: {path} has no column {target!r}. {hint}There are: {listed}.")


def _check_columns(path: str, looks: dict[str, Look], target: str) -> None:
    if any(look.kind != "ignore" for look in looks.values()):
        return
    if not looks:
        raise DataError(f"{path} has no column to learn from besides {target!r}")
    seen = "".join(f"\n  {name!r}: {look.remark}" for name, look in looks.items())
    kinds = f"{json.dumps(next(iter(looks)), ensure_ascii=False)}: category"
    hint = f"If one of them does tell something, say so: runcard fit data=table ... 'data.kinds={{{kinds}}}'"
    raise DataError(f"{path} has no column to learn from besides {target!r}:{seen}\n{hint}")


def _marks(frame: pl.DataFrame, target: str) -> tuple[str, ...]:
    """Texts that stand among numbers and mean that there is none; not what is a class of the target."""
    found: set[str] = set()
    for column in without(frame, target).select(pl.col(pl.String)):
        known = column.drop_nulls()
        odd = set(known.filter(known.cast(pl.Float64, strict=False).is_null()).unique().head(len(MARKS) + 1))
        if odd and all(text.strip().lower() in MARKS for text in odd) and known.n_unique() > len(odd) + 1:
            found |= odd
    return tuple(sorted(found - set(NULL_VALUES) - set(frame[target].cast(pl.String).unique())))


def _truth(column: pl.Series) -> Truth:
    task = settle_task(column)
    if task == "regression":
        return Truth(column.name, task, {})
    names = Counter(name for name in text_values(column) if name is not None)
    return Truth(column.name, task, dict(names.most_common()))
