"""A CSV or Parquet file as rows: kinds guessed from the values, overridable by column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from runcard.advice import advise
from runcard.card.advice import suggest_column, write_override, write_setting
from runcard.card.sections.data import Decimal, MissingTarget, Ragged, RareClasses
from runcard.card.sections.formats import Spelling
from runcard.card.spelling import suggest
from runcard.data.looking.cautions import cautions
from runcard.data.looking.features import Chosen, Given, choose
from runcard.data.looking.lacking import Lacking
from runcard.data.looking.look import KindOrIgnore
from runcard.data.looking.target import TargetValues, truth_of
from runcard.data.reading.frames import CSV, column_names, read_frame
from runcard.data.reading.layout import Reading, is_remote
from runcard.data.signature import Kind, Rows, TaskOrAuto
from runcard.data.values import without
from runcard.errors import CardError, DataError, Mistake
from runcard.files import sha256


class Table:
    """A file of rows with named columns.

    Args:
        path: A ``.csv``, ``.tsv``, ``.txt`` or ``.parquet`` file.
        kinds: Column → kind, for those not to be guessed.
        separator: Between the fields of a CSV, one character.
        null_values: Texts of a CSV that mean missing.
        encoding: Of a CSV that is not UTF-8, as Python names it; ``auto``: such a file is refused.
        ragged: What becomes of a line of a CSV that lacks its last fields: ``refuse``, or ``fill``: they are missing.
        decimal: Before the fraction of a number that is a text: ``.``, ``,``, or ``auto``: as the columns agree.
        formats: Column → the number 1234.5 as it writes it, for those not to be guessed.
        null_values_of: Column → further texts that mean missing in it.
        missing_target: What becomes of rows without a truth: ``refuse``, or ``drop``: they are left out.
        rare_classes: What becomes of classes of fewer rows than ``min_rows``: ``refuse``, ``drop``, or ``merge``.
        min_rows: Of a class, 2 or more.
    """

    def __init__(
        self,
        path: str,
        kinds: Mapping[str, KindOrIgnore],
        separator: str,
        null_values: Sequence[str],
        encoding: str = "auto",
        ragged: Ragged = "refuse",
        *,
        decimal: Decimal = "auto",
        formats: Mapping[str, str] | None = None,
        null_values_of: Mapping[str, Sequence[str]] | None = None,
        missing_target: MissingTarget = "refuse",
        rare_classes: RareClasses = "refuse",
        min_rows: int = 2,
    ) -> None:
        self.path = path
        self.kinds = dict(kinds)
        self.reading = Reading(separator, tuple(null_values), encoding, ragged)
        # A Parquet file says itself what is missing.
        nulls = tuple(null_values) if Path(path).suffix.lower() in CSV else ()
        self.given = Given(self.kinds, formats or {}, null_values_of or {}, nulls, decimal)
        self.lacking = Lacking(missing_target, rare_classes, min_rows)

    def check_columns(self, target: str) -> None:
        """Compare what the card names with the file's header.

        Raises:
            CardError: If the target, or a column that a key names, is not there; it holds every mistake.
            DataError: If the file is missing, empty or unreadable.
        """
        spelled = {"data.formats": self.given.formats, "data.null_values_of": self.given.null_values_of}
        compare_columns(column_names(self.path, self.reading), target, self.kinds, self.path, spelled)
        unread = {name: self.kinds[name] for name in self.given.formats if self.kinds.get(name, "number") != "number"}
        if unread:
            raise CardError([_unread(name, kind) for name, kind in unread.items()])

    def read(self, target: str, task: TaskOrAuto) -> Rows:
        """All rows with a truth.

        Args:
            target: The column to predict.
            task: What to predict; ``auto``: whole numbers of at most 20 values, texts and booleans are classes.

        Raises:
            CardError: If the card names a column that is not there.
            DataError: If the file or a value in it cannot be used.
        """
        self.check_columns(target)
        frame = read_written(self.path, self.reading)
        if frame.height == 0:
            raise DataError(f"{self.path} has a header and no rows")
        fingerprint = self._fingerprint()
        return rows_of_frame(frame, target, task, self.given, self.lacking, self.path, fingerprint)

    def _fingerprint(self) -> str:
        if is_remote(self.path):
            return sha256([read_frame(self.path, self.reading).write_ipc(None).getvalue()])
        with Path(self.path).open("rb") as file:
            return sha256(iter(lambda: file.read(1 << 20), b""))


def read_written(path: str | Path, reading: Reading) -> pl.DataFrame:
    """Read a file of rows, of a CSV each value as it is written: only an empty field may be missing already.

    Args:
        path: As for ``read_frame``.
        reading: How a CSV is to be read.

    Raises:
        DataError: As of ``read_frame``.
    """
    if Path(path).suffix.lower() not in CSV:
        return read_frame(path, reading)
    return read_frame(path, replace(reading, null_values=tuple({""} & {*reading.null_values})))


def rows_of_frame(
    frame: pl.DataFrame, target: str, task: TaskOrAuto, given: Given, lacking: Lacking, what: str, fingerprint: str
) -> Rows:
    """The rows of a table that have a truth.

    Args:
        frame: All rows, one at least.
        target: The column to predict.
        task: What to predict.
        given: What is given of its columns.
        lacking: What becomes of rows without a truth.
        what: Where the columns are, for people.
        fingerprint: SHA-256 of what was read.

    Raises:
        DataError: If a column or a value cannot be used.
    """
    chosen = choose(without(frame, target), given)
    kinds = features_of(chosen.kinds)
    notes = [*chosen.notes(), *cautions(chosen)]
    if not kinds:
        raise DataError(
            f"{what} has no column to learn from besides {target!r}" + "".join(f"; {note}" for note in notes)
        )
    truth = truth_of(frame[target], task, given, lacking, chosen)
    columns = {name: chosen.values(name) for name in kinds}
    if not truth.kept.all():
        columns = {name: values[truth.kept] for name, values in columns.items()}
    return Rows(
        columns,
        kinds,
        truth.values,
        target,
        truth.task,
        truth.classes,
        fingerprint,
        (*notes, *truth.notes),
        taken_for=chosen.kinds,
        spellings=spellings_of(chosen, target, truth),
        dropped=truth.dropped,
        places=None if truth.kept.all() else np.flatnonzero(truth.kept),
    )


def spellings_of(chosen: Chosen, target: str, truth: TargetValues) -> dict[str, Spelling]:
    """The columns that write something not plainly."""
    found = {**{name: look.spelling for name, look in chosen.looks.items()}, target: truth.look.spelling}
    return {name: spelling for name, spelling in found.items() if spelling != Spelling()}


def compare_columns(
    names: Sequence[str],
    target: str,
    kinds: Collection[str],
    what: str,
    spelled: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Compare what a card names with the columns that there are.

    Args:
        names: The columns that there are.
        target: The column to predict.
        kinds: The columns whose kind is given.
        what: Where the columns are, for people.
        spelled: Key of the card → columns that it names, the target among them or not.

    Raises:
        CardError: If one is not there; it holds every mistake.
    """
    other = _other_separator(names)
    if other and target not in names:
        message = f"{what} has one column only, {names[0]!r}"
        hint = f"Is the separator {other!r}? Say {advise(write_override('data.separator', other))}."
        raise CardError([Mistake("data.separator", message, hint=hint)])
    if names and names[0].startswith("#") and target not in names:
        hint = "If its first line is a comment, remove it."
        raise CardError([Mistake("data.path", f"the header of {what} begins with {names[0]!r}", hint=hint)])
    wrong = [("problem.target", target), *((f"data.kinds.{name}", name) for name in kinds)]
    wrong += [(f"{key}.{name}", name) for key, columns in (spelled or {}).items() for name in columns]
    mistakes = [Mistake(f"data.kinds.{target}", "this is the target, which is no feature")] * (target in kinds)
    mistakes += [
        Mistake(key, f"{what} has no column {name!r}", hint=_near(name, names, key))
        for key, name in wrong
        if name not in names
    ]
    if mistakes:
        raise CardError(mistakes)


def _unread(name: str, kind: str) -> Mistake:
    message = f"says how the column writes numbers, and data.kinds takes it for {kind}"
    return Mistake(f"data.formats.{name}", message, hint=f"Say {advise(write_setting('data.kinds', name, 'number'))}.")


def _near(name: str, names: Sequence[str], key: str) -> str:
    return suggest_column(name, names, key) if key == "problem.target" else suggest(name, names)


def features_of(taken_for: Mapping[str, KindOrIgnore]) -> dict[str, Kind]:
    """The columns that are features, with their kinds."""
    return {name: kind for name, kind in taken_for.items() if kind != "ignore"}


def _other_separator(names: Sequence[str]) -> str:
    return next((mark for mark in (";", "\t", "|", ",") if len(names) == 1 and mark in names[0]), "")
