"""Runs and studies of a folder: state, scores, and the card's keys in which runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runcard import files, leaves, runs
from runcard.card.metrics import METRICS
from runcard.card.spelling import suggest
from runcard.errors import CardError, RunError
from runcard.studies import StudyFolder, count_trials
from runcard.tuning.ranking import is_number

# Where a run lies and how it is served say nothing about what it is, and the problem's texts would drown the numbers.
NOT_COMPARED = ("runs_dir", "name", "problem.", "serve.")
# How the place of a value begins that nobody typed: it was found for ``auto``.
SETTLED = "settled"


def list_runs(
    runs_dir: str, *, name: str | None, best_first: bool, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One mapping a run: ``run``, ``state``, ``metric``, ``validation``, ``test``, ``differs``.

    Args:
        runs_dir: Where the run folders are.
        name: Only runs of this name; None: all.
        best_first: By the metric on the validation rows, each in its own direction; else newest first.
        columns: The keys to show; None: those in which the cards differ, but what was settled by ``auto``.

    Raises:
        CardError: If no card has one of the columns.
    """
    folders = [run for run in runs.find(runs_dir) if name is None or run.path.parent.name == name]
    found = [(run, leaves.flatten(_card(run))) for run in folders]
    keys = _differing(found) if columns is None else _known(columns, [flat for _, flat in found])
    rows = [_row(run, flat, keys) for run, flat in found]
    return sorted(rows, key=_rank) if best_first else rows


def list_studies(studies_dir: str) -> list[dict[str, Any]]:
    """One mapping a study, by name: ``study``, ``done``, ``n_trials``, ``metric``, ``value``, ``winner``."""
    found = sorted(Path(studies_dir).expanduser().glob("[!.]*/study.json"))
    return [describe_study(path.parent) for path in found]


def describe_study(path: Path) -> dict[str, Any]:
    """As one of ``list_studies``."""
    try:
        return _study(StudyFolder(path))
    except RunError:
        return {"study": str(path), "state": "damaged"}


def describe_run(path: Path) -> dict[str, Any]:
    """As one of ``list_runs``, of no other run."""
    run = runs.RunFolder(path)
    return _row(run, leaves.flatten(_card(run)), ())


def _study(folder: StudyFolder) -> dict[str, Any]:
    summary = folder.read()
    done, wanted = count_trials(folder, summary)
    best = summary.get("best")
    number, value = (best.get("number"), best.get("value")) if isinstance(best, dict) else (None, None)
    return {
        "study": str(folder.path),
        "state": "finished" if done >= wanted else "unfinished",
        "done": done,
        "n_trials": wanted,
        "metric": str(summary.get("metric")),
        "value": value if is_number(value) else None,
        "winner": str(folder.trial(number).path) if isinstance(number, int) else None,
    }


def _differing(found: Sequence[tuple[runs.RunFolder, dict[str, Any]]]) -> list[str]:
    """The keys in which cards differ because somebody wanted it so."""
    flats = [flat for _, flat in found if flat]
    keys = [
        key
        for key in leaves.differing_keys(flats)
        if not key.startswith(NOT_COMPARED) and not _is_of_other_rows(key, flats)
    ]
    origins = [(flat, _origins(run)) for run, flat in found if flat] if keys else []
    return [key for key in keys if not all(_is_settled(key, origin) for flat, origin in origins if key in flat)]


def _known(columns: Sequence[str], flats: Sequence[Mapping[str, Any]]) -> list[str]:
    known = dict.fromkeys(key for flat in flats for key in flat)
    for key in columns:
        if known and key not in known:
            raise CardError(f"--columns {key}: no card of these runs has this key. {suggest(key, [*known])}")
    return list(columns)


def _is_of_other_rows(key: str, flats: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key names a column that not all of the tables have: that they are others, their paths say."""
    return key.startswith("data.kinds.") and not all(key in flat for flat in flats)


def _is_settled(key: str, origin: Mapping[str, Any]) -> bool:
    return str(origin.get(key, "")).startswith(SETTLED)


def _origins(run: runs.RunFolder) -> dict[str, Any]:
    try:
        return files.read_json(run.origin)
    except RunError:  # of a version that kept none
        return {}


def _plain(value: Any) -> Any:
    """A value as JSON knows it; a card edited by hand may hold a date."""
    return value if isinstance(value, str | int | float | list | None) else str(value)


def _card(run: runs.RunFolder) -> dict[str, Any]:
    try:
        return run.read_card()
    except RunError:
        return {}


def _row(run: runs.RunFolder, flat: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
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
        "state": state if flat else "damaged",
        "metric": metric,
        "validation": scores.get(f"val/{metric}"),
        "test": scores.get(f"test/{metric}"),
        "differs": {key: _plain(flat.get(key)) for key in keys},
    }


def _rank(row: Mapping[str, Any]) -> tuple[bool, str, float]:
    metric, value = row["metric"], row["validation"]
    if value is None or metric not in METRICS:
        return True, metric, 0.0
    return False, metric, -value if METRICS[metric].maximize else value
