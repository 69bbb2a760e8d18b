"""The section ``sweep``: how many runs of a card are tried."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runcard.card.sections.parts import Name, Positive, Section, Text


class Sweep(Section):
    """How many runs of a card are tried; no part of the card itself, so what is usual need not be written."""

    sampler: Literal["tpe", "random", "grid"]
    """Who chooses the next values: tpe learns from the trials before, random does not, grid tries all in order."""
    n_trials: Positive | None = None
    """How many, 1 or more; null, with grid only: every combination."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the sampler, 0 to 4294967295; the same seed tries the same values; not used by grid."""
    name: Name | None = None
    """Folder of the study; null: the card's name, date and time."""
    studies_dir: Text = "studies"
    """Where study folders go, from the working directory."""
    metric: Text | None = None
    """What decides, such as val/loss; null: the problem's metric on the validation rows."""
    space: dict[str, Any]
    """Key: values, in Hydra's sweep syntax; one set on the command line is not tried."""


class Sweeping(Section):
    """The one section beside a card's own."""

    sweep: Sweep
    """How many runs of a card are tried."""
