"""The section ``sweep``: how many runs of a card are tried."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runcard.card.sections.parts import Name, Positive, Section, Text


class Sweep(Section):
    """How many runs of a card are tried; no part of the card itself, so what is usual need not be written."""

    sampler: Literal["tpe", "random", "grid"]
    n_trials: Positive | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    name: Name | None = None
    studies_dir: Text = "studies"
    metric: Text | None = None
    space: dict[str, Any]


class Sweeping(Section):
    """The one section beside a card's own."""

    sweep: Sweep
