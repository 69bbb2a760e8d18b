"""What a defaults list may name: files of groups that there are, each group once, and nothing of Hydra's own.

Hydra passes over a misspelt keyword in silence, takes the first of two choices, and obeys entries that name its own
groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runcard.card.origins import shown_file
from runcard.card.spelling import suggest
from runcard.errors import Mistake
from runcard.yamltext import Problem

KEYWORDS = {"optional", "override"}
SWEEPER = "override hydra/sweeper"
NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
GROUP = re.compile(r"/?[\w-]+(/[\w-]+)*")
REFERENCE = re.compile(r"\$\{[\w.]+\}")
# Files that one file leads to by its defaults list, each counted once for each way.
MAX_WAYS = 1_000
# Files in a row that name each other; who writes cards by hand has three.
MAX_DEPTH = 50


@dataclass(frozen=True)
class GroupFile:
    """One choice of a group.

    Attributes:
        name: Below its folder, without ``.yaml``, such as ``model/mlp``.
        path: Where it lies.
        text: What stands in it.
        node: The same as nodes.
        values: The same as plain values.
        whole: Whether its keys are the card's, and not those of its group's section.
    """

    name: str
    path: Path
    text: str
    node: yaml.MappingNode
    values: dict[str, Any]
    whole: bool


def in_defaults(
    node: yaml.Node, file: GroupFile, files: Mapping[str, GroupFile], *, is_root: bool
) -> Iterator[Problem]:
    """What is wrong with the defaults list of a file."""
    if not isinstance(node, yaml.SequenceNode):
        yield Problem(line_of(node), "defaults must be a list", "Begin each entry with '- '.")
        return
    yield from _chosen_twice(node)
    for entry in node.value:
        if isinstance(entry, yaml.ScalarNode):
            yield from _in_name(entry, file.name.rpartition("/")[0], files, optional=False)
        elif isinstance(entry, yaml.MappingNode) and len(entry.value) == 1:
            key, value = entry.value[0]
            if not (is_root and key.value == SWEEPER):
                yield from _in_choice(key, value, file, files)
        else:
            yield Problem(line_of(entry), "an entry of defaults is '- NAME' or '- GROUP: NAME'")


def _chosen_twice(node: yaml.SequenceNode) -> Iterator[Problem]:
    """Of two choices of a group Hydra takes the first, and says nothing."""
    first: dict[str, int] = {}
    for entry in node.value:
        for key, _ in entry.value if isinstance(entry, yaml.MappingNode) else []:
            group = str(key.value).split()[-1:] or [""]
            if group[0] in first:
                yield Problem(
                    line_of(key), f"{group[0]} is chosen twice: in line {first[group[0]]} and in line {line_of(key)}"
                )
            first.setdefault(group[0], line_of(key))


def _in_choice(key: yaml.Node, value: yaml.Node, file: GroupFile, files: Mapping[str, GroupFile]) -> Iterator[Problem]:
    *words, group = str(key.value).split()[:10] or [""]
    unknown = [word for word in words if word not in KEYWORDS]
    groups = {name.rpartition("/")[0] for name in files} - {""}
    if unknown:
        yield Problem(line_of(key), f"{unknown[0]!r} is no keyword of defaults", suggest(unknown[0], KEYWORDS))
        return
    if not GROUP.fullmatch(group) or group.lstrip("/").partition("/")[0] == "hydra":
        hint = "A file chooses files of groups, as '- override /model: cnn'."
        yield Problem(line_of(key), f"{group!r} cannot be chosen by a card", hint)
        return
    inside = file.name.rpartition("/")[0]
    full = group.lstrip("/") if group.startswith("/") or not inside else f"{inside}/{group}"
    if full not in groups:
        slash = f"Write '/{group}': without '/' it is looked for below {inside}/." if group in groups else ""
        yield Problem(line_of(key), f"there is no group {full!r}", slash or suggest(full, groups))
        return
    names = value.value if isinstance(value, yaml.SequenceNode) else [value]
    for name in names:
        yield from _in_name(name, full, files, optional="optional" in words)


def _in_name(node: yaml.Node, group: str, files: Mapping[str, GroupFile], *, optional: bool) -> Iterator[Problem]:
    name = str(node.value)
    if name == "_self_" or REFERENCE.fullmatch(name) or node.tag.endswith(":null"):
        return
    if not isinstance(node, yaml.ScalarNode) or not NAME.fullmatch(name.lstrip("/")) or ".." in name:
        yield Problem(line_of(node), f"{name!r} is no name of a file of a group")
        return
    if name.endswith(".yaml"):
        yield Problem(line_of(node), f"{name!r} is chosen without .yaml", f"Write {name.removesuffix('.yaml')}.")
        return
    full = name.lstrip("/") if name.startswith("/") or not group else f"{group}/{name}"
    if full.partition("/")[0] == "hydra":
        yield Problem(line_of(node), f"{name!r} cannot be chosen by a card")
    elif full.removesuffix(".yaml") not in files and not optional:
        inside, _, last = full.rpartition("/")
        near = suggest(last, [one.rpartition("/")[2] for one in files if one.rpartition("/")[0] == inside])
        yield Problem(line_of(node), f"there is no {inside}={last}", near)


def too_many(files: Mapping[str, GroupFile]) -> Iterator[tuple[str, Mistake]]:
    """Files that name themselves, or too many others, by name: Hydra goes every way there is."""
    walk = _Walk(files)
    for name, file in files.items():
        walk.visit(name)
        if name in walk.loops:
            yield name, Mistake(shown_file(file.path), f"names itself in defaults: {walk.loops[name]}")
        elif walk.ways[name] > MAX_WAYS:
            yield name, Mistake(shown_file(file.path), f"names files that name files, more than {MAX_WAYS:,} in all")
        elif walk.depths[name] > MAX_DEPTH:
            yield name, Mistake(shown_file(file.path), f"names files that name files, more than {MAX_DEPTH} deep")


class _Walk:
    """Where the defaults lists of files lead to, each file looked at once; without recursion, for a row may be long."""

    def __init__(self, files: Mapping[str, GroupFile]) -> None:
        self.files = files
        self.loops: dict[str, str] = {}
        self.ways: dict[str, int] = {}
        self.depths: dict[str, int] = {}

    def visit(self, start: str) -> None:
        """Count the ways from a file, and from all that it leads to."""
        above: dict[str, Iterator[str]] = {}
        below: dict[str, list[str]] = {}
        todo = [start] if start not in self.ways else []
        while todo:
            name = todo[-1]
            if name not in above:
                below[name] = [other for other in _named_by(self.files[name]) if other in self.files]
                above[name] = iter(below[name])
            following = next((other for other in above[name] if other not in self.ways), None)
            if following in above:
                path = list(above)
                self.loops[name] = " → ".join([*path[path.index(following) :], following])
            elif following is not None:
                todo.append(following)
            else:
                self._close(name, below[name])
                del above[todo.pop()]

    def _close(self, name: str, below: list[str]) -> None:
        known = [other for other in below if other in self.ways]
        self.ways[name] = min(1 + sum(self.ways[other] for other in known), MAX_WAYS + 1)
        self.depths[name] = 1 + max((self.depths[other] for other in known), default=0)
        looping = next((self.loops[other] for other in known if other in self.loops), None)
        if looping is not None:
            self.loops.setdefault(name, looping)


def _named_by(file: GroupFile) -> Iterator[str]:
    """The files that a file's defaults list names."""
    inside = file.name.rpartition("/")[0]
    entries = file.values.get("defaults")
    for entry in entries if isinstance(entries, list) else []:
        for key, value in (entry if isinstance(entry, dict) else {"": entry}).items():
            group = str(key).split()[-1] if key else inside
            full = group.lstrip("/") if not key or group.startswith("/") or not inside else f"{inside}/{group}"
            for name in value if isinstance(value, list) else [value]:
                yield str(name).lstrip("/") if str(name).startswith("/") or not full else f"{full}/{name}"


def line_of(node: yaml.Node) -> int:
    """Where a node begins, from 1."""
    assert node.start_mark is not None
    return node.start_mark.line + 1
