"""A composed card before it is judged: values laid over what the groups say, interpolations filled in."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runcard.card.origins import Origins, mark_override
from runcard.card.overrides import Override
from runcard.errors import CardError, Mistake


@dataclass
class Composed:
    """What a card says before anyone judges it.

    Attributes:
        values: The card as nested plain values; a value that must be given and was not is ``???``.
        origins: Dotted key → the file and line or the override that set it.
        mistakes: What composing alone found wrong.
    """

    values: dict[str, Any]
    origins: Origins = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


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
            CardError: If an interpolation cannot be filled in.
        """
        tree, origins, found = copy.deepcopy(self.tree), dict(self.origins), list(mistakes)
        lay_over(tree, overrides, origins, found)
        tree = _filled_in(tree, found)
        if tree.get("name", "") is None:
            tree["name"] = self.name
        return Composed(tree, origins, found)


def lay_over(tree: dict[str, Any], overrides: Sequence[Override], origins: Origins, mistakes: list[Mistake]) -> None:
    """Write overrides into the card's values; a mapping is merged into a mapping, all else replaces."""
    for override in overrides:
        *sections, leaf = override.key.split(".")
        section: Any = tree
        for name in sections:
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        typed = f"override {override.text}"
        if override.delete and not (isinstance(section, dict) and leaf in section):
            mistakes.append(Mistake(override.key, "there is no such key to delete", typed))
        elif override.delete:
            del section[leaf]
        elif isinstance(section, dict):
            section[leaf] = _merged(section.get(leaf), override.value)
        else:
            mistakes.append(Mistake(override.key, "stands below a value, which has no keys", typed))
        mark_override(origins, override.key, override.text)


def plain(error: BaseException) -> str:
    """The first line of a library's message, which is the one that says what is wrong."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem or error.context} ({error.problem_mark.name}:{error.problem_mark.line + 1})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: _merged(old.get(key), value) for key, value in new.items()}


def _filled_in(tree: dict[str, Any], mistakes: list[Mistake]) -> dict[str, Any]:
    """The values with their interpolations filled in.

    Raises:
        CardError: If one cannot be.
    """
    try:
        values: Any = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise CardError([*mistakes, Mistake(getattr(error, "full_key", None) or "card", plain(error))]) from error
    return dict(values)
