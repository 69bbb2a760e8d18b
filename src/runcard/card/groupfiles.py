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

import yaml

from runcard.card.groups import GROUPS
from runcard.card.interpolate import is_open, unreadable
from runcard.card.origins import shown_file
from runcard.card.spelling import suggest
from runcard.errors import Mistake
from runcard.yamltext import Problem, YamlError, parse_nodes, read_text

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
NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")
GROUP = re.compile(r"/?[\w-]+(/[\w-]+)*")
REFERENCE = re.compile(r"\$\{[\w.]+\}")


@dataclass(frozen=True)
class GroupFile:
    """One choice of a group.

    Attributes:
        name: Below its folder, without ``.yaml``, such as ``model/mlp``.
        path: Where it lies.
        node: Its content.
        whole: Whether its keys are the card's, and not those of its group's section.
    """

    name: str
    path: Path
    node: yaml.MappingNode
    whole: bool


@dataclass(frozen=True)
class Library:
    """All files of groups, by name; and what is wrong with them."""

    files: Mapping[str, GroupFile]
    mistakes: Sequence[Mistake]


def read_library(shipped: Path, own: Sequence[Path]) -> Library:
    """Read every file of the shipped folder and of the user's own."""
    files: dict[str, GroupFile] = {}
    mistakes: list[Mistake] = []
    for folder in (shipped, *own):
        for path in _yaml_files(folder, mistakes):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in files:
                hint = "Give it a name of its own and choose that."
                other = f"would not be read: {shown_file(files[name].path)} has the same name"
                mistakes.append(Mistake(shown_file(path), other, hint=hint))
                continue
            node = _node(path, mistakes)
            if node is not None:
                files[name] = GroupFile(name, path, node, whole=_is_whole(path) or "/" not in name)
    for file in files.values():
        mistakes += _in_file(file, files, is_root=file.path.parent == shipped)
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


def _node(path: Path, mistakes: list[Mistake]) -> yaml.MappingNode | None:
    try:
        stat = path.stat()
        node, problems = _read(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        mistakes.append(Mistake(shown_file(path), f"cannot be read: {error.strerror}"))
        return None
    mistakes += [at_line(path, problem) for problem in problems]
    return node


@functools.lru_cache(maxsize=2 * MAX_FILES)
def _read(path: Path, changed_ns: int, size: int) -> tuple[yaml.MappingNode | None, list[Problem]]:
    """The content of a file, once for each time that it was written: a sweep composes many cards of the same files.

    Raises:
        OSError: If it cannot be read.
    """
    try:
        text = read_text(path, mark=True)
        if text.startswith("\N{BYTE ORDER MARK}"):
            return None, [Problem(1, "begins with a byte order mark", "Save the file as UTF-8 without one.")]
        problems = list(_in_header(text))
        node = parse_nodes(text, aliases=True)
    except YamlError as error:
        node, problems = error.node, error.problems
        if not isinstance(node, yaml.MappingNode):
            return None, problems
    if node is None:
        return None, [*problems, Problem(1, "is empty", "Write keys into it, or remove it.")]
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a value"
        return None, [*problems, Problem(_line(node), f"holds {kind}, and a mapping of keys is expected")]
    return node, problems


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
    yield from _in_references(file.node, "" if file.whole else file.name.rpartition("/")[0], file.path)
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
    for entry in node.value:
        if isinstance(entry, yaml.ScalarNode):
            yield from _in_name(entry, file.name.rpartition("/")[0], files, optional=False)
        elif isinstance(entry, yaml.MappingNode) and len(entry.value) == 1:
            key, value = entry.value[0]
            if not (is_root and key.value == SWEEPER):
                yield from _in_choice(key, value, file, files)
        else:
            yield Problem(_line(entry), "an entry of defaults is '- NAME' or '- GROUP: NAME'")


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
