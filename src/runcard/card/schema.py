"""The card: every key that exists, its type and its range. Nothing unknown passes, nothing can be changed later.

A section whose class the user may choose carries ``_target_``; only the classes named in its file are allowed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from runcard.card.sections.data import AnyData
from runcard.card.sections.learning import AnyAugment, AnyOptimizer, AnyScheduler
from runcard.card.sections.loggers import AnyLogger
from runcard.card.sections.networks import AnyNetwork
from runcard.card.sections.parts import Name, Section, Text
from runcard.card.sections.problem import Problem
from runcard.card.sections.trainer import Checkpoint, Trainer

CARD_VERSION = 1


class Card(Section):
    """One experiment, whole and checked."""

    version: Literal[1]
    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    runs_dir: Text
    report: bool
    problem: Problem
    data: AnyData = Field(discriminator="target_class")
    model: AnyNetwork = Field(discriminator="target_class")
    augment: AnyAugment = Field(discriminator="target_class")
    optimizer: AnyOptimizer = Field(discriminator="target_class")
    scheduler: AnyScheduler = Field(discriminator="target_class")
    trainer: Trainer
    checkpoint: Checkpoint
    logger: AnyLogger = Field(discriminator="target_class")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> dict[str, str]:
        """Dotted key → the file and line, or the override, that set it."""
        return dict(self._origins)

    def __eq__(self, other: object) -> bool:
        # Where a value came from does not make another card.
        return isinstance(other, Card) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names that YAML uses."""
        return self.model_dump(mode="json", by_alias=True)
