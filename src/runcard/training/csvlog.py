"""The history of a run as a CSV file: one line an epoch.

Lightning's own CSV logger writes two half-empty lines an epoch, rewrites the file from memory each time, and deletes
what is there when a run goes on.
"""

from __future__ import annotations

import contextlib
import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pytorch_lightning.loggers.logger import Logger

from runcard.errors import RunError
from runcard.files import write_text


class CsvLogger(Logger):
    """Writes what is logged in an epoch as one line.

    Args:
        path: The file.
        history: The lines of the epochs that are over; what else the file holds is of epochs that will be done again.
    """

    def __init__(self, path: Path, history: list[dict[str, float]]) -> None:
        super().__init__()
        self.path = path
        self._rows = list(history)
        self._columns: list[str] = []
        self._file: IO[str] | None = None
        if self._rows or path.exists():
            self._rewrite()

    @property
    def name(self) -> str:
        """The logger's name."""
        return "csv"

    @property
    def version(self) -> str:
        """The run's id."""
        return self.path.parent.name

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return str(self.path.parent)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the card lies beside the file."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write an epoch's line; the final numbers, which come without a step, lie in ``metrics.json``.

        Raises:
            RunError: If the file cannot be written.
        """
        if step is None:
            return
        row = dict(metrics)
        self._rows.append(row)
        if not row.keys() <= set(self._columns):  # the first line, or a metric that earlier epochs did not define
            self._rewrite()
            return
        try:
            if self._file is None:
                self._file = self.path.open("a", newline="", encoding="utf-8")
            self._file.write(self._lines([row]))
            self._file.flush()
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error

    def finalize(self, status: str) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # each line was flushed, or its failure said
                file.close()

    def _rewrite(self) -> None:
        self.finalize("")
        names = dict.fromkeys(name for row in self._rows for name in row)
        self._columns = sorted(names, key=lambda name: (name != "epoch", name))
        header = ",".join(self._columns) + "\n" if self._columns else ""
        write_text(self.path, header + self._lines(self._rows))

    def _lines(self, rows: list[dict[str, float]]) -> str:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([_number(row.get(name)) for name in self._columns] for row in rows)
        return buffer.getvalue()


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
