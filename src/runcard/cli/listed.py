"""Runs and studies as tables of one line each, whatever the terminal's width: what has no room is named below."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runcard.advice import advise
from runcard.cli.terminal import GAP, Row, inline, table_text
from runcard.cli.text import shown_path
from runcard.visible import one_line

# A cell of a key is no wider on a terminal.
CELL = 16


def listing_text(
    rows: Sequence[Mapping[str, Any]], studies: Sequence[Mapping[str, Any]], width: int | None, *, by_metric: bool
) -> str:
    """The runs, keys in which they differ as columns, and the studies.

    Args:
        rows: As of ``list_runs``.
        studies: As of ``list_studies``.
        width: Of the terminal; None: there is none, and every line is whole.
        by_metric: Whether runs that are judged by other metrics stand in tables of their own.
    """
    if not rows and not studies:
        return f"no runs yet: `{advise('runcard', 'fit')}` makes one"
    groups = itertools.groupby(rows, lambda row: row["metric"]) if by_metric else [("", rows)]
    tables = [_runs_text(list(group), width) for _, group in groups if rows]
    return "\n\n".join([*tables, *([_studies_text(studies, width)] if studies else [])])


def _runs_text(rows: Sequence[Mapping[str, Any]], width: int | None) -> str:
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    columns = [_column("run", (shown_path(Path(row["run"])) for row in rows))]
    if any(row["state"] != "finished" for row in rows):
        columns.append(_column("state", (row["state"] for row in rows)))
    if len(metrics) > 1:
        columns.append(_column("metric", (row["metric"] for row in rows)))
    of = f" {metrics[0]}" if len(metrics) == 1 else ""
    columns += [_column(f"val{of}", (_score(row["validation"]) for row in rows))]
    columns += [_column("test", (_score(row["test"]) for row in rows))]
    keys = list(dict.fromkeys(key for row in rows for key in row["differs"]))
    names = _short(keys) if width is not None else {key: key.removesuffix("._target_") for key in keys}
    cells = {key: _column(names[key], (_cell(key, row["differs"].get(key)) for row in rows), width) for key in keys}
    room = None if width is None else width - sum(map(_wide, columns))
    shown = _fitting(cells, room)
    return "\n".join([_table([*columns, *(cells[key] for key in shown)], width), *_rest(keys, shown)])


def _rest(keys: Sequence[str], shown: Sequence[str]) -> Iterator[str]:
    """Which keys had no room, and how to see them."""
    left = [key for key in keys if key not in shown]
    if left:
        more = f", {left[2]} …" if len(left) > 2 else ""
        command = advise("runcard", "ls", "--columns", ",".join(left[:2]))
        yield f"{len(left)} more keys differ: {', '.join(left[:2])}{more}; {command} shows them"


def _fitting(cells: Mapping[str, Sequence[str]], room: int | None) -> list[str]:
    """The keys whose columns have room, the first first."""
    if room is None:
        return list(cells)
    shown = []
    for key, column in cells.items():
        if _wide(column) <= room:
            shown.append(key)
            room -= _wide(column)
    return shown


def _short(keys: Sequence[str]) -> dict[str, str]:
    """Each key by its last part, or by its last two where another ends with the same."""
    plain = {key: key.removesuffix("._target_") for key in keys}
    last = {key: name.rpartition(".")[2] for key, name in plain.items()}
    counted = list(last.values())
    return {
        key: name if counted.count(name) == 1 else ".".join(plain[key].split(".")[-2:]) for key, name in last.items()
    }


def _studies_text(studies: Sequence[Mapping[str, Any]], width: int | None) -> str:
    known = [study for study in studies if study["state"] != "damaged"]
    columns = [
        _column("study", (shown_path(Path(study["study"])) for study in known)),
        _column("trials", (f"{study['done']} of {study['n_trials']}" for study in known)),
        _column("metric", (str(study["metric"]) for study in known)),
        _column("best", (_score(study["value"]) for study in known)),
        _column("winner", ("" if study["winner"] is None else Path(study["winner"]).name for study in known)),
    ]
    damaged = [f"{shown_path(Path(study['study']))} is damaged" for study in studies if study["state"] == "damaged"]
    return "\n".join([*([_table(columns, width)] if known else []), *map(one_line, damaged)])


def _table(columns: Sequence[Sequence[str]], width: int | None) -> str:
    head, *rest = zip(*columns, strict=True)
    lines: list[Row] = [[(cell, "bold") for cell in head], *([(cell, "") for cell in line] for line in rest)]
    if width is None:
        return table_text(lines, None, [])
    # A folder that is copied is worth more than the terminal's width.
    return table_text(lines, max(width, sum(map(_wide, columns))), [])


def _column(head: str, cells: Iterator[str], width: int | None = None) -> list[str]:
    texts = [one_line(text) for text in (head, *cells)]
    return texts if width is None else [text if len(text) <= CELL else f"{text[: CELL - 1]}…" for text in texts]


def _wide(column: Sequence[str]) -> int:
    return max(map(len, column)) + len(GAP)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _cell(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if key.endswith("_target_"):
        return str(value).rpartition(".")[2]
    return value if isinstance(value, str) else inline(value)
