"""How a bundle is served: what whoever starts the service chooses, and what the bundle's card may say of it.

Chosen are settings in three places, the last wins: ``[tool.runcard.serve]`` in the project's ``pyproject.toml``, the
variable ``RUNCARD_SERVE`` as JSON, and the command's own words. A bundle may come from a stranger: its card may lower
limits that nobody chose, and say what computes; who may ask, which files are read and how many processes answer are
never the card's to say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runcard.advice import advise
from runcard.card import project
from runcard.card.sections.serve import DEFAULTS, FILES, LIMITS, Serve, find_wrong
from runcard.card.wording import shown
from runcard.errors import BundleError, CardError
from runcard.yamltext import YamlError, parse_yaml

# JSON of what is chosen.
CHOSEN = "RUNCARD_SERVE"
# Of the keys that a card may say, those that are no limit.
OF_THE_MODEL = ("provider",)


@dataclass(frozen=True)
class Settled:
    """How a bundle is served.

    Attributes:
        serve: What holds.
        ignored: Sentences, one for each key of the bundle's card that does not hold.
    """

    serve: Serve
    ignored: tuple[str, ...] = ()


def choose(words: Iterable[str] = (), environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What whoever starts the service has chosen.

    Args:
        words: Typed, such as ``serve.workers=2``.
        environment: Holds ``RUNCARD_SERVE``, or not.

    Raises:
        CardError: If one is no setting, its value is none for it, or the project's file is wrong.
    """
    return {**project.find().serve, **_read_chosen(environment), **_read_words(words)}


def settle(card: bytes, chosen: Mapping[str, Any], tag: str) -> Settled:
    """What holds for a bundle.

    Args:
        card: The text of its ``card.yaml``.
        chosen: What ``choose`` gave.
        tag: The bundle's, for hints that work when they are typed.

    Raises:
        BundleError: If the card cannot be read, or what it says of a limit is no number.
    """
    asked = _section(card)
    lowered = {key: _lower(key, asked[key]) for key in LIMITS if key in asked}
    of_the_model = {key: asked[key] for key in OF_THE_MODEL if key in asked}
    holds = {**lowered, **of_the_model, **chosen}
    wrong = find_wrong(holds)
    if wrong:
        raise BundleError(f"the bundle's card: {wrong[0]}")
    serve = Serve.model_validate({**DEFAULTS, **holds})
    held = serve.model_dump()
    ignored = [key for key, value in asked.items() if key in DEFAULTS and key not in chosen and value != held[key]]
    return Settled(serve, tuple(_ignored(key, asked[key], held[key], tag) for key in ignored))


def _read_chosen(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        chosen = json.loads(environment.get(CHOSEN) or "{}")
        if not isinstance(chosen, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise CardError(f'{CHOSEN} must be JSON such as {{"workers": 2}}: {error}') from None
    wrong = find_wrong(chosen)
    if wrong:
        raise CardError(f"{CHOSEN}: {wrong[0]}")
    return chosen


def _read_words(words: Iterable[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for text in words:
        key, sign, value = text.partition("=")
        name = key.removeprefix("serve.")
        if not sign or name == key:
            raise CardError(f"{text}: a change is written serve.KEY=VALUE, such as {advise('serve.workers=2')}")
        try:
            chosen[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise CardError(f"{text}: the value cannot be read") from None
        if name in FILES and isinstance(chosen[name], str):
            chosen[name] = str(Path(chosen[name]).expanduser().absolute())
    wrong = find_wrong(chosen)
    if wrong:
        raise CardError(wrong[0])
    return chosen


def _section(card: bytes) -> dict[Any, Any]:
    """What a bundle's card says of serving; bundles from before there was a section say nothing."""
    try:
        section = (parse_yaml(card.decode(), aliases=True) or {}).get("serve", {})
        if not isinstance(section, dict):
            raise TypeError("its section serve is no mapping")
    except (YamlError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise BundleError(f"the bundle's card cannot be read: {str(error).splitlines()[0]}") from None
    return section


def _lower(key: str, asked: Any) -> Any:
    """A limit: the default, or what a card asks for if that is less."""
    if asked is None:
        return DEFAULTS[key]
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        raise BundleError(f"the bundle's card: serve.{key}: must be a number, not {shown(asked)}")
    return asked if DEFAULTS[key] is None else min(asked, DEFAULTS[key])


def _ignored(key: str, asked: Any, held: Any, tag: str) -> str:
    """Why a key of the card does not hold, and the command by which it would."""
    word = f"serve.{key}={asked if isinstance(asked, str) else json.dumps(asked, default=str)}"
    hint = f": {advise('runcard', 'serve', tag, word)}" if _can_be_typed(word) else ""
    if key in LIMITS:
        return f"the bundle's card asks for {key}: {shown(asked)}, and may only lower it; {held} holds{hint}"
    return f"the bundle's card says {key}: {shown(asked)}, which only who starts the service may say{hint}"


def _can_be_typed(word: str) -> bool:
    try:
        return word.isprintable() and bool(_read_words([word]))
    except CardError:
        return False
