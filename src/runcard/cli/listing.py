"""Runs side by side: state, scores, and the card's keys in which they differ."""

from __future__ import annotations

import sys
from typing import Any

from rich.table import Table
from rich.text import Text

from runcard import files, leaves, runs
from runcard.advice import advise
from runcard.card.metrics import METRICS
from runcard.cli.terminal import rendered, width_of
from runcard.errors import RunError
from runcard.visible import visible

# Where a run lies and how it is served say nothing about what it is, and the problem's texts would drown the numbers.
NOT_COMPARED = ("runs_dir", "name", "problem.", "serve.")


def listing(runs_dir: str, *, name: str | None, best_first: bool) -> list[dict[str, Any]]:
    """One mapping a run: ``run``, ``state``, ``metric``, ``validation``, ``test``, ``differs``.

    Args:
        runs_dir: Where the run folders are.
        name: Only runs of this name; None: all.
        best_first: By the metric on the validation rows, each in its own direction; else newest first.
    """
    folders = [run for run in runs.find(runs_dir) if name is None or run.path.parent.name == name]
    found = [(run, _card(run)) for run in folders]
    differing = leaves.differing_keys([card for _, card in found if card])
    flats = [leaves.flatten(card) for _, card in found if card]
    keys = [key for key in differing if not key.startswith(NOT_COMPARED) and not _of_other_rows(key, flats)]
    rows = [_row(run, card, keys) for run, card in found]
    return sorted(rows, key=_rank) if best_first else rows


def listing_text(rows: list[dict[str, Any]]) -> str:
    """The runs as a table; keys that differ are columns."""
    if not rows:
        return f"no runs yet: `{advise('runcard', 'fit')}` makes one"
    keys = list(dict.fromkeys(key for row in rows for key in row["differs"]))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("run", "state", "metric", "validation", "test", *(key.removesuffix("._target_") for key in keys)):
        table.add_column(head, overflow="fold", justify="right" if head in ("validation", "test") else "left")
    for row in rows:
        scores = ["" if row[part] is None else f"{row[part]:.4f}" for part in ("validation", "test")]
        differs = [_shown(key, row["differs"].get(key)) for key in keys]
        table.add_row(*(Text(visible(text)) for text in (row["run"], row["state"], row["metric"], *scores, *differs)))
    return rendered(table, width_of(sys.stdout))


def _of_other_rows(key: str, flats: list[dict[str, Any]]) -> bool:
    """Whether a key names a column that not all of the tables have: that they are others, their paths say."""
    return key.startswith("data.kinds.") and not all(key in flat for flat in flats)


def _shown(key: str, value: Any) -> str:
    if value is None:
        return ""
    return str(value).rpartition(".")[2] if key.endswith("_target_") else str(value)


def _plain(value: Any) -> Any:
    """A value as JSON knows it; a card edited by hand may hold a date."""
    return value if isinstance(value, str | int | float | list | None) else str(value)


def _card(run: runs.RunFolder) -> dict[str, Any]:
    try:
        return run.read_card()
    except RunError:
        return {}


def _row(run: runs.RunFolder, card: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    flat = leaves.flatten(card)
    metric = str(flat.get("problem.metric", ""))
    scores: dict[str, Any] = {}
    state = "finished" if run.finished else "pruned" if run.pruned.is_file() else "unfinished"
    try:
        scores = files.read_json(run.metrics) if run.finished else {}
    except RunError:
        state = "damaged"
    if not all(isinstance(value, int | float) for value in scores.values()):
        state, scores = "damaged", {}
    return {
        "run": str(run.path),
        "state": state if card else "damaged",
        "metric": metric,
        "validation": scores.get(f"val/{metric}"),
        "test": scores.get(f"test/{metric}"),
        "differs": {key: _plain(flat.get(key)) for key in keys},
    }


def _rank(row: dict[str, Any]) -> tuple[bool, str, float]:
    metric, value = row["metric"], row["validation"]
    if value is None or metric not in METRICS:
        return True, metric, 0.0
    return False, metric, -value if METRICS[metric].maximize else value
