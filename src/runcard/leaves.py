"""Cards as flat mappings, dotted path to value: to look through them, to compare them, to show what they hold."""

from __future__ import annotations

import json
from typing import Any


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path → leaf, for nested mappings."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differing_keys(cards: list[dict[str, Any]], *, absent: object = None) -> list[str]:
    """The dotted keys whose values are not the same in all cards, in the order of the cards.

    Args:
        cards: As nested values.
        absent: What a key that a card lacks counts as; None: as null.
    """
    flats = [flatten(card) for card in cards]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({_spelled(flat.get(key, absent)) for flat in flats}) > 1]


def _spelled(value: object) -> str:
    """A value as text that only the same value has; 30 and 30.0 are the same."""
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def shown(value: Any) -> str:
    """A value of a card, for people: of a number six digits are enough."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
