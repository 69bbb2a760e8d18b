"""What was typed after the verb: ``group=choice``, ``key=value``, ``~key``, in Hydra's grammar and a little beyond."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from runcard.errors import Mistake
from runcard.runs import parse_yaml

SPELLED = re.compile(r"\+{0,2}([\w.]+)=(.*)", flags=re.DOTALL)


@dataclass(frozen=True)
class Override:
    """One word of the command line.

    Attributes:
        key: The group or the dotted key. A ``+`` before it is dropped: the judge alone knows what may be added.
        value: The value, as plain data; None for a deletion.
        delete: Whether the key is to go.
        text: As it was typed.
    """

    key: str
    value: Any
    delete: bool
    text: str


def parse_overrides(texts: Iterable[str], mistakes: list[Mistake]) -> list[Override]:
    """Read overrides; those that cannot be one are added to ``mistakes``."""
    parser = OverridesParser.create()
    parsed = []
    for text in texts:
        try:
            parsed.append(_parse(parser, text))
        except _OverrideError as wrong:
            mistakes.append(Mistake(text, wrong.message, hint=wrong.hint))
    return parsed


class _OverrideError(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint


def _parse(parser: OverridesParser, text: str) -> Override:
    try:
        override = parser.parse_override(text)
    except HydraException as error:
        return _beyond_hydra(text, str(error).splitlines()[0])
    if override.is_sweep_override():
        message = "names several values, which makes a sweep; one run takes one value"
        raise _OverrideError(message, "Quote a text with a comma: 'key=\"a,b\"'.")
    if override.package is not None:
        raise _OverrideError("a group has one place in the card; choose it without @")
    return Override(override.key_or_group, override.value(), override.is_delete(), text)


def _beyond_hydra(text: str, complaint: str) -> Override:
    """Read what Hydra's grammar refuses: ``data.path=~/rows (1).csv``, ``data.kinds={"Größe (cm)": number}``.

    Raises:
        _OverrideError: If it is no ``key=value`` either.
    """
    spelled = SPELLED.fullmatch(text)
    if not spelled:
        raise _OverrideError(f"cannot be read: {complaint}", "An override is key=value, group=choice or ~key.")
    key, value = spelled.groups()
    if value[:1] not in ("[", "{", "'", '"'):
        return Override(key, value, False, text)
    try:
        return Override(key, parse_yaml(value), False, text)
    except (yaml.YAMLError, RecursionError):
        raise _OverrideError(
            f"cannot be read: {complaint}", "Look for a bracket or a quote that is not closed."
        ) from None
