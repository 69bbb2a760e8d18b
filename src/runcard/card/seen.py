"""Names that everybody sees: they stand in folders, lists, addresses and trackers, so the environment fills in none."""

from __future__ import annotations

from runcard.card.interpolate import Secrets
from runcard.card.origins import Origins, place_of
from runcard.errors import Mistake

NAMES: frozenset[tuple[str | int, ...]] = frozenset(
    [
        ("name",),
        ("sweep", "name"),
        ("problem", "target"),
        *(("logger", key) for key in ("project", "entity", "name", "experiment_name")),
    ]
)


def seen_by_all(secrets: Secrets, origins: Origins) -> list[Mistake]:
    """The names in which something of the environment stands, which would then stand in files and lists.

    Args:
        secrets: Path → the text as it was written, for each value that holds something of the environment.
        origins: Where each value came from.
    """
    return [_mistake(".".join(map(str, path)), text, origins) for path, text in secrets.items() if path in NAMES]


def _mistake(key: str, text: str, origins: Origins) -> Mistake:
    message = f"is read from the environment ({text}), and a name stands in folders, lists and trackers for all to see"
    hint = f'Write it out, or let the shell fill it in: {key}="$VARIABLE".'
    return Mistake(key, message, place_of(origins, key), hint)
