"""What may be typed into a card, read from the schemas that travel with the groups: no Hydra, no pydantic, no wait."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runcard.card.groups import GROUPS, OPTIONAL_GROUPS, SCHEMAS, shipped_conf

Schema = dict[str, Any]
TARGET = re.compile(r"^_target_:\s*([\w.]+)", flags=re.MULTILINE)
# An entry of a list of defaults, such as ``override /data: wine``.
DEFAULT = re.compile(r"[-{,]\s*(?:(?:optional|override)\s+)*/?(\w+):\s*([^\s#,}\]]+)")
# In a saved card, the class of a section.
SECTION = re.compile(r"^(\w+):\n(?:  .*\n)*?  _target_: ([\w.]+)$", flags=re.MULTILINE)


def chosen(overrides: Sequence[str], places: Sequence[Path]) -> dict[str, str]:
    """Group → its choice, as these overrides leave it.

    Args:
        overrides: What was typed; what is no choice of a group is passed over.
        places: Where groups lie, the shipped ones first.
    """
    typed = [word.partition("=") for word in overrides]
    said = {group: value.partition(",")[0] for group, equals, value in typed if equals and group in GROUPS}
    found = _defaults(_read(places[:1], "config")) | said
    for group in OPTIONAL_GROUPS:
        found |= _defaults(_read(places, f"{group}/{found.get(group, '')}"))
    found |= said
    return {group: found.get(value[2:-1], "") if value.startswith("${") else value for group, value in found.items()}


def keys_of(groups: Mapping[str, str], places: Sequence[Path]) -> dict[str, Schema]:
    """Dotted key → what it may hold, for the classes that some choices name."""
    found = _root_keys()
    for group, choice in groups.items():
        if group in ("experiment", "debug"):
            continue
        found |= _keys(group, target_of(places, group, choice))
        if group != "sweep":  # of a class that no schema knows the file itself says the keys
            sections = {".".join(key.split(".")[:2]) for key in found}
            found |= {key: {} for key in _in_file(group, _read(places, f"{group}/{choice}")) if key not in sections}
    return found


def target_of(places: Sequence[Path], group: str, choice: str) -> str:
    """The class that the file of a choice names; empty if it names none."""
    found = TARGET.search(_read(places, f"{group}/{choice}"))
    return found[1] if found else ""


def keys_of_saved(path: Path) -> dict[str, Schema]:
    """As ``keys_of``, for a saved card."""
    classes = dict(SECTION.findall(_text(path)))
    found = _root_keys()
    for group in GROUPS:
        if group not in OPTIONAL_GROUPS:
            found |= _keys(group, classes.get(group, ""))
    return found


def values_of(schema: Schema) -> list[str]:
    """The values that a key may have, as far as they have names: choices, true and false, auto, null."""
    found = [value for option in schema.get("anyOf", []) for value in values_of(option)]
    named = schema.get("enum", [schema["const"]] if "const" in schema else [])
    found += [value if isinstance(value, str) else json.dumps(value) for value in named]
    return found + {"boolean": ["true", "false"], "null": ["null"]}.get(schema.get("type", ""), [])


def takes(schema: Schema, kind: str) -> bool:
    """Whether a key takes any value of a kind, such as ``string``, beside those with names."""
    options = [schema, *schema.get("anyOf", [])]
    return any(option.get("type") == kind and not {"enum", "const"} & set(option) for option in options)


def written(groups: Mapping[str, str], places: Sequence[Path], key: str) -> str:
    """The value of a key in the file that the choice of its group names; empty if it is none of one word."""
    group, _, rest = key.partition(".")
    leaf = re.escape(rest.rpartition(".")[2])
    found = re.search(rf"^ *{leaf}: +([\w.+-]+)", _read(places, f"{group}/{groups.get(group)}"), flags=re.MULTILINE)
    return found[1] if found else ""


def about(places: Sequence[Path], group: str, choice: str) -> str:
    """What the head of a choice's file says first."""
    lines = (line[1:].strip() for line in _read(places, f"{group}/{choice}").splitlines() if line.startswith("#"))
    return next((line for line in lines if not line.startswith(("@", "yaml-language-server:"))), "")


def _defaults(text: str) -> dict[str, str]:
    return {group: choice for group, choice in DEFAULT.findall(text) if group in GROUPS and choice != "null"}


def _root_keys() -> dict[str, Schema]:
    schema = _schema("config")
    return {key: part for key, part in _leaves(schema, schema, "") if not key.startswith(("defaults", "hydra"))}


def _keys(group: str, target: str) -> dict[str, Schema]:
    """The keys of a section whose class is known; of a section that has no class to choose; or else of any class."""
    schema = _schema(group)
    if group == "sweep":
        return dict(_leaves(schema["properties"]["sweep"] | schema["$defs"]["Sweep"], schema, "sweep."))
    classes = [part for part in schema["$defs"].values() if "_target_" in part.get("properties", {})]
    fitting = [part for part in classes if _const(part) == target] or [part for part in classes if not _const(part)]
    section = fitting[0] if target and fitting else schema["then"]
    found = dict(_leaves(section, schema, f"{group}."))
    return {key: part for key, part in found.items() if not key.endswith((".defaults", "._target_"))}


def _in_file(group: str, text: str) -> list[str]:
    keys = re.findall(r"^([A-Za-z]\w*):", text, flags=re.MULTILINE)
    return [f"{group}.{key}" for key in keys if key != "defaults"]


def _const(schema: Schema) -> Any:
    return schema.get("properties", {}).get("_target_", {}).get("const")


def _leaves(section: Schema, root: Schema, prefix: str) -> Iterator[tuple[str, Schema]]:
    for name, part in section.get("properties", {}).items():
        options = [part, *part.get("anyOf", [])]
        below = [option["$ref"].rpartition("/")[2] for option in options if "$ref" in option]
        inner = next((root["$defs"][which] for which in below if "properties" in root["$defs"][which]), None)
        if inner is None:
            yield f"{prefix}{name}", part
        else:
            yield from _leaves(inner, root, f"{prefix}{name}.")


@functools.cache
def _schema(kind: str) -> Any:
    return json.loads((shipped_conf() / SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))


def _read(places: Sequence[Path], name: str) -> str:
    return next((text for folder in places if (text := _text(folder / f"{name}.yaml"))), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
