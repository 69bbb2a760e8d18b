"""A first look at a file of rows that nobody has described: what each column seems to be, and why."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from runcard.advice import advise
from runcard.card.advice import write_override, write_setting
from runcard.card.sections.data import Ragged
from runcard.card.sections.formats import Spelling
from runcard.card.spelling import nearest
from runcard.data.leaks import give_away
from runcard.data.looking.cautions import cautions
from runcard.data.looking.features import Chosen, Given, look_over
from runcard.data.looking.lacking import ALL_NEEDED, Lacking
from runcard.data.looking.look import Look
from runcard.data.looking.target import TargetValues, truth_of
from runcard.data.reading.frames import CSV, column_names
from runcard.data.reading.layout import PLAIN, SEPARATOR_LINE, Reading, Source, first_lines, is_remote
from runcard.data.signature import Array
from runcard.data.table import read_written, spellings_of
from runcard.data.values import without
from runcard.errors import CardError, DataError

SEPARATORS = (",", ";", "\t", "|")
# A guess looks at so many lines; a header and a few rows tell.
SNIFFED_LINES = 20
# A class of one or two rows teaches nothing that can be tested.
KEPT = Lacking("drop", "drop", 3)
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
        lacking: What becomes of rows without a truth, and of rare classes.
        dropped: Why rows are left out → how many.
        spellings: Each column, the target too, that writes its values not plainly → how.
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
    lacking: Lacking = ALL_NEEDED
    dropped: Mapping[str, int] = field(default_factory=dict)
    spellings: Mapping[str, Spelling] = field(default_factory=dict)


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
    reading = replace(reading, separator=guess_separator(path, reading))
    _check_target(path, column_names(path, reading), target)
    assert target is not None
    frame = read_written(path, reading)
    if not frame.height:
        raise DataError(f"{path} has a header and no rows")
    given = Given(null_values=tuple(reading.null_values) if Path(path).suffix.lower() in CSV else ())
    chosen = look_over(without(frame, target), given)
    looks = {name: _told(look) for name, look in chosen.looks.items()}
    _check_columns(path, looks, target, reading)
    found = truth_of(frame[target], "auto", given, KEPT, chosen)
    notes = [note for look in chosen.looks.values() for note in look.notes if look.kind != "ignore"]
    return Survey(
        path,
        frame.height,
        reading.separator,
        tuple(reading.null_values),
        give_away(_known(chosen, found, target), looks, target, found.task),
        Truth(target, found.task, dict(Counter(found.values.tolist()).most_common()) if found.classes else {}),
        (*notes, *found.notes, *cautions(chosen)),
        encoding,
        ragged,
        _lacking(found.dropped),
        found.dropped,
        spellings_of(chosen, target, found),
    )


def _told(look: Look) -> Look:
    """A look for a file: what is in doubt is left out there, with what settles it."""
    remark = f"{look.refusal} Its kind is then no longer ignore."
    return replace(look, remark=remark, doubt=True) if look.refusal else look


def _lacking(dropped: Mapping[str, int]) -> Lacking:
    """Only what is there to be left out is said to be."""
    return replace(
        KEPT if "rare_classes" in dropped else ALL_NEEDED, missing="drop" if "missing_target" in dropped else "refuse"
    )


def _known(chosen: Chosen, found: TargetValues, target: str) -> pl.DataFrame:
    """The columns to learn from and the target, of the rows that are kept."""
    columns = {}
    for name, look in chosen.looks.items():
        if look.kind != "ignore":
            columns[name] = _series(chosen.values(name)[found.kept])
    return pl.DataFrame({**columns, target: _series(found.values)})


def _series(values: Array) -> pl.Series:
    return pl.Series(values.tolist()) if values.dtype == object else pl.Series(values, nan_to_null=True)


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
        raise CardError(
            f"{advise('--target', 'COLUMN')} must be given with a file of rows: what to predict. {path} has: {listed}."
        )
    if target not in names:
        near = nearest(target, names)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise CardError(f"--target: {path} has no column {target!r}. {hint}There are: {listed}.")


def _check_columns(path: str, looks: dict[str, Look], target: str, reading: Reading) -> None:
    if any(look.kind != "ignore" for look in looks.values()):
        return
    if not looks:
        raise DataError(f"{path} has no column to learn from besides {target!r}")
    seen = "".join(f"\n  {name!r}: {look.remark}" for name, look in looks.items())
    words = [write_override("data.path", path), write_override("problem.target", target)]
    words += [
        f"data.{key}={value}"
        for key in ("encoding", "ragged")
        if (value := getattr(reading, key)) != getattr(PLAIN, key)
    ]
    words.append(write_setting("data.kinds", next(iter(looks)), "category"))
    hint = f"If one of them does tell something, say so: {advise('runcard', 'fit', 'data=table', *words)}"
    raise DataError(f"{path} has no column to learn from besides {target!r}:{seen}\n{hint}")
