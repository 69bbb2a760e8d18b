"""What the file of a group may hold: references that can be read, choices that there are, and nothing of Hydra's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from runcard.card.defaults import GroupFile, in_defaults, line_of
from runcard.card.interpolate import is_open, unreadable
from runcard.card.origins import shown_file
from runcard.errors import Mistake
from runcard.yamltext import Problem

# What a file may set of Hydra's own; the shipped root file also turns its folders off.
HYDRA_KEYS = {"mode"}
HYDRA_KEYS_OF_ROOT = {"mode", "output_subdir", "run"}
MODES = ("RUN", "MULTIRUN")


def in_file(file: GroupFile, files: Mapping[str, GroupFile], *, is_root: bool) -> Iterator[Mistake]:
    """What is wrong with a file whose YAML is right.

    Args:
        file: The file.
        files: All files of groups, by name.
        is_root: Whether it is the shipped root file, which may say more.
    """
    if file.name.startswith("hydra/"):
        yield Mistake(shown_file(file.path), "a card changes nothing of Hydra's own", hint="Remove it.")
        return
    top = "" if file.whole else file.name.rpartition("/")[0]
    yield from _in_references(file.node, top, file.path)
    for key, value in file.node.value:
        if not isinstance(key, yaml.ScalarNode):  # said already
            continue
        if key.value == "defaults":
            yield from (at_line(file.path, problem) for problem in in_defaults(value, file, files, is_root=is_root))
        elif key.value.partition(".")[0] == "hydra":
            allowed = HYDRA_KEYS_OF_ROOT if is_root else HYDRA_KEYS
            yield from (at_line(file.path, problem) for problem in _in_hydra(key, value, allowed))


def _in_references(node: yaml.Node, key: str, path: Path) -> Iterator[Mistake]:
    """Interpolations that cannot be read: Hydra would not say where they are, and take its time over deep ones."""
    if isinstance(node, yaml.ScalarNode):
        wrong = unreadable(node.value) if is_open(node.value) else ""
        if wrong:
            yield Mistake(key, wrong, f"{shown_file(path)}:{line_of(node)}")
        return
    names = [one.value for one, _ in node.value] if isinstance(node, yaml.MappingNode) else range(len(node.value))
    values = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    for name, value in zip(names, values, strict=True):
        yield from _in_references(value, f"{key}.{name}" if key else str(name), path)


def _in_hydra(key: yaml.Node, value: yaml.Node, allowed: set[str]) -> Iterator[Problem]:
    hint = "A file may say hydra: {mode: MULTIRUN}, which makes a sweep, and no more."
    if key.value != "hydra" or not isinstance(value, yaml.MappingNode):
        yield Problem(line_of(key), f"{key.value}: a card changes nothing of Hydra's own", hint)
        return
    for name, setting in value.value:
        if name.value not in allowed:
            yield Problem(line_of(name), f"hydra.{name.value}: a card changes nothing of Hydra's own", hint)
        elif name.value == "mode" and setting.value not in MODES:
            yield Problem(line_of(name), f"hydra.mode must be RUN or MULTIRUN, not {setting.value!r}")


def at_line(path: Path, problem: Problem) -> Mistake:
    """A problem of a YAML text as a mistake."""
    return Mistake(shown_file(path), problem.message, f"{shown_file(path)}:{problem.line}", problem.hint)
