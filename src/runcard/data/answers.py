"""Answers as a table, and what is unusual about the rows that were answered."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.data.fields import MISSING, NEVER_MISSING, oddities
from runcard.data.signature import Columns, Signature, Target

# Rows beyond the training range are said where chance would put so many there less often than once in a thousand.
LEAST_CHANCE = 1e-3


def answers_frame(target: Target, answers: NDArray[np.float64]) -> pl.DataFrame:
    """Answers under the names that files of answers use.

    Args:
        target: What is predicted.
        answers: Probabilities ``(rows, classes)``, or numbers ``(rows,)``.

    Returns:
        One line a row: ``prediction``, and for classes a ``probability_...`` each.
    """
    if not target.classes:
        return pl.DataFrame({"prediction": answers})
    chosen = np.array(target.classes, dtype=object)[answers.argmax(axis=1)] if len(answers) else []
    shares = {f"probability_{name}": answers[:, i] for i, name in enumerate(target.classes)}
    return pl.DataFrame({"prediction": pl.Series(list(chosen), dtype=pl.String), **shares})


class Unusual:
    """What is unusual about rows, counted over as many batches of them as there are.

    Attributes:
        rows: How many have been looked at.
    """

    def __init__(self, signature: Signature) -> None:
        self.rows = 0
        self._signature = signature
        self._found: dict[tuple[str, str], int] = {}

    def add(self, columns: Columns) -> None:
        """Look at more rows."""
        self.rows += len(next(iter(columns.values())))
        for name, kinds in oddities(self._signature, columns).items():
            for rows, what in kinds:
                if what != MISSING:  # where training had gaps too
                    self._found[name, what] = self._found.get((name, what), 0) + int(rows.sum())

    def lines(self, seen: int | None = None) -> list[str]:
        """A line for each feature that has any, in the signature's order.

        Args:
            seen: How many training rows there were, if these rows were drawn with them: as many beyond their range as
                chance puts there are then left out.
        """
        order = {feature.name: feature for feature in self._signature.features}
        names = list(order)
        found = sorted(self._found.items(), key=lambda one: names.index(one[0][0]))
        return [
            f"{name}: {count} of {self.rows} rows {what}"
            for (name, what), count in found
            if seen is None or order[name].low is None or what == NEVER_MISSING or self._is_too_many(count, seen)
        ]

    def _is_too_many(self, count: int, seen: int) -> bool:
        return chance_beyond(count, self.rows, seen) < LEAST_CHANCE


def chance_beyond(count: int, rows: int, seen: int) -> float:
    """How likely so many rows lie outside the range of others, all drawn from one distribution without ties.

    Those above the largest of n others are geometrically distributed for many rows, and so are those below the
    smallest: together they follow a negative binomial distribution with two successes and q = m / (m + n).

    Args:
        count: Rows that lie outside, 0 or more; or more than that.
        rows: How many there are, m.
        seen: How many others there are, n.
    """
    outside = rows / (rows + seen)
    return float(outside**count * (1 + count * (1 - outside)))
