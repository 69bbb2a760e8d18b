"""The history of a run as a CSV file: one line an epoch.

Lightning's own CSV logger writes two half-empty lines an epoch and rewrites the file from memory each time.
"""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger


class CsvLogger(Logger):
    """Writes what is logged in an epoch as one line, when the epoch is over.

    Args:
        path: The file; it must not exist yet.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._row: dict[str, float] = {}
        self._columns: list[str] = []

    @property
    def name(self) -> str:
        """The logger's name."""
        return "csv"

    @property
    def version(self) -> str:
        """The run's id."""
        return self.path.parent.name

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the card lies beside the file."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add to the line of the epoch; a new epoch writes the line before."""
        if self._row and self._row.get("epoch") != metrics.get("epoch"):
            self._write()
        self._row |= metrics

    def finalize(self, status: str) -> None:
        """Write the last line."""
        self._write()

    def _write(self) -> None:
        if not self._row:
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not self._columns:
                self._columns = sorted(self._row, key=lambda name: (name != "epoch", name))
                writer.writerow(self._columns)
            writer.writerow([_number(self._row.get(name)) for name in self._columns])
        self._row = {}


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
