"""What ``rm`` takes, asks and says."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runcard.advice import advise
from runcard.errors import CardError

if TYPE_CHECKING:
    from runcard.removing.judge import Removal

MB = 1e6


def add_rm(parser: argparse.ArgumentParser) -> None:
    """The words of its line."""
    names = "run folders, study folders, and bundles in BentoML's model store as name:version"
    parser.add_argument("names", nargs="+", metavar="RUN|STUDY|BUNDLE", help=names)
    yes = "remove them without asking; where nobody can be asked, and with --json, nothing is removed without it"
    parser.add_argument("-y", "--yes", action="store_true", help=yes)
    parser.add_argument("-n", "--dry-run", action="store_true", help="only list what would go")


def describe(found: Sequence[Removal]) -> list[dict[str, Any]]:
    """Each thing as JSON has it; of a run with its score, of a study with its trials."""
    return [_described(one) for one in found]


def _described(one: Removal) -> dict[str, Any]:
    made = datetime.datetime.fromtimestamp(one.made).astimezone().isoformat(timespec="seconds")
    known = {"kind": one.kind, "name": one.name, "path": str(one.path), "bytes": one.size, "made": made}
    return known | _looked_up(one) | {"notes": list(one.notes)}


def _looked_up(one: Removal) -> dict[str, Any]:
    """What ``ls`` says of it."""
    from runcard.cli.listing import describe_run, describe_study

    if one.kind == "bundle":
        return {}
    said, keys = {
        "run": (describe_run, ("state", "metric", "validation", "test")),
        "study": (describe_study, ("state", "done", "n_trials", "metric", "value")),
    }[one.kind]
    row = said(one.path)
    return {key: row[key] for key in keys if key in row}


def removals_text(described: Sequence[Mapping[str, Any]]) -> str:
    """A line a thing, and below it what else changes."""
    from runcard.cli.terminal import GAP, table_text
    from runcard.visible import one_line

    rows = [[(cell, "") for cell in _cells(one)] for one in described]
    lines = []
    for line, one in zip(table_text(rows, None, []).splitlines(), described, strict=True):
        lines += [line.rstrip(), *(f"{GAP}note: {one_line(note)}" for note in one["notes"])]
    return "\n".join(lines)


def _cells(one: Mapping[str, Any]) -> list[str]:
    from pathlib import Path

    from runcard.cli.text import shown_path
    from runcard.visible import one_line

    place = shown_path(Path(one["path"]))
    name = f"{one['name']} in {place}" if one["kind"] == "bundle" else place
    made = datetime.datetime.fromisoformat(one["made"]).strftime("%Y-%m-%d %H:%M")
    return [one["kind"], one_line(name), _size(one["bytes"]), made, one_line(_worth(one))]


def _size(size: int) -> str:
    return f"{size / MB:.1f} MB" if size >= MB / 10 else "<0.1 MB"


def _worth(one: Mapping[str, Any]) -> str:
    """The score of a run, or how far a study came."""
    if one["kind"] == "study" and "done" in one:
        return f"{one['done']} of {one['n_trials']} trials"
    if one.get("validation") is not None:
        return f"{one['metric']} {one['validation']:.4f} on the validation rows"
    return str(one.get("state", ""))


def can_ask() -> bool:
    """Whether somebody sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_agreed(count: int) -> bool:
    """Ask; whatever is not a yes is a no."""
    print(f"remove {count} thing{'s' * (count != 1)}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def refuse_unasked() -> None:
    """Say why nothing was done.

    Raises:
        CardError: Always.
    """
    ways = f"{advise('--dry-run')} only lists them, {advise('--yes')} removes them"
    raise CardError(f"nothing is removed, for nobody can be asked here: {ways}")
