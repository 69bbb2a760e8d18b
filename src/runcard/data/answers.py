"""Answers as a table, and what is unusual about the rows that were answered."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.data.fields import oddities
from runcard.data.signature import Columns, Signature, Target


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
                if what != "missing":  # where training had gaps too
                    self._found[name, what] = self._found.get((name, what), 0) + int(rows.sum())

    def lines(self) -> list[str]:
        """A line for each feature that has any, in the signature's order."""
        order = [feature.name for feature in self._signature.features]
        found = sorted(self._found.items(), key=lambda one: order.index(one[0][0]))
        return [f"{name}: {count} of {self.rows} rows {what}" for (name, what), count in found]
