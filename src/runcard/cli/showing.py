"""A card for people: as a tree with what was changed marked, or value by value with its place."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

from runcard.card.groups import shipped_conf
from runcard.card.places import CONF, Places
from runcard.card.schema import Card
from runcard.cli.terminal import GAP, Piece, Row, inline, lines_text, style, table_text, width_of
from runcard.leaves import flatten
from runcard.visible import one_line

CHANGED, KEY, PLACE = "bold yellow", "cyan", "dim"
# Places stand in a column of their own: to the right of lines up to this long, and with this room if there is as much.
COLUMN, ROOM = 44, 38


def tree_text(card: Card, places: Places, stream: TextIO) -> str:
    """The card, a value a line, sections with the file that was chosen; what was changed has a mark and its place."""
    width, lines = width_of(stream), list(_tree(card.to_dict(), places))
    limit = COLUMN if width is None else min(COLUMN, width - ROOM)
    ends = [_length(line) for line, place in lines if place]
    column = max((end for end in ends if end <= limit), default=0) + len(GAP)
    placed = [row for line, place in lines for row in _beside(line, place, column, width)]
    return "\n".join([lines_text(placed, width), "", *_summary(card, places)])


def origin_text(card: Card, places: Places, stream: TextIO) -> str:
    """Every value of the card with the place that set it."""
    rows = [
        [_marked(places, key, one_line(key)), (inline(value), style(value)), (places.shown(key), PLACE)]
        for key, value in flatten(card.to_dict()).items()
    ]
    table = table_text(rows, width_of(stream), [1], fold=False)
    return "\n".join([table, "", *_summary(card, places), *_where_conf_is()])


def _tree(tree: dict[str, Any], places: Places, above: str = "") -> Iterator[tuple[list[Piece], str]]:
    """Each line of the tree, and what stands beside it."""
    depth = "  " * above.count(".")
    for name, value in tree.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and value:
            yield [(GAP + depth, ""), (inline(name), f"bold {KEY}"), (":", "")], "" if above else places.chosen(key)
            yield from _tree(value, places, f"{key}.")
        else:
            named = _marked(places, key, f"{depth}{inline(name)}")
            yield [named, (": ", ""), (inline(value), style(value))], places.shown(key) if places.changed(key) else ""


def _beside(line: Row, place: str, column: int, width: int | None) -> list[Row]:
    """A line with its place to the right, or below it where the terminal has not the room."""
    gap = " " * max(column - _length(line), len(GAP))
    if not place or width is None or _length(line) + len(gap) + len(place) <= width:
        return [[*line, (gap, ""), (place, PLACE)] if place else line]
    return [line, [(" " * min(column, 3 * len(GAP)), ""), (place, PLACE)]]


def _marked(places: Places, key: str, name: str) -> Piece:
    return (f"* {name}", CHANGED) if places.changed(key) else (f"  {name}", KEY)


def _length(line: Row) -> int:
    return sum(len(text) for text, _ in line)


def _summary(card: Card, places: Places) -> list[str]:
    """How many values were changed, and by what."""
    by = Counter(filter(None, map(places.changed_by, flatten(card.to_dict()))))
    if not by:
        return []
    count = by.total()
    changed = f"* {count} value{'s were' if count > 1 else ' was'} changed"
    if len(by) == 1:
        return [f"{changed} by {_an(*by.popitem())}"]
    return [f"{changed}: {', '.join(f'{many} by {_an(what, many)}' for what, many in by.items())}"]


def _an(what: str, many: int) -> str:
    if what != "override":
        return what
    return "overrides" if many > 1 else "an override"


def _where_conf_is() -> list[str]:
    """Where to open what is shown as ``conf/``, unless that is what it is called here."""
    folder = shipped_conf()
    return [] if os.path.relpath(folder) == CONF.rstrip("/") else [f"{CONF} is {folder}"]
