"""Lines and tables: in colour and within the width of a terminal, or plain for a pipe, where a line stays a line."""

from __future__ import annotations

import io
import itertools
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from runcard.visible import one_line
from runcard.yamltext import dump_yaml

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

# A text and how it looks, as rich names it.
Piece = tuple[str, str]
Row = Sequence[Piece]
# Columns of a table are no wider, but those that give way; in a pipe longer cells push the rest of their line.
CELL = 40
LEAST = 12
GAP = "  "
PIPE = 1000
# What a line may begin with.
MARGIN = "* "


def width_of(stream: TextIO) -> int | None:
    """Columns of the terminal that a stream writes to; None: it writes to none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def rendered(content: RenderableType, width: int | None) -> str:
    """What rich draws on a terminal so wide, or for a pipe; no colours where NO_COLOR is set or there are none."""
    from rich.console import Console

    buffer = io.StringIO()
    # Piped, a line stays a line, so that grep and awk find what they look for.
    Console(file=buffer, width=width or PIPE, force_terminal=width is not None).print(content)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def lines_text(lines: Sequence[Row], width: int | None) -> str:
    """Lines, each wrapped below its own beginning if the terminal is narrower."""
    if width is None:
        return "\n".join(_plain(line) for line in lines)
    from rich.text import Text

    return rendered(Text("\n").join(_wrapped(line, width) for line in lines), width)


def table_text(rows: Sequence[Row], width: int | None, soft: Sequence[int], *, fold: bool = True) -> str:
    """Cells below each other.

    Args:
        rows: As many cells in each.
        width: Of the terminal; None: there is none, and every cell is whole and on one line.
        soft: The columns that give way where the terminal has not room for all.
        fold: Whether their cells then go on in the next line; else they end in ``…``.
    """
    widths = _widths(rows, width, soft)
    if width is None:
        padded = ([(text.ljust(n) + GAP, "") for (text, _), n in zip(row, widths, strict=True)] for row in rows)
        return "\n".join(map(_plain, padded))
    from rich.text import Text

    cut = [place in soft and not fold for place in range(len(widths))]
    lines = (line for row in rows for line in _folded(row, widths, cut))
    return rendered(Text("\n").join(lines), max(width, sum(widths) + len(GAP) * len(widths)))


def inline(value: Any, *, nested: bool = False) -> str:
    """A value as YAML on one line, with nothing in it that a terminal would obey."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(inline(item, nested=True) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{inline(k, nested=True)}: {inline(v, nested=True)}' for k, v in value.items())}}}"
    if isinstance(value, str) and (not value.isprintable() or (nested and set(value) & set(",[]{}"))):
        return one_line(json.dumps(value, ensure_ascii=False))
    return dump_yaml(value, width=math.inf).removesuffix("...\n").strip()


def style(value: Any) -> str:
    """How a value looks: numbers, texts and null are told apart."""
    if value is None:
        return "dim italic"
    if isinstance(value, list) and value:
        return style(value[0])
    return "green" if isinstance(value, str) else "magenta"


def _plain(line: Row) -> str:
    return "".join(text for text, _ in line).rstrip()


def _widths(rows: Sequence[Row], width: int | None, soft: Sequence[int]) -> list[int]:
    """How wide each column is."""
    wanted = [max(len(text) for text, _ in column) for column in zip(*rows, strict=True)]
    widths = [min(want, CELL) for want in wanted]
    if width is None:
        return widths
    room = width - len(GAP) * (len(widths) - 1) - sum(n for place, n in enumerate(widths) if place not in soft)
    # A narrow one takes what it wants and leaves the rest to the others.
    for done, place in enumerate(sorted(soft, key=lambda place: wanted[place])):
        widths[place] = min(wanted[place], max(room // (len(soft) - done), LEAST))
        room -= widths[place]
    # What they cannot give, the last one does.
    widths[-1] = min(widths[-1], max(widths[-1] + room, CELL // 2))
    return widths


def _folded(row: Row, widths: Sequence[int], cut: Sequence[bool]) -> Iterator[Text]:
    """A row on as many lines as its longest cell needs."""
    from rich.console import Console
    from rich.text import Text

    console, cells = Console(), []
    for (text, style), width, short in zip(row, widths, cut, strict=True):
        cell = Text(text, style)
        if short:
            cell.truncate(width, overflow="ellipsis")
        cells.append([cell] if short else list(cell.wrap(console, width)))
    for parts in itertools.zip_longest(*cells):
        line = Text()
        for part, width in zip(parts, widths, strict=True):
            padding = width - len(part or "") + len(GAP)
            line.append_text(part or Text("")).append(" " * padding)
        line.rstrip()
        yield line


def _wrapped(line: Row, width: int) -> Text:
    """A line on as many as it needs, all but the first a little further in."""
    from rich.console import Console
    from rich.text import Text

    whole = Text.assemble(*line)
    lead = len(whole.plain) - len(whole.plain.lstrip(MARGIN))
    if len(whole) <= width:
        return whole
    first, *more = whole[lead:].wrap(Console(), max(width - lead - len(GAP), LEAST))
    return Text("\n").join([whole[:lead] + first, *(Text(" " * (lead + len(GAP))) + part for part in more)])
