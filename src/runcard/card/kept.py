"""The parts of a sweep's plan as JSON values, and back: a study goes on without looking at ``conf/`` again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from runcard.card.interpolate import Filled, Secrets, escaped, fill_in, put
from runcard.card.origins import Origins
from runcard.card.overrides import Override
from runcard.card.sections.sweep import Sweep, Sweeping
from runcard.card.space import Dimension
from runcard.card.values import Template
from runcard.errors import CardError
from runcard.hiding import note, passwords_in

# What a trial's card is made of: references in it are filled in with the card's.
OF_CARDS = ("space", "first")


def filled_settings(section: Mapping[str, Any], tree: Mapping[str, Any], origins: Origins) -> Filled:
    """The section ``sweep`` with its references filled in, below the key ``sweep``; no password in it will be printed.

    Args:
        section: As composed.
        tree: The card's other values, to which the section may refer.
        origins: Where each value came from.

    Raises:
        CardError: If what the references stand for is too large.
    """
    own = {key: value for key, value in section.items() if key not in OF_CARDS}
    filled = fill_in({**tree, "sweep": own}, origins)
    secrets = {path: text for path, text in filled.secrets.items() if path[0] == "sweep"}
    mistakes = [mistake for mistake in filled.mistakes if mistake.key.startswith("sweep.")]
    values = filled.values["sweep"] | {key: section[key] for key in OF_CARDS if key in section}
    _hide_password(values.get("storage"))
    return Filled({"sweep": values}, secrets, mistakes)


def written_settings(settings: Sweep, secrets: Secrets) -> dict[str, Any]:
    """The settings with references as they were written, and without a password that was written out."""
    content = {"sweep": settings.model_dump(mode="json")}
    if ("sweep", "storage") not in secrets and settings.storage is not None:
        content["sweep"]["storage"] = without_password(settings.storage)
    for path, text in secrets.items():
        put(content, path, text)
    section = content["sweep"]
    of_cards = {key: section.pop(key) for key in OF_CARDS}
    written: dict[str, Any] = escaped(section, secrets, ("sweep",))
    return written | of_cards


def read_settings(content: Mapping[str, Any]) -> tuple[Sweep, Secrets]:
    """What ``written_settings`` wrote.

    Raises:
        CardError: If a reference cannot be filled in.
        ValueError: If it is no such section.
    """
    filled = filled_settings(content, {}, {})
    if filled.mistakes:
        raise CardError(filled.mistakes)
    return Sweeping.model_validate_json(json.dumps(filled.values)).sweep, filled.secrets


def plain(part: Any) -> Any:
    """A dataclass, or several, as JSON values."""
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        return json.loads(json.dumps(dataclasses.asdict(part), default=str))
    return [plain(one) for one in part]


def read_dimension(content: Mapping[str, Any]) -> Dimension:
    """What ``plain`` made of a dimension."""
    lists = {"values": tuple(content["values"]), "when": tuple((key, tuple(named)) for key, named in content["when"])}
    texts = [content["key"], content["text"], *(key for key, _ in content["when"])]
    numbers = [number for number in (content["low"], content["high"], content["step"]) if number is not None]
    _see(texts, str)
    _see(numbers, (int, float))
    _see([content["log"]], bool)
    return Dimension(**{**content, **lists})


def read_template(content: Mapping[str, Any]) -> Template:
    """What ``plain`` made of a template."""
    _see([content["tree"], content["origins"], content["choices"]], dict)
    _see([content["name"], *content["of"], *content["origins"].values()], str)
    _see([content["sweeps"]], bool)
    return Template(**{field.name: content[field.name] for field in dataclasses.fields(Template)})


def read_override(content: Mapping[str, Any]) -> Override:
    """What ``plain`` made of an override."""
    _see([content["key"], content["text"]], str)
    _see([content["delete"]], bool)
    return Override(**content)


def _see(values: Sequence[Any], kind: type | tuple[type, ...]) -> None:
    """See that values are of a kind.

    Raises:
        TypeError: If one is not.
    """
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} is of the wrong type")


def refuse_unlike(content: Mapping[str, Any], again: Mapping[str, Any]) -> None:
    """See that what was read says the same when it is written.

    Raises:
        ValueError: If it does not.
    """
    unlike = [key for key in again if _text(content.get(key)) != _text(again[key])]
    if unlike:
        raise ValueError(f"{' and '.join(unlike)} cannot be read")


def first_line(error: Exception) -> str:
    """What is wrong, in a few words."""
    if isinstance(error, ValidationError):
        return f"{'.'.join(map(str, error.errors()[0]['loc']))} is not right"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).partition("\n")[0]


def without_password(url: str) -> str:
    """A URL of a storage without the password, which PostgreSQL then looks for in PGPASSWORD and in ``~/.pgpass``."""
    return next((url.replace(f":{password}@", "@", 1) for password in passwords_in(url)), url)


def _hide_password(url: object) -> None:
    for form in passwords_in(url) if isinstance(url, str) else ():
        note(form, "***")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
