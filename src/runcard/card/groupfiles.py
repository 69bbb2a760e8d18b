"""The YAML files of groups, read before Hydra reads them: composing them must neither run code nor fill the memory.

What Hydra would obey and a card has no use for is refused here: settings of Hydra itself, packages that put a file's
content elsewhere, entries of a defaults list that name Hydra's own groups or are misspelt, which it passes over in
silence.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runcard.card.forms import LIST, MAPPING, SECTION, VALUE, forms
from runcard.card.groups import GROUPS
from runcard.card.interpolate import is_open, unreadable
from runcard.card.origins import shown_file
from runcard.card.spelling import suggest
from runcard.errors import Mistake
from runcard.yamltext import Problem, YamlError, construct, parse_nodes, read_text

# A folder with more is no folder of cards, or somebody's whole disk.
MAX_FILES = 2_000
MAX_FOLDERS = 10_000
ROOT = "config"
# What a file may set of Hydra's own; the shipped root file also turns its folders off.
HYDRA_KEYS = {"mode"}
HYDRA_KEYS_OF_ROOT = {"mode", "output_subdir", "run"}
MODES = ("RUN", "MULTIRUN")
KEYWORDS = {"optional", "override"}
SWEEPER = "override hydra/sweeper"
PACKAGES = ("_global_", "_group_")
NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
NAMES = "Name it with letters, digits, '_', '-' and '.'."
# Files that one file leads to by its defaults list, each counted once for each way.
MAX_WAYS = 1_000
GROUP = re.compile(r"/?[\w-]+(/[\w-]+)*")
REFERENCE = re.compile(r"\$\{[\w.]+\}")


NOTHING = yaml.MappingNode("tag:yaml.org,2002:map", [])


@dataclass(frozen=True)
class GroupFile:
    """One choice of a group.

    Attributes:
        name: Below its folder, without ``.yaml``, such as ``model/mlp``.
        path: Where it lies.
        node: Its content.
        values: The same as plain values.
        whole: Whether its keys are the card's, and not those of its group's section.
    """

    name: str
    path: Path
    node: yaml.MappingNode
    values: dict[str, Any]
    whole: bool


@dataclass(frozen=True)
class Library:
    """All files of groups, by name; and what is wrong with them."""

    files: Mapping[str, GroupFile]
    mistakes: Sequence[Mistake]


def read_library(shipped: Path, own: Sequence[Path]) -> Library:
    """Read every file of the shipped folder and of the user's own."""
    files: dict[str, GroupFile] = {}
    broken: dict[str, GroupFile] = {}
    mistakes: list[Mistake] = []
    for folder in (shipped, *own):
        for path in _yaml_files(folder, mistakes):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in files:
                hint = "Give it a name of its own and choose that."
                other = f"would not be read: {shown_file(files[name].path)} has the same name"
                mistakes.append(Mistake(shown_file(path), other, hint=hint))
                continue
            if not NAME.fullmatch(name):
                mistakes.append(Mistake(shown_file(path), "has a name that no choice can have", hint=NAMES))
                continue
            node, values = _content(path, mistakes)
            if node is not None:
                files[name] = GroupFile(name, path, node, values, whole=_is_whole(path) or "/" not in name)
            else:
                broken[name] = GroupFile(name, path, NOTHING, {}, whole=False)
    for file in files.values():
        mistakes += _in_file(file, files | broken, is_root=file.path.parent == shipped)
    mistakes += _too_many(files)
    return Library(files, mistakes)


def _yaml_files(folder: Path, mistakes: list[Mistake]) -> Iterator[Path]:
    """Every YAML file below a folder, by name; not in hidden folders, which hold no groups."""
    seen: set[str] = set()
    count = 0
    for at, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if real not in seen else []
        seen.add(real)
        if at == str(folder):
            mistakes += [
                Mistake(
                    shown_file(Path(at, name)), "is a file, and a folder with the choices of this group is expected"
                )
                for name in sorted({*names} & {*GROUPS})
            ]
        for name in sorted([*names, *(name for name in folders if name.endswith(".yaml"))]):
            if name.endswith(".yml"):
                hint = "Let its name end in .yaml."
                mistakes.append(Mistake(shown_file(Path(at, name)), "would not be read", hint=hint))
            elif name.endswith(".yaml"):
                count += 1
                yield Path(at, name)
        if count > MAX_FILES or len(seen) > MAX_FOLDERS:
            message = f"holds more than {MAX_FILES:,} YAML files or {MAX_FOLDERS:,} folders: it is no folder of groups"
            mistakes.append(Mistake(str(folder), message))
            return


def _content(path: Path, mistakes: list[Mistake]) -> tuple[yaml.MappingNode | None, dict[str, Any]]:
    try:
        node, values, problems = _parsed(read_text(path, mark=True))
    except YamlError as error:
        node, values, problems = None, {}, error.problems
    except OSError as error:
        mistakes.append(Mistake(shown_file(path), f"cannot be read: {error.strerror}"))
        return None, {}
    mistakes += [at_line(path, problem) for problem in problems]
    return node, values


@functools.lru_cache(maxsize=2 * MAX_FILES)
def _parsed(text: str) -> tuple[yaml.MappingNode | None, dict[str, Any], list[Problem]]:
    """The content of a text, once: a sweep composes many cards of the same files."""
    if text.startswith("\N{BYTE ORDER MARK}"):
        return None, {}, [Problem(1, "begins with a byte order mark", "Save the file as UTF-8 without one.")]
    problems, values = list(_in_header(text)), {}
    try:
        node = parse_nodes(text, aliases=True)
        values = construct(node)
    except YamlError as error:
        node, problems = error.node, [*problems, *error.problems]
        return (node if isinstance(node, yaml.MappingNode) else None), {}, problems
    if node is None:
        return None, {}, [*problems, Problem(1, "is empty", "Write keys into it, or remove it.")]
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a value"
        return None, {}, [*problems, Problem(_line(node), f"holds {kind}, and a mapping of keys is expected")]
    return node, values, problems


def _too_many(files: Mapping[str, GroupFile]) -> Iterator[Mistake]:
    """Files that name others that name others: Hydra goes every way there is."""
    ways: dict[str, int] = {}
    above: list[str] = []

    def count(name: str) -> int:
        if name in above:
            raise RecursionError(" → ".join([*above[above.index(name) :], name]))
        if name not in ways:
            above.append(name)
            ways[name] = 1 + sum(count(other) for other in _named_by(files[name]) if other in files)
            above.pop()
        return ways[name]

    for name, file in files.items():
        try:
            if count(name) > MAX_WAYS:
                yield Mistake(shown_file(file.path), f"names files that name files, more than {MAX_WAYS:,} in all")
                return
        except RecursionError as error:
            yield Mistake(shown_file(file.path), f"names itself in defaults: {error}")
            return


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


def _in_forms(node: yaml.Node, key: str, path: Path) -> Iterator[Mistake]:
    """Values of another form than the card's: Hydra says neither which nor where when it cannot merge them."""
    form, mapping = forms().get(key, ""), isinstance(node, yaml.MappingNode)
    scalar = isinstance(node, yaml.ScalarNode)
    unsaid = scalar and (node.tag.endswith(":null") or node.value == "???" or is_open(node.value))
    keyed = form in (SECTION, MAPPING) and not mapping
    if not unsaid and (keyed or (mapping and form in (LIST, VALUE))):
        said = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping" if mapping else repr(node.value)
        choice = f"Choose it in defaults: '- override /{key}: {node.value}'."
        hint = choice if key in GROUPS and isinstance(node, yaml.ScalarNode) else ""
        yield Mistake(key, f"must be {form}, not {said}", f"{shown_file(path)}:{_line(node)}", hint)
    elif mapping and form != MAPPING:
        for name, value in node.value:
            if key or name.value not in ("defaults", "hydra"):
                yield from _in_forms(value, f"{key}.{name.value}" if key else str(name.value), path)


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        return re.search(rb"^\s*#\s*@package\s+_global_\s*$", file.read(512), flags=re.MULTILINE) is not None


def _in_header(text: str) -> Iterator[Problem]:
    """Hydra reads the lines before the first that begins otherwise."""
    over = False
    for number, line in enumerate(text[:512].splitlines(), 1):
        words = line.lstrip("# ").split()
        over = over or (bool(line.strip()) and not re.match(r"\s*#\s*@", line))
        if over:
            if re.match(r"\s*#\s*@package\s", line):
                yield Problem(number, "stands too low: Hydra reads '# @package' at the top only", "Move it up.")
            continue
        if words and words != ["@package", words[-1]]:
            yield Problem(number, f"cannot be read: {line.strip()!r}", "Write '# @package _global_' or leave it out.")
        elif words and words[-1] not in PACKAGES:
            hint = "Write '# @package _global_', or leave it out: a file's keys stand below its group."
            yield Problem(number, f"the package {words[-1]!r} would put its keys elsewhere", hint)


def _in_references(node: yaml.Node, key: str, path: Path) -> Iterator[Mistake]:
    """Interpolations that cannot be read: Hydra would not say where they are, and take its time over deep ones."""
    if isinstance(node, yaml.ScalarNode):
        wrong = unreadable(node.value) if is_open(node.value) else ""
        if wrong:
            yield Mistake(key, wrong, f"{shown_file(path)}:{_line(node)}")
        return
    names = [one.value for one, _ in node.value] if isinstance(node, yaml.MappingNode) else range(len(node.value))
    values = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    for name, value in zip(names, values, strict=True):
        yield from _in_references(value, f"{key}.{name}" if key else str(name), path)


def _in_file(file: GroupFile, files: Mapping[str, GroupFile], *, is_root: bool) -> Iterator[Mistake]:
    if file.name.startswith("hydra/"):
        yield Mistake(shown_file(file.path), "a card changes nothing of Hydra's own", hint="Remove it.")
        return
    top = "" if file.whole else file.name.rpartition("/")[0]
    yield from _in_references(file.node, top, file.path)
    yield from _in_forms(file.node, top, file.path)
    for key, value in file.node.value:
        if not isinstance(key, yaml.ScalarNode):  # said already
            continue
        if key.value == "defaults":
            yield from (at_line(file.path, problem) for problem in _in_defaults(value, file, files, is_root=is_root))
        elif key.value.partition(".")[0] == "hydra":
            allowed = HYDRA_KEYS_OF_ROOT if is_root else HYDRA_KEYS
            yield from (at_line(file.path, problem) for problem in _in_hydra(key, value, allowed))


def _in_hydra(key: yaml.Node, value: yaml.Node, allowed: set[str]) -> Iterator[Problem]:
    hint = "A file may say hydra: {mode: MULTIRUN}, which makes a sweep, and no more."
    if key.value != "hydra" or not isinstance(value, yaml.MappingNode):
        yield Problem(_line(key), f"{key.value}: a card changes nothing of Hydra's own", hint)
        return
    for name, setting in value.value:
        if name.value not in allowed:
            yield Problem(_line(name), f"hydra.{name.value}: a card changes nothing of Hydra's own", hint)
        elif name.value == "mode" and setting.value not in MODES:
            yield Problem(_line(name), f"hydra.mode must be RUN or MULTIRUN, not {setting.value!r}")


def _in_defaults(
    node: yaml.Node, file: GroupFile, files: Mapping[str, GroupFile], *, is_root: bool
) -> Iterator[Problem]:
    if not isinstance(node, yaml.SequenceNode):
        yield Problem(_line(node), "defaults must be a list", "Begin each entry with '- '.")
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
            yield Problem(_line(entry), "an entry of defaults is '- NAME' or '- GROUP: NAME'")


def _chosen_twice(node: yaml.SequenceNode) -> Iterator[Problem]:
    """Of two choices of a group Hydra takes the first, and says nothing."""
    first: dict[str, int] = {}
    for entry in node.value:
        for key, _ in entry.value if isinstance(entry, yaml.MappingNode) else []:
            group = str(key.value).split()[-1:] or [""]
            if group[0] in first:
                yield Problem(
                    _line(key), f"{group[0]} is chosen twice: in line {first[group[0]]} and in line {_line(key)}"
                )
            first.setdefault(group[0], _line(key))


def _in_choice(key: yaml.Node, value: yaml.Node, file: GroupFile, files: Mapping[str, GroupFile]) -> Iterator[Problem]:
    *words, group = str(key.value).split()[:10] or [""]
    unknown = [word for word in words if word not in KEYWORDS]
    groups = {name.rpartition("/")[0] for name in files} - {""}
    if unknown:
        yield Problem(_line(key), f"{unknown[0]!r} is no keyword of defaults", suggest(unknown[0], KEYWORDS))
        return
    if not GROUP.fullmatch(group) or group.lstrip("/").partition("/")[0] == "hydra":
        hint = "A file chooses files of groups, as '- override /model: cnn'."
        yield Problem(_line(key), f"{group!r} cannot be chosen by a card", hint)
        return
    inside = file.name.rpartition("/")[0]
    full = group.lstrip("/") if group.startswith("/") or not inside else f"{inside}/{group}"
    if full not in groups:
        slash = f"Write '/{group}': without '/' it is looked for below {inside}/." if group in groups else ""
        yield Problem(_line(key), f"there is no group {full!r}", slash or suggest(full, groups))
        return
    names = value.value if isinstance(value, yaml.SequenceNode) else [value]
    for name in names:
        yield from _in_name(name, full, files, optional="optional" in words)


def _in_name(node: yaml.Node, group: str, files: Mapping[str, GroupFile], *, optional: bool) -> Iterator[Problem]:
    name = str(node.value)
    if name == "_self_" or REFERENCE.fullmatch(name) or node.tag.endswith(":null"):
        return
    if not isinstance(node, yaml.ScalarNode) or not NAME.fullmatch(name.lstrip("/")) or ".." in name:
        yield Problem(_line(node), f"{name!r} is no name of a file of a group")
        return
    if name.endswith(".yaml"):
        yield Problem(_line(node), f"{name!r} is chosen without .yaml", f"Write {name.removesuffix('.yaml')}.")
        return
    full = name.lstrip("/") if name.startswith("/") or not group else f"{group}/{name}"
    if full.partition("/")[0] == "hydra":
        yield Problem(_line(node), f"{name!r} cannot be chosen by a card")
    elif full.removesuffix(".yaml") not in files and not optional:
        inside, _, last = full.rpartition("/")
        near = suggest(last, [one.rpartition("/")[2] for one in files if one.rpartition("/")[0] == inside])
        yield Problem(_line(node), f"there is no {inside}={last}", near)


def at_line(path: Path, problem: Problem) -> Mistake:
    """A problem of a YAML text as a mistake."""
    return Mistake(shown_file(path), problem.message, f"{shown_file(path)}:{problem.line}", problem.hint)


def _line(node: yaml.Node) -> int:
    assert node.start_mark is not None
    return node.start_mark.line + 1
