"""What an editor reads to complete and check a card's files: a JSON Schema for each kind of file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runcard.card.groups import GROUPS, OPTIONAL_GROUPS, choices_in
from runcard.card.help.described import Schema, described, partial, targets_of, with_open
from runcard.card.help.keys import target_of
from runcard.card.schema import Card
from runcard.card.sections.sweep import Sweeping
from runcard.errors import CardError
from runcard.files import write_text

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MADE_BY = "Written by `runcard check --schema DIR` from the classes that judge a card."
# Of a file of a group, what may stand for a value that the command line or another key gives.
OPEN = {
    "description": "???: must be given on the command line; ${key}: what another key says.",
    "type": "string",
    "pattern": r"^(\?\?\?|.*\$\{.*\}.*)$",
}
# Of a saved card likewise: what the environment holds may be a secret, so its name is kept.
KEPT = {
    "description": "${oc.env:NAME}: what the environment holds.",
    "type": "string",
    "pattern": r"^.*\$\{oc\.env:.*\}.*$",
}
MODE = {"description": "MULTIRUN: choosing this file makes a sweep; -m is not needed.", "enum": ["RUN", "MULTIRUN"]}
HYDRA = "Hydra's own settings."
BEGINS = "Which choices this file begins with, in order; _self_ is its own place among them."
# Such a file holds only what differs.
_BEGINS_ELSEWHERE = {"required": ["defaults"]}

Choices = Mapping[str, Sequence[str]]


def write_schemas(folder: Path, places: Sequence[Path]) -> list[Path]:
    """Write all ``schemas``, each into a file that is named after its kind.

    Raises:
        CardError: If the folder cannot be made.
        RunError: If a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CardError(f"--schema {folder}: cannot make this folder: {error.strerror or error}") from error
    found = {folder / f"{kind}.json": text(schema) for kind, schema in schemas(places).items()}
    for path, content in found.items():
        write_text(path, content)
    return list(found)


def text(schema: Schema) -> str:
    """A schema as it is written."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def schemas(places: Sequence[Path]) -> dict[str, Schema]:
    """Kind of file, which is a group, ``config`` or ``card`` → its schema.

    Args:
        places: Folders of groups: their choices are what a list of defaults may name.
    """
    choices = choices_in(places)
    card, sweep = described(Card), described(Sweeping)
    classes = card.pop("$defs") | sweep.pop("$defs")
    parts = card["properties"] | sweep["properties"]
    opened = {name: with_open(section) for name, section in classes.items()} | _choice_of(choices)
    changed = {name: with_open(partial(section, classes)) for name, section in classes.items()} | _choice_of(choices)
    sections = [group for group in GROUPS if group in Card.model_fields]
    made = {group: _file(group, _section(parts[group], classes, choices[group]), opened) for group in sections}
    made["sweep"] = _file("sweep", _sweep(parts["sweep"], classes["Sweep"]["required"], choices["sweep"]), changed)
    for group in ("experiment", "debug"):
        content = _any_part(parts, classes, choices[group]) | {"allOf": _chosen(classes, choices, places)}
        made[group] = _file(group, content, changed)
    own = {name: part for name, part in parts.items() if name not in GROUPS}
    return made | {"config": _file("config", _config(own), opened), "card": _file("card", with_open(card), opened)}


def _file(kind: str, schema: Schema, classes: Mapping[str, Schema]) -> Schema:
    """A schema with all that it refers to."""
    known, needed = {"Open": KEPT if kind == "card" else OPEN, **classes}, dict[str, Schema]()
    wanted = _named_in(schema)
    while wanted:
        name = wanted.pop()
        needed[name] = known[name]
        wanted |= _named_in(known[name]) - set(needed)
    return {"$schema": DIALECT, "$comment": MADE_BY, **schema, "title": kind, "$defs": dict(sorted(needed.items()))}


def _named_in(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for part in schema for name in _named_in(part)}
    if not isinstance(schema, dict):
        return set()
    here = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
    return here | {name for part in schema.values() for name in _named_in(part)}


def _section(part: Schema, classes: Mapping[str, Schema], names: Sequence[str]) -> Schema:
    """A file of a group: all keys of its class; or what differs from the choices of the group that it begins with."""
    whole = {key: value for key, value in part.items() if key != "description"}
    if "$ref" in part:
        whole = dict(classes[part["$ref"].rpartition("/")[2]])
    changes = with_open(partial(whole, classes))
    changes["properties"] = {"defaults": _defaults(["_self_", *names]), **changes["properties"]}
    about = {"description": part.get("description", ""), "type": "object"}
    return about | {"if": _BEGINS_ELSEWHERE, "then": changes, "else": with_open(whole)}


def _sweep(part: Schema, required: Sequence[str], names: Sequence[str]) -> Schema:
    keys = {"defaults": _defaults(["_self_", *names]), "hydra": _hydra(), "sweep": part}
    whole = {"required": ["sweep"], "properties": {"sweep": {"required": list(required)}}}
    return _mapping("A sweep: how many runs of a card are tried.", keys) | {"if": _BEGINS_ELSEWHERE, "else": whole}


def _any_part(parts: Mapping[str, Schema], classes: Mapping[str, Schema], names: Sequence[str]) -> Schema:
    """Changes to any part of a card: nothing is required, and other files have chosen the classes."""
    keys: dict[str, Schema] = with_open(partial({"properties": dict(parts)}, classes))["properties"]
    keys["name"] = _or_null(keys["name"])
    keys = {"defaults": _defaults(["_self_", *names], _entries()), "hydra": _hydra(), **keys}
    return _mapping("Any part of a card: what differs.", keys)


def _chosen(classes: Mapping[str, Schema], choices: Choices, places: Sequence[Path]) -> list[Schema]:
    """Where a list of defaults chooses a class, the keys are that one's."""
    named = {target: name for name, section in classes.items() for target in targets_of(section)}
    found = [(group, choice, target_of(places, group, choice)) for group, names in choices.items() for choice in names]
    return [
        {"if": _with_default(group, choice), "then": {"properties": {group: {"$ref": f"#/$defs/{named[target]}"}}}}
        for group, choice, target in found
        if target in named
    ]


def _with_default(group: str, choice: str) -> Schema:
    key = f"override /{group}"
    entry = {"type": "object", "properties": {key: {"const": choice}}, "required": [key]}
    return {"properties": {"defaults": {"contains": entry}}, "required": ["defaults"]}


def _config(own: Mapping[str, Schema]) -> Schema:
    keys: dict[str, Schema] = with_open({"properties": dict(own)})["properties"]
    keys["name"] = _or_null(keys["name"])
    defaults, hydra = _defaults(["_self_"], _entries()), {"description": HYDRA, "type": "object"}
    content = _mapping("The root of every card.", {"defaults": defaults, **keys, "hydra": hydra})
    return content | {"required": ["defaults", *own]}


def _mapping(about: str, keys: Mapping[str, Schema]) -> Schema:
    return {"description": about, "type": "object", "properties": dict(keys), "additionalProperties": False}


def _hydra() -> Schema:
    return _mapping(HYDRA, {"mode": MODE})


def _or_null(schema: Schema) -> Schema:
    about = f"{schema['description']} null: <data>-<model>."
    rest = {key: value for key, value in schema.items() if key != "description"}
    return {"description": about, "anyOf": [*rest.get("anyOf", [rest]), {"type": "null"}]}


def _defaults(names: Sequence[str], *entries: Schema) -> Schema:
    alone = {"enum": list(names)}
    return {"description": BEGINS, "type": "array", "items": {"anyOf": [alone, *entries]} if entries else alone}


def _entries() -> Schema:
    """A choice for a group, such as ``override /data: wine``."""
    chosen = {group: {"$ref": f"#/$defs/choice_of_{group}"} for group in GROUPS}
    patterns: Schema = {rf"^(optional +|override +)*/?{group}(@[\w.]+)?$": choice for group, choice in chosen.items()}
    patterns[r"^override +/?hydra/\w+$"] = {"type": "string"}
    entry = _mapping("A group: one of its choices.", {f"override /{group}": choice for group, choice in chosen.items()})
    return entry | {"patternProperties": patterns, "minProperties": 1, "maxProperties": 1}


def _choice_of(choices: Choices) -> dict[str, Schema]:
    return {
        f"choice_of_{group}": {
            "anyOf": [
                {"enum": [*choices[group], *([None] if group in OPTIONAL_GROUPS else [])]},
                {"$ref": "#/$defs/Open"},
            ]
        }
        for group in GROUPS
    }
