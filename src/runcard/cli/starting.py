"""What ``init`` says: what was seen in the rows, what was made of it, how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcard.advice import advise
from runcard.cli.text import shown_path
from runcard.starting.cards import guessing, metric_of

if TYPE_CHECKING:
    from runcard.data.looking.look import Look
    from runcard.data.survey import Survey
    from runcard.starting.project import Started

# So many columns are named in one line, and so many lines are given to those that need a word each.
NAMED, LINES = 8, 30


def started_text(started: Started) -> str:
    """For people."""
    lines = [] if started.survey is None else _survey_lines(started.survey)
    folder = shown_path(started.path)
    return "\n".join(
        [
            *lines,
            f"project  {folder}: {len(started.files)} files; its README.md says what each is",
            *([f"next     {advise('cd', folder)}"] if folder != "." else ["next"]),
            f"         {advise('runcard', 'check')}   # the whole card; nothing is trained",
            f"         {advise('runcard', 'fit')}     # train it",
        ]
    )


def started_data(started: Started) -> dict[str, Any]:
    """For machines."""
    data: dict[str, Any] = {"project": str(started.path), "files": list(started.files), "data": None}
    if (seen := started.survey) is not None:
        data["data"] = {
            "path": seen.path,
            "rows": seen.rows,
            "separator": seen.separator,
            "null_values": list(seen.null_values),
            "encoding": seen.encoding,
            "ragged": seen.ragged,
            "target": {"name": seen.truth.name, "task": seen.truth.task, "metric": metric_of(seen)},
            "columns": {name: _seen(look) for name, look in seen.looks.items()},
            "left_out": dict(seen.dropped),
            "notes": list(seen.notes),
        }
    return data


def _seen(look: Look) -> dict[str, Any]:
    found = {"kind": look.kind, "remark": look.remark, "doubt": look.doubt}
    return {**found, "format": look.format, "null_values": list(look.null_values)}


def _survey_lines(seen: Survey) -> list[str]:
    kept = {name: look for name, look in seen.looks.items() if look.kind != "ignore"}
    ignored = {name: look for name, look in seen.looks.items() if look.kind == "ignore"}
    doubts = {name: look for name, look in kept.items() if look.doubt and not look.notes}
    lines = [f"{seen.path}: {seen.rows} rows, {len(seen.looks) + 1} columns", _target_line(seen)]
    for kind in ("number", "boolean", "category"):
        lines += _named(kind, [name for name, look in kept.items() if look.kind == kind])
    lines += _explained("left out", ignored) + _explained("look at", doubts)
    return [*lines, *(f"note     {note}" for note in seen.notes)]


def _target_line(seen: Survey) -> str:
    classes = f"{len(seen.truth.counts)} classes" if seen.truth.counts else "a number"
    return f"target   {seen.truth.name!r}: {classes}, judged by {metric_of(seen)}; {guessing(seen)}"


def _named(kind: str, names: list[str]) -> list[str]:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return [f"{kind:<9}{', '.join(map(repr, names[:NAMED]))}{more}"] if names else []


def _explained(title: str, looks: dict[str, Look]) -> list[str]:
    lines = [f"{title:<9}{name!r}: {look.remark}" for name, look in list(looks.items())[:LINES]]
    more = len(looks) - LINES
    return lines + ([f"{title:<9}{more} more; conf/data/ says why"] if more > 0 else [])
