"""The card: every key that exists, its type and its range. Nothing unknown passes, nothing can be changed later.

A section whose class the user may choose carries ``_target_``; only the classes named in its file are allowed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from runcard.brief import line_of, table_of
from runcard.card.interpolate import Secrets, escaped, put
from runcard.card.sections.data import AnyData
from runcard.card.sections.learning import AnyAugment, AnyOptimizer, AnyScheduler
from runcard.card.sections.loggers import AnyLogger
from runcard.card.sections.networks import AnyNetwork
from runcard.card.sections.parts import Name, Part, Section, Text, models_in, targets_of
from runcard.card.sections.problem import Problem
from runcard.card.sections.serve import Serve
from runcard.card.sections.trainer import Checkpoint, Trainer
from runcard.errors import Mistake

CARD_VERSION = 3


class Card(Section):
    """One experiment, whole and checked."""

    version: Literal[3]
    """Of the form of cards; a saved card of an older one is brought up to it, a newer one refused."""
    name: Name
    """Folder of the runs below runs_dir: letters, digits, '.', '_' and '-'."""
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Decides weights, row order and dropout; 0 to 4294967295, each a seed like any other."""
    runs_dir: Text
    """Where run folders go, from the working directory."""
    report: bool
    """true: baselines and report.html after training; false: `runcard evaluate` makes them later."""
    problem: Problem
    """Why the model is built, and what is good enough."""
    data: AnyData
    """Which rows, and how they are divided."""
    model: AnyNetwork
    """Which network; its shapes come from the data."""
    augment: AnyAugment
    """What is done to rows before they are learned."""
    optimizer: AnyOptimizer
    """How weights move."""
    scheduler: AnyScheduler
    """How the learning rate changes."""
    trainer: Trainer
    """How long, where and how exactly to train."""
    checkpoint: Checkpoint
    """How often training is written down so that it can go on."""
    logger: AnyLogger
    """Who is told of a run while it trains."""
    serve: Serve
    """How the model answers over HTTP, and whom."""

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _secrets: Secrets = PrivateAttr(default_factory=dict)
    _aside: tuple[Mistake, ...] = PrivateAttr(default=())

    @property
    def origins(self) -> dict[str, str]:
        """Dotted key → the file and line, or the override, that set it."""
        return dict(self._origins)

    @property
    def aside(self) -> tuple[Mistake, ...]:
        """What is wrong in files of groups that were not chosen, and so stopped nothing."""
        return self._aside

    @property
    def secrets(self) -> Secrets:
        """Path → the text as it was written, for each value that holds something of the environment."""
        return dict(self._secrets)

    def __repr__(self) -> str:
        return line_of("Card", self.name, self._parts())

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return table_of(f"card {self.name}", self._parts())

    def _parts(self) -> dict[str, str]:
        parts = {"data": self.data, "model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {group: part.target_class.rpartition(".")[2] for group, part in parts.items()}

    def __eq__(self, other: object) -> bool:
        # Where a value came from does not make another card.
        return isinstance(other, Card) and self.values() == other.values()

    def values(self) -> dict[str, Any]:
        """Plain values under the names that YAML uses, those of the environment among them: for no file."""
        return self.model_dump(mode="json", by_alias=True)

    def to_dict(self) -> dict[str, Any]:
        """As ``values``, with ``${oc.env:NAME}`` as it was written in place of what the environment holds."""
        content = self.values()
        for path, text in self._secrets.items():
            put(content, path, text)
        return content

    def saved(self) -> dict[str, Any]:
        """As ``to_dict``, for a file from which the same card can be loaded."""
        return {key: escaped(value, self._secrets, (key,)) for key, value in self.to_dict().items()}


def section_targets(section: str) -> list[str]:
    """The shipped classes that a section may name."""
    parts = models_in(Card.model_fields[section].annotation) if section in Card.model_fields else []
    return [target for part in parts if issubclass(part, Part) for target in targets_of(part)]
