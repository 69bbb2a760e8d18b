"""Rows without a truth, and classes that hardly any row has: refused, left out, or merged, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runcard.advice import advise
from runcard.card.sections.data import MissingTarget, RareClasses
from runcard.data.looking.look import listed, rows_said
from runcard.data.signature import Array
from runcard.data.truth import checked_classes
from runcard.errors import DataError

# What rare classes are merged into.
MERGED = "other"


@dataclass(frozen=True)
class Lacking:
    """What becomes of rows that lack the truth, or whose class hardly any row has.

    Attributes:
        missing: Rows without the truth are refused, or left out.
        rare: Classes of fewer rows are refused, their rows left out, or merged into one class.
        min_rows: Of a class, 2 or more.
    """

    missing: MissingTarget = "refuse"
    rare: RareClasses = "refuse"
    min_rows: int = 2


ALL_NEEDED = Lacking()


def without_rare(
    name: str, labels: Array, known: NDArray[np.bool_], lacking: Lacking
) -> tuple[Array, NDArray[np.bool_], list[str]]:
    """Leave out the rows of rare classes, or make one class of them.

    Args:
        name: Of the target.
        labels: Of all rows.
        known: Which of them have one, ``(rows,)``.
        lacking: What becomes of rare classes.

    Returns:
        The labels, which rows are kept, and what a user should know.

    Raises:
        DataError: If there are rare classes and may not be, or fewer than two others.
    """
    rare = _rare_classes(name, labels[known], lacking)
    if not rare:
        return labels, known, []
    if lacking.rare == "merge":
        labels = np.array([MERGED if label in rare else label for label in labels], dtype=object)
        _check_merged(name, labels, rare, lacking)
        return labels, known, [_said(rare, lacking, f"merged into {MERGED!r}")]
    kept = known & ~np.isin(labels, [*rare])
    _check_left(name, set(labels[kept]), rare, lacking)
    return labels, kept, [_said(rare, lacking, f"left out: {rows_said(int((known & ~kept).sum()))}")]


def _said(rare: Sequence[str], lacking: Lacking, what: str) -> str:
    return f"classes of fewer than {lacking.min_rows} rows, {what} (data.rare_classes): {listed(rare)}"


def _rare_classes(name: str, labels: Array, lacking: Lacking) -> list[str]:
    counts = Counter(labels.tolist())
    rare = sorted(label for label, count in counts.items() if count < lacking.min_rows)
    if rare:
        checked_classes(name, set(counts), len(labels))  # where hardly any class has two rows, these are no classes
    if not rare or lacking.rare != "refuse":
        return rare
    few = "a single row" if lacking.min_rows == 2 else f"fewer than {lacking.min_rows} rows"
    raise DataError(
        f"the target {name!r} has classes with {few}: {listed(rare)}. "
        f"Such a class cannot be both learned and tested: add rows{_ways(counts, rare, lacking)}."
    )


def _ways(counts: Mapping[str, int], rare: Sequence[str], lacking: Lacking) -> str:
    """What may be said of rare classes; not what would be refused then."""
    left, merged = len(counts) - len(rare), sum(counts[label] for label in rare)
    ways = []
    if left >= 2:
        ways.append(f"{advise('data.rare_classes=drop')}, which leaves its rows out")
    if left >= 1 and merged >= lacking.min_rows:
        ways.append(f"{advise('data.rare_classes=merge')}, which makes one class of all such")
    return f", or say {', or '.join(ways)}" if ways else ""


def _check_left(name: str, classes: Collection[str], rare: Collection[str], lacking: Lacking) -> None:
    if rare and len(classes) < 2:
        raise DataError(
            f"the target {name!r} has {'one class' if classes else 'no class'} of {lacking.min_rows} rows or more, and "
            "two are needed: add rows."
        )


def _check_merged(name: str, labels: Array, rare: Collection[str], lacking: Lacking) -> None:
    count = int((labels == MERGED).sum())
    if rare and count < lacking.min_rows:
        way = f" Say {advise('data.rare_classes=drop')}." if len({*labels}) > 2 else ""
        raise DataError(
            f"the target {name!r} has the rare class {listed([*rare])}, and merged with no other it stays rare: "
            f"{rows_said(count)}, and {lacking.min_rows} are needed.{way}"
        )
