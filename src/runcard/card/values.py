"""A composed card before it is judged: values laid over what the groups say, interpolations filled in."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runcard.card.interpolate import Secrets, escaped, fill_in, put
from runcard.card.merging import laid_over
from runcard.card.origins import MADE, Origins, mark_override
from runcard.card.overrides import Override
from runcard.errors import Mistake


@dataclass
class Composed:
    """What a card says before anyone judges it.

    Attributes:
        values: The card as nested plain values; a value that must be given and was not is ``???``.
        origins: Dotted key → the file and line or the override that set it.
        mistakes: What composing alone found wrong.
        secrets: Path → the text as it was written, for each value that holds something of the environment.
        sweeps: Whether a file asks for a sweep.
        aside: What is wrong in files of groups that nobody chose.
    """

    values: dict[str, Any]
    origins: Origins = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    secrets: Secrets = field(default_factory=dict)
    sweeps: bool = False
    aside: list[Mistake] = field(default_factory=list)

    def saved(self) -> dict[str, Any]:
        """The values for a file from which the same can be loaded: what the environment holds stays a reference."""
        content = copy.deepcopy(self.values)
        for path, text in self.secrets.items():
            put(content, path, text)
        return {key: escaped(value, self.secrets, (key,)) for key, value in content.items()}


@dataclass(frozen=True)
class Template:
    """What the groups of a card say, before values are laid over it; a sweep keeps one for each choice of groups.

    Attributes:
        tree: Nested plain values, interpolations as they are written.
        origins: Dotted key → the file and line that set it.
        name: The card's name where ``name`` is null.
        choices: Group → the choice that was composed.
        sweeps: Whether a file asks for a sweep, by Hydra's ``hydra.mode: MULTIRUN``.
    """

    tree: dict[str, Any]
    origins: Origins
    name: str
    choices: dict[str, str] = field(default_factory=dict)
    sweeps: bool = False

    def with_values(self, overrides: Sequence[Override], mistakes: Sequence[Mistake] = ()) -> Composed:
        """The card's values with overrides laid over them and interpolations filled in.

        Raises:
            CardError: If what the interpolations stand for is too large.
        """
        tree, origins, found = copy.deepcopy(self.tree), dict(self.origins), list(mistakes)
        lay_over(tree, overrides, origins, found)
        filled = fill_in(tree, origins)
        values = filled.values
        if values.get("name", "") is None:
            values["name"] = self.name
            if self.choices:
                origins["name"] = f"{MADE}data={self.choices['data']} and model={self.choices['model']}"
        return Composed(values, origins, [*found, *filled.mistakes], filled.secrets, self.sweeps)


def lay_over(tree: dict[str, Any], overrides: Sequence[Override], origins: Origins, mistakes: list[Mistake]) -> None:
    """Write overrides into the card's values; a mapping is merged into a mapping, all else replaces."""
    for override in overrides:
        *sections, leaf = override.key.split(".")
        section: Any = tree
        for name in sections:
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        typed = f"override {override.text}"
        merged: Any = None
        if override.delete and not (isinstance(section, dict) and leaf in section):
            mistakes.append(Mistake(override.key, "there is no such key to delete", typed))
        elif override.delete:
            del section[leaf]
        elif isinstance(section, dict):
            both = isinstance(section.get(leaf), dict) and isinstance(override.value, dict)
            merged = override.value if both else None
            section[leaf] = laid_over(section.get(leaf), override.value)
        else:
            mistakes.append(Mistake(override.key, "stands below a value, which has no keys", typed))
        mark_override(origins, override.key, override.text, merged)


def plain(error: BaseException) -> str:
    """The first line of a library's message, which is the one that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
