"""The judge: composed values in, a frozen card or every mistake out. Reads no data and imports no torch."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runcard.advice import advise
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
from runcard.card.seen import seen_by_all
from runcard.card.sound import sound_part
from runcard.card.values import Composed, Template
from runcard.errors import CardError, Mistake
from runcard.hiding import hidden
from runcard.leaves import flatten

# What says where the rows are: if one is wrong, it is no use to look there.
SAY_WHERE = {"data", *(f"data.{key}" for key in ("_target_", "name", "path", "inputs", "targets", "separator"))}
Outside = Callable[[Card], list[Mistake]]
PATHS: dict[type[Data], list[str]] = {TableData: ["path"], ArraysData: ["inputs", "targets"]}


def load(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> Card:
    """Compose and judge a card.

    Args:
        overrides: ``group=choice`` and ``key=value``; the first may be a saved ``card.yaml`` instead.
        config_dir: A folder of the user's own groups.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    card = load_unless_sweep(overrides, config_dir)
    if card is None:
        raise CardError("these groups make a sweep, and one card is wanted here: leave sweep= away")
    return card


def load_unless_sweep(
    overrides: Sequence[str], config_dir: str | Path | None = None, outside: Outside | None = None
) -> Card | None:
    """As ``load``; None if the groups that were composed make a sweep.

    Args:
        overrides: As for ``load``.
        config_dir: As for ``load``.
        outside: What else to look at where a card has mistakes; see ``judge``.
    """
    if overrides and is_saved_card(overrides[0]):
        if config_dir is not None:
            raise CardError("--config-dir: a saved card holds values, so no groups are looked up for it")
        return load_saved(Path(overrides[0]), overrides[1:], outside)
    with project.find().placed(overrides):
        composed = compose(project.find().words(overrides), config_dir)
        composed.mistakes += seen_by_all(composed.secrets, composed.origins)
        return None if composed.sweeps else judge(composed, outside)


def is_saved_card(word: str) -> bool:
    """Whether what was typed is the name of a card's file, and no override."""
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        return word.endswith((".yaml", ".yml")) and ("=" not in word or Path(word).is_file())
    return False


def load_saved(path: Path, overrides: Sequence[str] = (), outside: Outside | None = None) -> Card:
    """Judge a saved card; the places of a run's own card are those that the run noted.

    Args:
        path: The file.
        overrides: Values to lay over it.
        outside: As for ``load``.

    Raises:
        CardError: If anything is wrong; it holds every mistake, each with its line in the file.
    """
    composed = compose_file(path, overrides)
    fill_in_kinds(composed, path)
    card = judge(composed, outside)
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


def judge(composed: Composed, outside: Outside | None = None) -> Card:
    """Check every key and value.

    Args:
        composed: The values.
        outside: Finds what is wrong with what a card names outside itself. It is given the card, or its valid part,
            if the card has mistakes and none of them says that the rows are to be looked for elsewhere.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    values, origins = copy.deepcopy(composed.values), dict(composed.origins)
    mistakes = [*composed.mistakes, *_not_given(composed), *judge_targets(values, origins)]
    try:
        # As JSON, for pydantic's strict mode then takes a list for a tuple and still no text for a number.
        card = Card.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        part = sound_part(Card, values)
        part._origins = origins
        said = {mistake.key for mistake in mistakes}
        mistakes += [mistake for mistake in explain(error, origins) if mistake.key not in said]
        mistakes += contradictions(part, origins, whole=False)
        raise CardError(without_secrets([*mistakes, *_elsewhere(part, mistakes, outside), *composed.aside])) from None
    card._origins = origins
    mistakes += contradictions(card, origins)
    if mistakes:
        raise CardError(without_secrets([*mistakes, *_elsewhere(card, mistakes, outside), *composed.aside]))
    card._secrets, card._aside = _secrets(card, composed.secrets), tuple(composed.aside)
    card = card.model_copy(update={"data": _with_absolute_paths(card.data)})
    card._origins = complete(origins, card.to_dict())
    return card


def _elsewhere(card: Card, mistakes: list[Mistake], outside: Outside | None) -> list[Mistake]:
    """What is wrong outside a card that has mistakes itself, of keys that none of them is about."""
    # The key of an override that could not be read is all of it, as it was typed.
    said = {mistake.key.partition("=")[0].lstrip("+~") for mistake in mistakes}
    return [] if outside is None or said & SAY_WHERE else [one for one in outside(card) if one.key not in said]


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
    return [
        Mistake(key, "must be given", place_of(composed.origins, key), f"Add {advise(f'{key}=VALUE')}.")
        for key in missing
    ]


def _with_absolute_paths(data: Data) -> Data:
    paths = {name: getattr(data, name) for name in PATHS.get(type(data), [])}
    local = {name: path for name, path in paths.items() if "://" not in path}
    return data.model_copy(update={name: str(Path(path).expanduser().absolute()) for name, path in local.items()})
