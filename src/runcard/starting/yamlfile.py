"""A shipped file of a group as the beginning of one's own: other values, and every comment kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from runcard.card.groups import SCHEMAS, shipped_conf
from runcard.card.interpolate import literal

LINE = re.compile(r"(?P<key>\w+):(?P<value> +[^#\s][^#]*?)? *(?P<comment>#.*)?")
# As wide as a shipped line may be.
WIDEST = 140


@dataclass(frozen=True)
class Value:
    """What a key says instead.

    Attributes:
        text: YAML; empty if all of it is in the lines below.
        comment: What it means; None: as the shipped file says.
        below: Lines that follow, each YAML and a comment, which may be empty.
    """

    text: str
    comment: str | None = None
    below: tuple[tuple[str, str], ...] = field(default=())


def adapted(shipped: str, head: Iterable[str], values: Mapping[str, Value]) -> str:
    """The text of a shipped file with another head and other values.

    Args:
        shipped: The file below ``conf/``, such as ``data/table``.
        head: Lines of comment, without their mark; the line by which an editor finds the schema comes before them.
        values: Key of the first level → what it says instead.
    """
    lines = [schema(shipped.partition("/")[0]), *(f"# {line}" for line in head)]
    for line in (shipped_conf() / f"{shipped}.yaml").read_text(encoding="utf-8").splitlines():
        found = LINE.fullmatch(line)
        if found and found["key"] in values:
            lines += _changed(line, found["comment"] or "", found["key"], values[found["key"]])
        elif not line.startswith("#"):
            lines.append(line)
    return "\n".join(lines) + "\n"


def schema(group: str) -> str:
    """The line by which an editor finds what a file of a group may hold."""
    return f"# yaml-language-server: $schema=../{SCHEMAS}/{group}.json"


def scalar(text: str) -> str:
    """A text as YAML of one line, which every reader of a card takes for this very text: also ``yes`` and ``a: b``."""
    if text.isascii() and text.isidentifier() and yaml.safe_load(text) == text and len(text) > 1:
        return text
    quoted = yaml.dump(text, default_style='"', allow_unicode=True, width=float("inf"))
    return quoted.removesuffix("\n")


def value(text: str) -> str:
    """As ``scalar``, for a place where ``${...}`` would be filled in."""
    return scalar(literal(text))


def shown(text: str, most: int = 60) -> str:
    """A text of someone else's as it may stand in a comment: in one line, and no longer than that."""
    short = text if len(text) <= most else f"{text[:most]}…"
    return repr(short)


def aligned(items: Iterable[tuple[str, str]], indent: str = "") -> list[str]:
    """Lines of YAML, their comments below each other."""
    pairs = list(items)
    width = min(max((len(text) for text, comment in pairs if comment), default=0), 48)
    return [f"{indent}{text:<{width}}  # {comment}" if comment else f"{indent}{text}" for text, comment in pairs]


def _changed(line: str, comment: str, key: str, new: Value) -> list[str]:
    """The line with another value, its comment where it was if there is room, and above it if there is none."""
    place = len(line) - len(comment)
    said = comment if new.comment is None else f"# {new.comment}"
    first = f"{key}: {new.text}".rstrip()
    whole = f"{first + ' ':<{place}}{said}".rstrip()
    lines = [whole] if len(whole) <= WIDEST else [said, first]
    return [*lines, *aligned(new.below, indent="  ")]
