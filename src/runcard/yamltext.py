"""YAML in and out: plain values only, each key once, and of a size that no reader chokes on.

A few lines of aliases stand for more values than any memory holds, a few thousand brackets for more levels than a
parser can go down, and a tag may name code. So a text is looked at before its values are made: its size, then its
events one by one, then its nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runcard.regular import open_regular

MAX_BYTES = 1_000_000
# With every alias written out. OmegaConf takes a second for so many.
MAX_VALUES = 20_000
MAX_DEPTH = 50
# Python itself refuses to read a longer number.
MAX_DIGITS = 400
PLAIN = "tag:yaml.org,2002:"
TAGS = {None, "!", *(PLAIN + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))}
BREAKS = frozenset("\x85\u2028\u2029")
DIGITS = re.compile(r"[-+]?[0-9a-fA-FxXoObB_:.]+")
OCTAL = re.compile(r"[-+]?0_*[0-7][0-7_]*")
SIXTIES = re.compile(r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


class YamlError(ValueError):
    """A text that is not taken.

    Attributes:
        problems: What is wrong with it, each with its line, from 1.
        node: Its content, if only a key stands twice: so that all else can be looked at too.
    """

    def __init__(self, problems: list[Problem], node: yaml.Node | None = None) -> None:
        self.problems = problems
        self.node = node
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in problems))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a text.

    Attributes:
        line: Where, from 1.
        message: What.
        hint: What to do; may be empty.
    """

    line: int
    message: str
    hint: str = ""


def read_text(path: Path, *, mark: bool = False) -> str:
    """The text of a file.

    Args:
        path: The file.
        mark: Whether a byte order mark at its beginning is kept.

    Raises:
        OSError: If it cannot be read, or is no file.
        YamlError: If it is too large, or not UTF-8.
    """
    with open_regular(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise YamlError([_too_large(f"{path.stat().st_size:,}")])
    try:
        return content.decode("utf-8" if mark else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(line, f"byte 0x{content[error.start]:02x} is not UTF-8", "Save the file as UTF-8.")
        raise YamlError([problem]) from None


def parse_yaml(text: str, *, aliases: bool = False) -> Any:
    """Plain values from YAML.

    Args:
        text: The YAML.
        aliases: Whether one place may refer to another.

    Raises:
        YamlError: If the text is no such YAML.
    """
    return construct(parse_nodes(text, aliases=aliases))


def construct(node: yaml.Node | None) -> Any:
    """The plain values of nodes.

    Raises:
        YamlError: If a tag names a type that the value is not of.
    """
    if node is None:
        return None
    try:
        return _Constructor("").construct_document(node)
    except yaml.YAMLError as error:
        raise YamlError([_problem(error)], node) from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise YamlError([Problem(_line(node), f"holds a value that its tag does not fit: {error}")], node) from None


def parse_nodes(text: str, *, aliases: bool = False) -> yaml.Node | None:
    """The text as nodes that know their lines; None: there is nothing in it.

    Args:
        text: The YAML.
        aliases: Whether one place may refer to another.

    Raises:
        YamlError: As ``parse_yaml``.
    """
    if len(text) > MAX_BYTES:
        raise YamlError([_too_large(f"{len(text):,}")])
    try:
        problems = list(_in_events(text, aliases))
        if problems:
            raise YamlError(problems)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise YamlError([_problem(error)]) from None
    if node is None:
        return None
    problems = list(_in_size(node))
    if problems:
        raise YamlError(problems)
    problems = list(_in_keys(node))
    if problems:
        raise YamlError(problems, node)
    return node


def dump_yaml(content: Any, *, width: float = 80) -> str:
    """YAML that ``parse_yaml``, and any newer reader, reads as the same values."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)


def _in_events(text: str, aliases: bool) -> Iterator[Problem]:
    """What is wrong before anything is built; the first thing of a kind that would cost time ends the search."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        line = _line(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            yield Problem(line, f"is nested more than {MAX_DEPTH} deep")
            return
        if count > 2 * MAX_VALUES:
            yield Problem(line, f"holds more than {MAX_VALUES:,} values")
            return
        yield from _in_event(event, line, aliases)


def _in_event(event: yaml.Event, line: int, aliases: bool) -> Iterator[Problem]:
    if isinstance(event, yaml.AliasEvent):
        if not aliases:
            yield Problem(line, "aliases are not allowed", "Write the value out.")
    elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag not in TAGS:
        yield Problem(line, f"the tag {str(event.tag).replace(PLAIN, '!!')!r} is not allowed: values are plain")
    if isinstance(event, yaml.ScalarEvent) and not event.style and event.tag is None:
        yield from _in_number(event.value, line)


def _in_number(text: str, line: int) -> Iterator[Problem]:
    """Numbers that are another than they seem, or too long to be one."""
    if len(text) > MAX_DIGITS and DIGITS.fullmatch(text):
        yield Problem(line, f"is a number of {len(text):,} digits")
    elif OCTAL.fullmatch(text):
        said = f"{text} is {int(text.replace('_', ''), 8)} to YAML, which reads it by eights"
        yield Problem(line, said, "Quote it if it is a text; leave the zeros out if it is a number.")
    elif SIXTIES.fullmatch(text):
        yield Problem(line, f"{text} is a number to YAML, which reads it by sixties", "Quote it.")


def _in_keys(node: yaml.Node) -> Iterator[Problem]:
    """What is wrong with the keys of mappings that are known to be of a sane size."""
    if isinstance(node, yaml.MappingNode):
        yield from _doubled(node)
    for below in _below(node):
        yield from _in_keys(below)


def _in_size(root: yaml.Node) -> Iterator[Problem]:
    """Aliases that stand for too much."""
    sizes: dict[int, int] = {}
    above: set[int] = set()
    problems: list[Problem] = []

    def size(node: yaml.Node) -> int:
        if id(node) in above:
            problems.append(Problem(_line(node), "refers to itself"))
            return 1
        if id(node) not in sizes:
            above.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _below(node)))
            above.discard(id(node))
        return sizes[id(node)]

    if size(root) > MAX_VALUES:
        message = f"its aliases stand for {sizes[id(root)]:,} values, and {MAX_VALUES:,} are the most"
        problems.append(Problem(_line(root), message))
    yield from problems


def _line(part: yaml.Event | yaml.Node) -> int:
    assert part.start_mark is not None
    return part.start_mark.line + 1


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _doubled(node: yaml.MappingNode) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for key, _ in node.value:
        line = _line(key)
        if not isinstance(key, yaml.ScalarNode):
            yield Problem(line, "a key is a list or a mapping, and must be a text")
        elif key.tag in (f"{PLAIN}bool", f"{PLAIN}null", f"{PLAIN}float"):
            yield Problem(line, f"the key {key.value} is no text to YAML", "Quote it.")
        elif key.tag == f"{PLAIN}merge":
            yield Problem(
                line, "merge keys are not allowed: nobody would see where a value comes from", "Write the keys out."
            )
        elif key.value in first:
            yield Problem(line, f"the key {key.value!r} stands twice: in line {first[key.value]} and in line {line}")
        elif key.value not in first:
            first[key.value] = line


def _problem(error: yaml.YAMLError) -> Problem:
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    if str(getattr(error, "context", "")).startswith(("while scanning a simple key", "while scanning a quoted")):
        marks.reverse()  # where it begins, not where the parser gives up
    mark = marks[0] or marks[1]
    said = [getattr(error, name, None) for name in ("context", "problem", "reason")]
    message = ", ".join(str(text).strip() for text in said if text)
    hint = "Indent with spaces, and quote a text that begins so." if "cannot start any token" in message else ""
    return Problem(mark.line + 1 if mark is not None else 1, message or str(error) or "is no YAML", hint)


def _too_large(size: str) -> Problem:
    return Problem(1, f"holds {size} bytes, and {MAX_BYTES:,} are the most", "Data belongs into a file of its own.")


# libyaml's parser is ten times as fast, and every wheel of PyYAML has it.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Parses and composes."""


class _Constructor(yaml.SafeLoader):
    """Makes values of nodes."""


class _Dumper(yaml.SafeDumper):
    """Writes out what stands twice, and quotes a text that looks like a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        """Quoted where PyYAML would write a line break that is none to YAML 1.2."""
        return self.represent_scalar(f"{PLAIN}str", data, style='"' if BREAKS.intersection(data) else None)


_Dumper.add_representer(str, _Dumper.text)


# What looks like a date is a text, as to OmegaConf.
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != f"{PLAIN}timestamp"]
    for first, pairs in _Base.yaml_implicit_resolvers.items()
}
for _class in (_Loader, _Constructor, _Dumper):
    # YAML 1.1, and so PyYAML, reads 3e-3 as a text; YAML 1.2, Hydra and people read a number.
    _class.add_implicit_resolver(f"{PLAIN}float", NUMBER, list("-+.0123456789"))
