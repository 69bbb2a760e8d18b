"""The judge: composed values in, a frozen card or every mistake out. Reads no data and imports no torch."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runcard.card import project
from runcard.card.compose import compose, compose_file
from runcard.card.contradictions import contradictions
from runcard.card.explain import explain
from runcard.card.interpolate import Secrets, literal
from runcard.card.kinds import fill_in_kinds
from runcard.card.naming.judging import judge_targets
from runcard.card.origins import Origins, complete, first_places, mark_settled, place_of
from runcard.card.schema import Card
from runcard.card.sections.data import ArraysData, Data, TableData
from runcard.card.sound import sound_part
from runcard.card.values import Composed, Template
from runcard.errors import CardError, Mistake
from runcard.hiding import hidden
from runcard.leaves import flatten

PATHS: dict[type[Data], list[str]] = {TableData: ["path"], ArraysData: ["inputs", "targets"]}


def load(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> Card:
    """Compose and judge a card.

    Args:
        overrides: ``group=choice`` and ``key=value``; the first may be a saved ``card.yaml`` instead.
        config_dir: A folder of the user's own groups.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    if overrides and is_saved_card(overrides[0]):
        if config_dir is not None:
            raise CardError("--config-dir: a saved card holds values, so no groups are looked up for it")
        return load_saved(Path(overrides[0]), overrides[1:])
    with project.find().placed(overrides):
        return judge(compose(project.find().words(overrides), config_dir))


def is_saved_card(word: str) -> bool:
    """Whether what was typed is the name of a card's file, and no override."""
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        return word.endswith((".yaml", ".yml")) and ("=" not in word or Path(word).is_file())
    return False


def load_saved(path: Path, overrides: Sequence[str] = ()) -> Card:
    """Judge a saved card; the places of a run's own card are those that the run noted.

    Raises:
        CardError: If anything is wrong; it holds every mistake, each with its line in the file.
    """
    composed = compose_file(path, overrides)
    fill_in_kinds(composed, path)
    card = judge(composed)
    card._origins = first_places(card.origins, path)
    return card


def load_content(values: Mapping[str, Any], origins: Origins) -> Card:
    """Judge what ``Card.saved`` gave.

    Args:
        values: The card's.
        origins: Where each came from.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    return judge(Template(dict(values), dict(origins), "card").with_values([]))


def judge(composed: Composed) -> Card:
    """Check every key and value.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    values, origins = copy.deepcopy(composed.values), dict(composed.origins)
    mistakes = [*composed.mistakes, *_not_given(composed), *judge_targets(values, origins)]
    try:
        # As JSON, for pydantic's strict mode then takes a list for a tuple and still no text for a number.
        card = Card.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        card = sound_part(Card, values)
        card._origins = origins
        said = {mistake.key for mistake in mistakes}
        mistakes += [mistake for mistake in explain(error, origins) if mistake.key not in said]
        found = [*mistakes, *contradictions(card, origins, whole=False)]
        raise CardError(without_secrets(found), card) from None
    card._origins = origins
    mistakes += contradictions(card, origins)
    if mistakes:
        raise CardError(without_secrets(mistakes), card)
    card._secrets = _secrets(card, composed.secrets)
    card = card.model_copy(update={"data": _with_absolute_paths(card.data)})
    card._origins = complete(origins, card.to_dict())
    return card


def without_secrets(mistakes: list[Mistake]) -> list[Mistake]:
    """The mistakes, with no value of the environment in their words."""
    return [
        replace(one, message=hidden(one.message), hint=hidden(one.hint), where=hidden(one.where)) for one in mistakes
    ]


def _secrets(card: Card, written: Secrets) -> Secrets:
    """What to write in place of the environment's values; a path is made absolute there too."""
    here = f"{literal(str(Path.cwd()))}/"
    names = PATHS.get(type(card.data), [])
    paths = {("data", name): str(getattr(card.data, name)) for name in names}
    relative = {place for place, path in paths.items() if not path.startswith(("/", "~")) and "://" not in path}
    return {path: here + text if path in relative else text for path, text in written.items()}


def settled(card: Card, section: str, **found: object) -> Card:
    """The card with values of a section in place of ``auto``; what is not on ``auto`` stays.

    Raises:
        CardError: If what was settled contradicts the rest of the card.
    """
    there = getattr(card, section)
    return replaced(card, section, {name: value for name, value in found.items() if getattr(there, name) == "auto"})


def replaced(card: Card, section: str, values: Mapping[str, Any]) -> Card:
    """The card with other values in a section. The section alone is read again: ``judged_again`` looks at all.

    Args:
        card: The card.
        section: The name of the section.
        values: Key → plain value.

    Raises:
        CardError: If they contradict the rest of the card.
    """
    part, origins, secrets = getattr(card, section), card.origins, card.secrets
    content = part.model_dump(mode="json", by_alias=True)
    changed = {name: value for name, value in values.items() if content.get(name) != value}
    if not changed:
        return card
    for name, value in changed.items():
        mark_settled(origins, f"{section}.{name}", content.get(name), value)
        secrets.pop((section, name), None)  # what was found is what the run goes on with
    found = card.model_copy(update={section: type(part).model_validate_json(json.dumps(content | changed))})
    found._origins, found._secrets = origins, secrets
    mistakes = list(contradictions(found, origins))
    if mistakes:
        raise CardError(without_secrets(mistakes))
    return found


def judged_again(card: Card) -> Card:
    """The card, judged as one that was just composed.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    return judge(Composed(card.values(), card.origins, secrets=card.secrets))


def _not_given(composed: Composed) -> list[Mistake]:
    unread = tuple(mistake.key.partition("=")[0] for mistake in composed.mistakes)
    values = flatten(composed.values).items()
    missing = [key for key, value in values if value == "???" and key not in unread]
    return [Mistake(key, "must be given", place_of(composed.origins, key), f"Add {key}=VALUE.") for key in missing]


def _with_absolute_paths(data: Data) -> Data:
    paths = {name: getattr(data, name) for name in PATHS.get(type(data), [])}
    local = {name: path for name, path in paths.items() if "://" not in path}
    return data.model_copy(update={name: str(Path(path).expanduser().absolute()) for name, path in local.items()})
