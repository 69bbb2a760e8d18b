"""The places of a card's values as people read them: said short, and whether they change what was shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runcard.card.check import is_saved_card
from runcard.card.groups import shipped_conf
from runcard.card.origins import DEFAULT, MADE, OVERRIDE, SETTLED, Origins, leaf_place, shown_file
from runcard.card.schema import Card
from runcard.visible import one_line

CONF = "conf/"
# Shipped groups that only change what others say.
CHANGING = ("experiment/", "debug/")


@dataclass(frozen=True)
class Places:
    """Where each value of a card came from.

    Attributes:
        origins: Dotted key → place.
        saved: The saved card that the values were taken from; empty if they were composed.
    """

    origins: Origins
    saved: str = ""

    def shown(self, key: str) -> str:
        """The place of a value, on one line; a shipped file as it lies in ``conf/``."""
        place = leaf_place(self.origins, key)
        mark = SETTLED if place.startswith(SETTLED) else ""
        return one_line(mark + _short(place.removeprefix(SETTLED)))

    def chosen(self, group: str) -> str:
        """The file that was chosen for a group; empty if that is not known."""
        place = self.shown(group)
        return place if place.endswith(".yaml") and not place.startswith(OVERRIDE) else ""

    def changed(self, key: str) -> bool:
        """Whether a value is not what a shipped group says: an override, an experiment or a user's own file set it."""
        return bool(self.changed_by(key))

    def changed_by(self, key: str) -> str:
        """What changed a value: ``override``, or a file; empty if nothing did."""
        place = leaf_place(self.origins, key).removeprefix(SETTLED)
        if place.startswith(OVERRIDE):
            return OVERRIDE.strip()
        shipped = _in_conf(place)
        from_saved = self.saved and place.startswith(f"{self.saved}:")
        if place.startswith((MADE, DEFAULT)) or from_saved or (shipped and not shipped.startswith(CHANGING)):
            return ""
        return one_line(_short(place).rpartition(":")[0] or place)


def places_of(card: Card, words: Sequence[str] = ()) -> Places:
    """The places of a card's values.

    Args:
        card: The card.
        words: What it was made of; the first may be a saved ``card.yaml``.
    """
    saved = shown_file(Path(words[0])) if words and is_saved_card(words[0]) else ""
    return Places(card.origins, saved)


def _short(place: str) -> str:
    if shipped := _in_conf(place):
        return f"{CONF}{shipped}"
    return f"./{place}" if place.startswith(CONF) else place  # a folder of the user's own that is called conf


def _in_conf(place: str) -> str:
    """File and line below the shipped groups, wherever this or another installation has them; else empty."""
    if place.startswith((OVERRIDE, MADE, DEFAULT)):
        return ""
    # No file of the user's own has the name of a shipped one, for that is refused.
    _, found, below = place.rpartition(CONF)
    file = shipped_conf() / below.partition(":")[0]
    return below if found and file.is_file() else ""
