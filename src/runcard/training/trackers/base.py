"""What every tracker can do: begin or go on, an epoch, the final numbers, the end.

A tracker's library is imported when it begins, so a run without trackers imports none. What is raised here is for
``Guarded`` to catch.
"""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from runcard.card.schema import Card
from runcard.card.sections.loggers import MlflowLogger, WandbLogger
from runcard.card.sections.parts import Section
from runcard.files import read_json, write_json
from runcard.runs import RunFolder
from runcard.studies import is_study

Record = Mapping[str, str]


class Tracker(ABC):
    """One run in somebody's tracker.

    Args:
        card: What is tracked.
        run: Where ``tracker.json`` is kept, and what the tracker itself writes to disk.
        first_epoch: The epoch that training goes on from; 0: from the beginning.

    Attributes:
        study: Of which the run is a trial; empty: of none.
        name: What the tracker shows: study or card, and the run.
    """

    kind: str

    def __init__(self, card: Card, run: RunFolder, first_epoch: int) -> None:
        self.card = card
        self.run = run
        self.first_epoch = first_epoch
        place = run.path.parent
        self.study = place.name if is_study(place) else ""
        self.name = f"{self.study or card.name}/{run.path.name}"
        self.logger: Logger | None = None

    @property
    def commit(self) -> str:
        """Of the checkout in which the run was started, as its folder says; empty: there is none."""
        known = read_json(self.run.environment) if self.run.environment.is_file() else {}
        return str(known.get("commit") or "")

    def chosen(self) -> list[Path]:
        """The files of the run that the card would have the tracker keep, of those that are there."""
        files = {"card": self.run.card, "report": self.run.report}
        names = self.card.logger.artifacts if isinstance(self.card.logger, MlflowLogger | WandbLogger) else ()
        return [files[name] for name in dict.fromkeys(names) if name in files and files[name].is_file()]

    def begin(self) -> None:
        """Open the tracker's run, tell it the card, and the epochs before the first.

        Raises:
            CardError: If it cannot be opened for a reason that the user must mend.
            RunError: If ``tracker.json`` cannot be written.
        """
        record = self._recorded()
        self.logger, ours = self._open(record)
        write_json(self.run.tracker, {"kind": self.kind, **ours})
        self._describe(known=bool(record))
        for epoch, metrics in earlier(self.run, self.first_epoch):
            self.log(metrics, epoch)

    @abstractmethod
    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Add the numbers of an epoch, unless it has them."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Say how the run ended: ``success``, ``failed`` or ``stopped``."""

    def attach(self, path: Path) -> None:
        """Keep a file of the run folder."""
        raise NotImplementedError(f"{self.kind} keeps no files")

    def log_final(self, metrics: Mapping[str, float], epochs: int) -> None:
        """Add the numbers of the whole run, after its last epoch."""
        self.log(metrics, epochs)

    def abandon(self) -> None:
        """Let go of what is open in this process, after a failure."""
        return

    @abstractmethod
    def _open(self, record: Record) -> tuple[Logger, Record]:
        """Begin a run, or go on with the one of the record; return what to record of it."""

    @abstractmethod
    def _describe(self, *, known: bool) -> None:
        """Tell the card's values, of which a run that is known already has some."""

    def _recorded(self) -> Record:
        record = read_json(self.run.tracker) if self.run.tracker.is_file() else {}
        return record if record.get("kind") == self.kind else {}


def settings(card: Card) -> dict[str, Any]:
    """Dotted key → value of all that a card says, as numbers and texts.

    A mapping whose keys the user makes up, such as columns' names, is one text: a tracker may not take such a key.
    """
    return _settings(card, card.to_dict(), "")


def _settings(section: Section, content: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    names = {field.alias or name: name for name, field in type(section).model_fields.items()}
    for key, value in content.items():
        part = getattr(section, names.get(key, key))
        if isinstance(part, Section):
            flat |= _settings(part, value, f"{prefix}{key}.")
        else:
            plain = isinstance(value, str | int | float)
            flat[f"{prefix}{key}"] = value if plain else json.dumps(value, ensure_ascii=False)
    return flat


def earlier(run: RunFolder, first_epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
    """The epochs before the one that training goes on from, as the run's history has them."""
    if not first_epoch or not run.history.is_file():
        return
    with run.history.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            metrics = {name: float(value) for name, value in line.items() if value}
            if metrics["epoch"] < first_epoch:
                yield int(metrics["epoch"]), metrics
