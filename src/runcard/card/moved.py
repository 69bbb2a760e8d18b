"""Rows of a run that lie elsewhere now: where they are is said anew, and nothing else of its card."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runcard.advice import advise
from runcard.card.check import replaced
from runcard.card.overrides import parse_overrides
from runcard.card.schema import Card
from runcard.card.sections.data import ArraysData, TableData
from runcard.errors import CardError, Mistake


def places_of(card: Card) -> dict[str, str]:
    """Key of a card → the file with rows that it names; empty if the rows are in no file."""
    if isinstance(card.data, TableData):
        return {"data.path": card.data.path}
    if isinstance(card.data, ArraysData):
        return {"data.inputs": card.data.inputs, "data.targets": card.data.targets}
    return {}


def with_places(card: Card, words: Sequence[str], run: Path) -> Card:
    """The card of a run with its rows where they are now.

    Args:
        card: The run's.
        words: Such as ``data.path=rows.csv``.
        run: The run folder, for what else is to be said.

    Raises:
        CardError: If a word is no override, or of another key than those of its files.
    """
    mistakes: list[Mistake] = []
    overrides = parse_overrides(words, mistakes)
    known = places_of(card)
    command = advise("runcard", "fit", str(run / "card.yaml"))
    other = f"A finished run stays as it is: `{command}` trains another, with any overrides."
    for one in overrides:
        if one.key not in known or not isinstance(one.value, str):
            said = f"Of a run's card only {' and '.join(known)} can be said anew. " if known else ""
            mistakes.append(Mistake(one.text, "is not where the rows of this run are", hint=said + other))
    if mistakes:
        raise CardError(mistakes)
    values = {one.key.removeprefix("data."): os.path.abspath(Path(one.value).expanduser()) for one in overrides}
    return replaced(card, "data", values)


def is_further(word: str) -> bool:
    """Whether a word asks for more training, and does not say where rows are."""
    return word.lstrip("+~").startswith("trainer.")


def advise_place(card: Card) -> str:
    """What to type where a file of rows is gone; empty if none is."""
    gone = [key for key, path in places_of(card).items() if "://" not in path and not os.path.exists(path)]
    return f" If it was moved, add {advise(*(f'{key}=FILE' for key in gone))}." if gone else ""
