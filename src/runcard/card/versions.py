"""Saved cards of an earlier form: brought to today's, or refused with what to do. A card is never guessed at."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from runcard.card.schema import CARD_VERSION
from runcard.card.sections.serve import DEFAULTS
from runcard.errors import CardError, Mistake

log = logging.getLogger("runcard")

TABLE = "runcard.data.table.Table"


def _from_1(values: dict[str, Any]) -> str:
    trainer = values.get("trainer")
    if isinstance(trainer, dict):
        trainer.setdefault("callbacks", {})
    return "trainer.callbacks is new, and empty"


def _from_2(values: dict[str, Any]) -> str:
    values.setdefault("serve", dict(DEFAULTS))
    return "serve is new, and as it is by default"


# Version → what brings a card of it to the next, and says what that is.
STEPS: dict[int, Callable[[dict[str, Any]], str]] = {1: _from_1, 2: _from_2}


def brought_up(values: dict[str, Any], where: str) -> dict[str, Any]:
    """A saved card in today's form; the file stays as it is.

    Args:
        values: What the file holds; changed here.
        where: The file.

    Raises:
        CardError: If it says no version, or one that is not known here.
    """
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        hint = f"A saved card begins with its version, today {CARD_VERSION}. Take the run's own card.yaml."
        raise CardError([Mistake("version", f"must be a whole number, not {version!r}", where, hint)])
    if version > CARD_VERSION:
        hint = "Install the Runcard that wrote it, or a newer one."
        raise CardError([Mistake("version", f"is {version}, and {CARD_VERSION} is the newest known here", where, hint)])
    if version not in (*STEPS, CARD_VERSION):
        raise CardError([Mistake("version", f"is {version}, and there never was such a form", where)])
    while version < CARD_VERSION:
        log.info("%s is of version %d: %s", where, version, STEPS[version](values))
        version += 1
        values["version"] = version
    read_as_before(values)
    return values


def read_as_before(values: dict[str, Any]) -> None:
    """Let a saved card from before ``data.ragged`` read its rows as they were read then: what a line lacks is missing.

    Args:
        values: The card's; changed here.
    """
    data = values.get("data")
    if isinstance(data, dict) and data.get("_target_") == TABLE:
        data.setdefault("ragged", "fill")
