"""The column to predict: which task it is for, its labels or numbers, and the rows that lack or hardly have it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.advice import advise
from runcard.data.looking.columns import look_at, notes_of_texts
from runcard.data.looking.features import Chosen, Given
from runcard.data.looking.lacking import ALL_NEEDED, Lacking, without_rare
from runcard.data.looking.look import LISTED, Look, listed, rows_said
from runcard.data.looking.numbers import are_exact, are_whole, has_leading_zeros
from runcard.data.looking.seen import Seen, see
from runcard.data.signature import Array, TaskName, TaskOrAuto
from runcard.data.truth import checked_classes, checked_numbers
from runcard.data.values import NumberError, is_plain, number_values, numbers_of, text_values, wrong_numbers
from runcard.errors import DataError

# A whole-number target with at most so many values names classes; with more it is a quantity.
MAX_INTEGER_CLASSES = 20


NOTHING_GIVEN = Given()


@dataclass(frozen=True)
class TargetValues:
    """What is to be predicted.

    Attributes:
        values: Of the rows that are kept: texts (object) for classes, float64 for numbers.
        task: What they are good for.
        classes: In their fixed order; empty for regression.
        kept: Which rows are kept, ``(rows,)``.
        look: What the column is, and how it is written.
        dropped: Why rows were left out → how many.
        notes: What a user should know.
    """

    values: Array
    task: TaskName
    classes: tuple[str, ...]
    kept: NDArray[np.bool_]
    look: Look
    dropped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def truth_of(
    column: pl.Series,
    task: TaskOrAuto,
    given: Given = NOTHING_GIVEN,
    lacking: Lacking = ALL_NEEDED,
    others: Chosen | None = None,
) -> TargetValues:
    """The target's values, the task that they are for, and the classes.

    Args:
        column: The target, of a CSV as it is written.
        task: What to predict; ``auto``: whole numbers of at most 20 values, texts and booleans are classes.
        given: What is given of the columns.
        lacking: What becomes of rows without a truth.
        others: The table's other columns; they may tell how it writes numbers.

    Raises:
        DataError: If a value is missing and may not be, or cannot be one.
    """
    look, seen = look_at_target(column, task, given, others)
    if look.refusal:
        raise DataError(look.refusal)
    column = seen.column
    settled = _settled(column, look) if task == "auto" else task
    known = ~column.is_null().to_numpy()
    _check_gaps(column.name, known, seen.nulled, look, lacking)
    notes, dropped = list(look.notes), {"missing_target": int((~known).sum())}
    if dropped["missing_target"]:
        count = rows_said(dropped["missing_target"])
        notes.append(f"left out: {count} without the target {column.name!r} (data.missing_target)")
    if settled == "regression":
        values = _numbers(column, known, look)
        return TargetValues(values, settled, (), known, look, _counted(dropped), tuple(notes))
    labels = labels_of(column, look)
    notes += notes_of_texts(seen, [label for label in dict.fromkeys(labels) if label is not None], "classes")
    labels, kept, said = without_rare(column.name, labels, known, lacking)
    dropped["rare_classes"] = int((known & ~kept).sum())
    classes = checked_classes(column.name, set(labels[kept]), int(kept.sum()))
    return TargetValues(labels[kept], settled, classes, kept, look, _counted(dropped), (*notes, *said))


def look_at_target(
    column: pl.Series, task: TaskOrAuto, given: Given, others: Chosen | None = None
) -> tuple[Look, Seen]:
    """What the target is, and its values; what means missing in it is missing.

    Args:
        column: The target.
        task: What to predict.
        given: What is given of the columns.
        others: As of ``truth_of``.

    Raises:
        DataError: If it holds what is neither classes nor numbers.
    """
    habits = others.habits if others else given.habits
    spelled = given.spelling(column.name)
    seen = see(column, habits, spelled, target=True)
    column = seen.column
    if not is_plain(column):
        raise DataError(f"the target {column.name!r} holds values of type {column.dtype}: neither classes nor numbers")
    if column.dtype == pl.Boolean and task == "regression":
        message = f"the target {column.name!r} holds true and false, and problem.task is regression: "
        return Look("boolean", refusal=f"{message}choose {advise('problem.task=classification')}"), seen
    if task == "classification" or column.null_count() == len(column):
        return Look("category"), seen
    look = look_at(seen, habits, spelled)
    if others and look.depends_on_decimal:
        habits = others.settle()
        look = look_at(seen, habits, spelled)
    number = look.kind == "number"
    look = replace(
        look,
        format=look.format or spelled.format if number else "",
        null_values=(*spelled.null_values, *look.null_values),
        notes=look.notes if number else (),  # labels have notes of their own
    )
    if look.kind == "ignore" and not look.refusal and look.is_temporal and task == "auto":
        classes = column.n_unique() <= len(column) / 2
        way = f" {advise('problem.task=classification')} takes each for a class." if classes else ""
        return Look("ignore", refusal=f"the target {column.name!r} holds {look.remark}.{way}"), seen
    if look.kind == "number" and look.null_values:
        again = see(column, habits, look.spelling, target=True)
        seen = replace(again, nulled={**seen.nulled, **again.nulled})
    return look, seen


def labels_of(column: pl.Series, look: Look) -> Array:
    """The classes as they are written, ``(rows,)``; None where one is missing.

    Where each of them is a whole number with a fraction of zeros, as 1.0 is, the fraction is left out: a program that
    knows gaps among numbers only writes 1 so.
    """
    if column.dtype != pl.String:
        return text_values(column)
    point = look.spelling.decimal
    fraction = rf"^[-+]?\d+{re.escape(point)}0+$"
    known = column.drop_nulls()
    if len(known) and known.str.contains(fraction).all():
        column = column.str.replace(rf"{re.escape(point)}0+$", "")
    return text_values(column)


def _settled(column: pl.Series, look: Look) -> TaskName:
    """What a target is good for: texts, booleans and few whole numbers are classes."""
    numbers = _as_numbers(column, look)
    if numbers is None:
        return "classification"
    few = len(np.unique(numbers)) <= MAX_INTEGER_CLASSES
    return "classification" if few and are_whole(pl.Series(numbers)) else "regression"


def _as_numbers(column: pl.Series, look: Look) -> NDArray[np.float64] | None:
    """The numbers that are known; None: they are texts or truth values."""
    known = column.drop_nulls()
    if column.dtype == pl.Boolean or look.kind in ("category", "boolean"):
        return None
    numbers = numbers_of(known, look.spelling)
    if column.dtype == pl.String and (has_leading_zeros(known) or not are_exact(known, numbers.drop_nulls())):
        return None
    return None if wrong_numbers(known, numbers, look.spelling).any() else numbers.drop_nulls().to_numpy()


def _numbers(column: pl.Series, known: NDArray[np.bool_], look: Look) -> NDArray[np.float64]:
    name = column.name
    try:
        values = number_values(column, 0, look.spelling)[known]
    except NumberError as error:
        raise DataError(_not_numbers(column, error)) from None
    if np.isnan(values).any():
        raise DataError(
            f"the target {name!r} is no number in row {int(np.flatnonzero(known)[np.isnan(values)][0]) + 1}"
        )
    return checked_numbers(name, values)


def _not_numbers(column: pl.Series, error: NumberError) -> str:
    """Why a target is not one of numbers, and what would go."""
    reason = f"the target {column.name!r} {error.reason}"
    if error.is_large:
        return f"{reason}. Leave the row out; or leave the value empty and say {advise('data.missing_target=drop')}."
    distinct = column.drop_nulls().n_unique()
    classes = f" Choose {advise('problem.task=classification')}." if distinct <= len(column) / 2 else ""
    return f"problem.task is regression, and {reason}.{classes}"


def _check_gaps(name: str, known: NDArray[np.bool_], nulled: dict[str, int], look: Look, lacking: Lacking) -> None:
    gaps = np.flatnonzero(~known)
    if not len(gaps):
        return
    if len(gaps) == len(known):
        raise DataError(f"the target {name!r} is missing in every row: there is nothing to learn")
    if lacking.missing == "drop":
        return
    where = ", ".join(str(row + 1) for row in gaps[:LISTED]) + (", …" if len(gaps) > LISTED else "")
    texts = [*nulled, *look.null_values]
    read = f" {listed(texts)} is read as missing there (data.null_values)." if texts else ""
    raise DataError(
        f"the target {name!r} is missing in {len(gaps)} of {len(known)} rows (row {where}).{read} "
        "A row without the truth teaches nothing: fill it in, or leave such rows out with "
        f"{advise('data.missing_target=drop')}."
    )


def _counted(dropped: dict[str, int]) -> dict[str, int]:
    return {why: count for why, count in dropped.items() if count}
