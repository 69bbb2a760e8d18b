"""The places of a card's values as people read them: said short, and whether they change what was shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runcard import files
from runcard.card.check import is_saved_card
from runcard.card.compose import shipped_conf
from runcard.card.origins import MADE, OVERRIDE, SETTLED, Origins, leaf_place, shown_file
from runcard.card.schema import Card
from runcard.errors import RunError
from runcard.runs import RunFolder

CONF = "conf/"
# Shipped groups that only change what others say.
CHANGING = ("experiment/", "debug/")


@dataclass(frozen=True)
class Places:
    """Where each value of a card came from.

    Attributes:
        origins: Dotted key → place; of a run's own card the places that the run has noted.
        saved: The saved card that the values were taken from; empty if they were composed.
    """

    origins: Origins
    saved: str = ""

    def shown(self, key: str) -> str:
        """The place of a value, on one line; a shipped file as it lies in ``conf/``."""
        place = leaf_place(self.origins, key)
        mark = SETTLED if place.startswith(SETTLED) else ""
        return _on_one_line(mark + _short(place.removeprefix(SETTLED)))

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
        if place.startswith(MADE) or from_saved or (shipped and not shipped.startswith(CHANGING)):
            return ""
        return _on_one_line(_short(place).rpartition(":")[0] or place)


def places_of(card: Card, words: Sequence[str] = ()) -> Places:
    """The places of a card's values.

    Args:
        card: The card.
        words: What it was made of; the first may be a saved ``card.yaml``.
    """
    if not (words and is_saved_card(words[0])):
        return Places(card.origins)
    saved = Path(words[0])
    return Places(_first_places(card.origins, saved), shown_file(saved))


def _first_places(origins: Origins, saved: Path) -> Origins:
    """For what was taken from a run's card as it was written, the places that the run noted."""
    noted = _noted(saved)
    lines = f"{shown_file(saved)}:"
    first = {key: leaf_place(noted, key) for key, place in origins.items() if place.startswith(lines)}
    return origins | {key: place for key, place in first.items() if place}


def _noted(saved: Path) -> Origins:
    """What the run noted beside its card; nothing if it did not, or if the card was edited since."""
    run = RunFolder(saved.parent)
    try:
        if saved.name != run.card.name or saved.stat().st_mtime_ns > run.origin.stat().st_mtime_ns:
            return {}
        return {key: place for key, place in files.read_json(run.origin).items() if isinstance(place, str)}
    except (OSError, RunError):
        return {}


def _short(place: str) -> str:
    if shipped := _in_conf(place):
        return f"{CONF}{shipped}"
    return f"./{place}" if place.startswith(CONF) else place  # a folder of the user's own that is called conf


def _in_conf(place: str) -> str:
    """File and line below the shipped groups, wherever this or another installation has them; else empty."""
    if place.startswith((OVERRIDE, MADE)):
        return ""
    # No file of the user's own has the name of a shipped one, for that is refused.
    _, found, below = place.rpartition(CONF)
    file = shipped_conf() / below.partition(":")[0]
    return below if found and file.is_file() else ""


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
