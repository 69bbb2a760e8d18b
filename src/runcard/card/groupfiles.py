"""The YAML files of groups, read before Hydra reads them: composing them must neither run code nor fill the memory."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runcard.card.contents import at_line, in_file
from runcard.card.defaults import NAME, GroupFile, line_of, too_many
from runcard.card.groups import GROUPS
from runcard.card.origins import shown_file
from runcard.errors import Mistake
from runcard.yamltext import Problem, YamlError, construct, parse_nodes, read_text

# A folder with more is no folder of cards, or somebody's whole disk.
MAX_FILES = 2_000
MAX_FOLDERS = 10_000
WHOLE = re.compile(r"^\s*#\s*@package\s+_global_\s*$", flags=re.MULTILINE)
PACKAGES = ("_global_", "_group_")
NAMES = "Name it with letters, digits, '_', '-' and '.'."
NOTHING = yaml.MappingNode("tag:yaml.org,2002:map", [])


@dataclass(frozen=True)
class Library:
    """All files of groups.

    Attributes:
        files: Name, such as ``model/mlp`` → file; one that cannot be read is empty.
        wrong: Name → what is wrong with that file, or with one that is meant by it; no harm unless it is chosen.
        mistakes: What is wrong with a folder as a whole.
    """

    files: dict[str, GroupFile] = field(default_factory=dict)
    wrong: dict[str, list[Mistake]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def wrong_in(self, names: Collection[str]) -> list[Mistake]:
        """What is wrong with some of the files, in the order in which they were read."""
        return [mistake for name, found in self.wrong.items() if name in names for mistake in found]

    def add_wrong(self, name: str, *mistakes: Mistake) -> None:
        """Note what is wrong with a file."""
        if mistakes:
            self.wrong.setdefault(name, []).extend(mistakes)


def read_library(shipped: Path, own: Sequence[Path]) -> Library:
    """Read every file of the shipped folder and of the user's own."""
    library = Library()
    for folder in (shipped, *own):
        for path in _yaml_files(folder, library):
            _read_file(path, folder, library)
    for name, file in library.files.items():
        if file.node is not NOTHING:
            found = list(in_file(file, library.files, is_root=file.path.parent == shipped))
            if name.startswith("hydra/"):  # Hydra itself may look there, whoever chose it
                library.mistakes.extend(found)
            else:
                library.add_wrong(name, *found)
    for name, mistake in too_many(library.files):
        library.add_wrong(name, mistake)
    return library


def _read_file(path: Path, folder: Path, library: Library) -> None:
    name = path.relative_to(folder).with_suffix("").as_posix()
    if name in library.files:
        hint = "Give it a name of its own and choose that."
        other = f"would not be read: {shown_file(library.files[name].path)} has the same name"
        library.add_wrong(name, Mistake(shown_file(path), other, hint=hint))
        return
    if path.suffix == ".yml":
        library.add_wrong(name, Mistake(shown_file(path), "would not be read", hint="Let its name end in .yaml."))
        return
    if not NAME.fullmatch(name):
        library.add_wrong(name, Mistake(shown_file(path), "has a name that no choice can have", hint=NAMES))
        return
    mistakes: list[Mistake] = []
    text, node, values = _content(path, mistakes)
    whole = WHOLE.search(text[:512]) is not None
    if name.startswith("sweep/") and node is not None and not whole:
        said, hint = "does not begin with '# @package _global_'", "Then come hydra: {mode: MULTIRUN} and sweep: ..."
        mistakes.append(Mistake(shown_file(path), said, f"{shown_file(path)}:1", hint))
    if node is not None:
        library.files[name] = GroupFile(name, path, text, node, values, whole=whole or "/" not in name)
    else:
        library.files[name] = GroupFile(name, path, text, NOTHING, {}, whole=whole)
    library.add_wrong(name, *mistakes)


@contextlib.contextmanager
def sound_folders(places: list[Path], library: Library) -> Iterator[list[Path]]:
    """The folders for Hydra to read: those of the user's own copied, where a file is wrong, with that file empty."""
    if not library.wrong:
        yield places
        return
    with tempfile.TemporaryDirectory(prefix="runcard-groups-") as copy:
        for file in library.files.values():
            folder = next((place for place in places[1:] if file.path.is_relative_to(place)), None)
            if folder is not None:
                path = Path(copy, str(places.index(folder)), f"{file.name}.yaml")
                path.parent.mkdir(parents=True, exist_ok=True)
                empty = "# @package _global_\n{}\n" if file.whole else "{}\n"
                path.write_text(empty if file.name in library.wrong else file.text, encoding="utf-8")
        copies = [Path(copy, str(index)) for index in range(1, len(places))]
        for folder in copies:
            folder.mkdir(exist_ok=True)
        yield [places[0], *copies]


def _yaml_files(folder: Path, library: Library) -> Iterator[Path]:
    """Every YAML file below a folder, by name; not in hidden folders, which hold no groups."""
    seen: set[str] = set()
    count = 0
    for at, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if real not in seen else []
        seen.add(real)
        if at == str(folder):
            expected = "is a file, and a folder with the choices of this group is expected"
            library.mistakes.extend(
                Mistake(shown_file(Path(at, name)), expected) for name in sorted({*names} & {*GROUPS})
            )
        endings = (".yaml", ".yml")
        for name in sorted([*names, *(name for name in folders if name.endswith(".yaml"))]):
            if name.endswith(endings):
                count += 1
                yield Path(at, name)
        if count > MAX_FILES or len(seen) > MAX_FOLDERS:
            message = f"holds more than {MAX_FILES:,} YAML files or {MAX_FOLDERS:,} folders: it is no folder of groups"
            library.mistakes.append(Mistake(str(folder), message))
            return


def _content(path: Path, mistakes: list[Mistake]) -> tuple[str, yaml.MappingNode | None, dict[str, Any]]:
    """Text, nodes and values of a file."""
    text = ""
    try:
        text = read_text(path, mark=True)
        node, values, problems = _parsed(text)
    except YamlError as error:
        node, values, problems = None, {}, error.problems
    except OSError as error:
        mistakes.append(Mistake(shown_file(path), f"cannot be read: {error.strerror}"))
        return text, None, {}
    mistakes += [at_line(path, problem) for problem in problems]
    return text, node, values


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
        return None, {}, [*problems, Problem(line_of(node), f"holds {kind}, and a mapping of keys is expected")]
    return node, values, problems


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
