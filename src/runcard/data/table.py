"""A CSV or Parquet file as rows: kinds guessed from the values, overridable by column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from runcard.card.sections.data import Ragged
from runcard.card.spelling import suggest
from runcard.data.reading.frames import column_names, read_frame
from runcard.data.reading.layout import Reading, is_remote
from runcard.data.signature import Array, Kind, Rows, TaskName, TaskOrAuto
from runcard.data.truth import checked_classes, checked_numbers
from runcard.data.values import is_plain, number_values, text_values, values_of, without
from runcard.errors import CardError, DataError, Mistake
from runcard.files import sha256

# Nobody guesses text: what reads it takes a network of its own and hours.
KindOrIgnore = Literal["number", "boolean", "category", "text", "ignore"]
# A whole-number target with at most so many values names classes; with more it is a quantity.
MAX_INTEGER_CLASSES = 20
# More texts than this, and most of them used once, are names or free text, which no column of zeros can teach.
MAX_TEXTS = 100
# A column of these names that goes up by one from row to row says where a row stood, not what it is.
ROW_NUMBER_NAMES = {"", "id", "index", "row", "nr", "no", "number", "unnamed: 0"}


class Table:
    """A file of rows with named columns.

    Args:
        path: A ``.csv``, ``.tsv``, ``.txt`` or ``.parquet`` file.
        kinds: Column → kind, for those not to be guessed.
        separator: Between the fields of a CSV, one character.
        null_values: Texts of a CSV that mean missing.
        encoding: Of a CSV that is not UTF-8, as Python names it; ``auto``: such a file is refused.
        ragged: What becomes of a line of a CSV that lacks its last fields: ``refuse``, or ``fill``: they are missing.
    """

    def __init__(
        self,
        path: str,
        kinds: Mapping[str, KindOrIgnore],
        separator: str,
        null_values: Sequence[str],
        encoding: str = "auto",
        ragged: Ragged = "refuse",
    ) -> None:
        self.path = path
        self.kinds = dict(kinds)
        self.reading = Reading(separator, tuple(null_values), encoding, ragged)

    def check_columns(self, target: str) -> None:
        """Compare what the card names with the file's header.

        Raises:
            CardError: If the target or a column of ``kinds`` is not there; it holds every mistake.
            DataError: If the file is missing, empty or unreadable.
        """
        compare_columns(column_names(self.path, self.reading), target, self.kinds, self.path)

    def read(self, target: str, task: TaskOrAuto) -> Rows:
        """All rows.

        Args:
            target: The column to predict.
            task: What to predict; ``auto``: whole numbers of at most 20 values, texts and booleans are classes.

        Raises:
            CardError: If the card names a column that is not there.
            DataError: If the file or a value in it cannot be used.
        """
        self.check_columns(target)
        frame = self._frame()
        if frame.height == 0:
            raise DataError(f"{self.path} has a header and no rows")
        taken_for, notes = chosen_kinds(without(frame, target), self.kinds)
        kinds = features_of(taken_for)
        if not kinds:
            raise DataError(
                f"{self.path} has no column to learn from besides {target!r}" + "".join(f"; {n}" for n in notes)
            )
        columns = {name: values_of(frame[name], kind) for name, kind in kinds.items()}
        truth, settled, classes = truth_of(frame[target], task)
        fingerprint = self._fingerprint()
        return Rows(columns, kinds, truth, target, settled, classes, fingerprint, tuple(notes), taken_for=taken_for)

    def _frame(self) -> pl.DataFrame:
        texts = [name for name, kind in self.kinds.items() if kind in ("category", "text")]
        return read_frame(self.path, self.reading, texts=texts)

    def _fingerprint(self) -> str:
        if is_remote(self.path):
            return sha256([self._frame().write_ipc(None).getvalue()])
        with Path(self.path).open("rb") as file:
            return sha256(iter(lambda: file.read(1 << 20), b""))


def compare_columns(names: Sequence[str], target: str, kinds: Collection[str], what: str) -> None:
    """Compare what a card names with the columns that there are.

    Args:
        names: The columns that there are.
        target: The column to predict.
        kinds: The columns whose kind is given.
        what: Where the columns are, for people.

    Raises:
        CardError: If one is not there; it holds every mistake.
    """
    other = _other_separator(names)
    if other and target not in names:
        message = f"{what} has one column only, {names[0]!r}"
        hint = f"Is the separator {other!r}? Say data.separator={other!r}."
        raise CardError([Mistake("data.separator", message, hint=hint)])
    if names and names[0].startswith("#") and target not in names:
        hint = "If its first line is a comment, remove it."
        raise CardError([Mistake("data.path", f"the header of {what} begins with {names[0]!r}", hint=hint)])
    wrong = [("problem.target", target), *((f"data.kinds.{name}", name) for name in kinds)]
    mistakes = [Mistake(f"data.kinds.{target}", "this is the target, which is no feature")] * (target in kinds)
    mistakes += [
        Mistake(key, f"{what} has no column {name!r}", hint=suggest(name, names))
        for key, name in wrong
        if name not in names
    ]
    if mistakes:
        raise CardError(mistakes)


def chosen_kinds(frame: pl.DataFrame, given: Mapping[str, KindOrIgnore]) -> tuple[dict[str, KindOrIgnore], list[str]]:
    """What each column is taken for, by what was given or else by its values; and what a user should know of it."""
    taken_for: dict[str, KindOrIgnore] = {}
    notes = []
    for column in frame:
        said = given.get(column.name)
        kind, why = (said, "") if said else guess_kind(column)
        taken_for[column.name] = kind
        if kind != "ignore":
            notes += [why] if why else []
        elif not said:
            notes.append(f"column {column.name!r} is left out: {why}; name its kind in data.kinds to keep it")
    return taken_for, notes


def features_of(taken_for: Mapping[str, KindOrIgnore]) -> dict[str, Kind]:
    """The columns that are features, with their kinds."""
    return {name: kind for name, kind in taken_for.items() if kind != "ignore"}


def guess_kind(column: pl.Series) -> tuple[KindOrIgnore, str]:
    """The kind that a column's values suggest.

    Returns:
        The kind, and the reason where it is ``ignore``, or a doubt worth a note.
    """
    kind = column.dtype
    known = column.drop_nulls()
    if not len(known):
        return "ignore", "it is empty"
    if kind == pl.Boolean:
        return "boolean", ""
    if kind.is_numeric():
        return _guess_number(known)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        texts = known.cast(pl.String)
        if _is_boolean(texts):
            return "boolean", ""
        distinct = texts.n_unique()
        if distinct > MAX_TEXTS and distinct > len(texts) / 2:
            return "ignore", f"{distinct} different texts in {len(texts)} rows look like names or free text"
        return ("category", _almost_numbers(texts)) if distinct > 1 else ("ignore", "it is the same in every row")
    return "ignore", f"values of type {kind} are neither numbers, categories nor booleans"


def _almost_numbers(texts: pl.Series) -> str:
    odd = texts.filter(texts.cast(pl.Float64, strict=False).is_null())
    if len(odd) > len(texts) / 2:
        return ""
    if not len(odd):
        return f"column {texts.name!r} is taken for a category: it holds numbers with leading zeros, as codes do"
    return f"column {texts.name!r} is taken for a category: most of it are numbers, but not {odd[0]!r}"


def _other_separator(names: Sequence[str]) -> str:
    return next((mark for mark in (";", "\t", "|", ",") if len(names) == 1 and mark in names[0]), "")


def _guess_number(known: pl.Series) -> tuple[KindOrIgnore, str]:
    if known.n_unique() == 1:
        return "ignore", "it is the same in every row"
    named_so = known.name.lower() in ROW_NUMBER_NAMES
    counts_rows = known.dtype.is_integer() and bool((known.diff().drop_nulls() == 1).all())
    return ("ignore", "it only counts the rows") if named_so and counts_rows else ("number", "")


def _is_boolean(texts: pl.Series) -> bool:
    values = set(texts.str.to_lowercase().unique())
    return values in ({"true", "false"}, {"yes", "no"})


def truth_of(column: pl.Series, task: TaskOrAuto) -> tuple[Array, TaskName, tuple[str, ...]]:
    """The target's values, the task that they are for, and the classes.

    Raises:
        DataError: If a value is missing, or cannot be one.
    """
    column = column.fill_nan(None) if column.dtype.is_float() else column
    gaps = np.flatnonzero(column.is_null().to_numpy())
    if len(gaps):
        where = ", ".join(str(row + 1) for row in gaps[:5]) + (", …" if len(gaps) > 5 else "")
        raise DataError(
            f"the target {column.name!r} is missing in {len(gaps)} of {len(column)} rows (row {where}). "
            "A row without the truth teaches nothing: fill it in or remove it."
        )
    if not is_plain(column):
        raise DataError(f"the target {column.name!r} holds values of type {column.dtype}: neither classes nor numbers")
    settled = settle_task(column) if task == "auto" else task
    if settled == "regression":
        if not column.dtype.is_numeric():
            raise DataError(
                f"the target {column.name!r} holds texts, and problem.task is regression: choose classification"
            )
        return checked_numbers(column.name, number_values(column)), settled, ()
    truth = text_values(column)
    return truth, settled, checked_classes(column.name, set(truth), len(truth))


def settle_task(column: pl.Series) -> TaskName:
    """What a target without gaps is good for: texts, booleans and few whole numbers are classes."""
    if not column.dtype.is_numeric():
        return "classification"
    # 0.0 and 1.0 are classes as 0 and 1 are: a file that once had gaps writes whole numbers so.
    whole = column.dtype.is_integer() or bool((column == column.round()).all())
    return "classification" if whole and column.n_unique() <= MAX_INTEGER_CLASSES else "regression"
