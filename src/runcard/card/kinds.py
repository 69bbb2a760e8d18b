"""What the columns of a run's table were taken for: kept, so that a later guess does not change the run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runcard.card.naming.targets import TARGET
from runcard.card.origins import OVERRIDE, SETTLED, first_places, mark_settled
from runcard.card.values import Composed
from runcard.errors import RunError
from runcard.files import read_json
from runcard.runs import RunFolder

# Kinds that a card can give; those of arrays follow from their shape.
OF_COLUMNS = ("number", "boolean", "category", "text")
# As data.json says of each column that a guess has left out.
LEFT_OUT = re.compile(r"column (?P<name>'.*'|\".*\") is left out: ")


def can_be_named(kinds: Mapping[str, str]) -> bool:
    """Whether a card can hold the kinds of these columns: one with this name would be taken for a class."""
    return TARGET not in kinds


def fill_in_kinds(composed: Composed, saved: Path) -> None:
    """Let a run's card name the kind of each column as the run read it; an older run's names those that were typed.

    With other rows, by an override of ``data.path``, what was left out by a guess is guessed again.

    Args:
        composed: What the card's file holds, with overrides laid over it; changed here.
        saved: The file; only one in a run folder is changed.
    """
    data = composed.values.get("data")
    given = data.get("kinds") if isinstance(data, dict) else None
    run = RunFolder(saved.absolute().parent)
    if not isinstance(given, dict) or saved.name != run.card.name:
        return
    if composed.origins.get("data.path", "").startswith(OVERRIDE):
        origins = first_places(composed.origins, saved)
        guessed = [name for name in given if origins.get(f"data.kinds.{name}", "").startswith(SETTLED)]
        composed.values["data"]["kinds"] = {
            name: kind for name, kind in given.items() if kind != "ignore" or name not in guessed
        }
        return
    found = given | {name: kind for name, kind in _kinds_in(run) if name not in given}
    if not can_be_named(found):
        return
    composed.values["data"]["kinds"] = found
    mark_settled(composed.origins, "data.kinds", given, found)


def _kinds_in(run: RunFolder) -> Iterator[tuple[str, str]]:
    """What the run's data.json says of its columns; nothing if it is damaged, which whoever needs it says."""
    try:
        content = read_json(run.data)
        for feature in content["signature"]["features"]:
            if feature["kind"] in OF_COLUMNS:
                yield str(feature["name"]), str(feature["kind"])
        yield from ((name, "ignore") for name in _left_out(content))
    except (RunError, OSError, KeyError, TypeError):
        return


def _left_out(content: Mapping[str, Any]) -> Iterator[str]:
    for note in content["notes"]:
        match = LEFT_OUT.match(note)
        if match:
            yield str(ast.literal_eval(match["name"]))
