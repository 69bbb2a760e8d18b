"""One page for people about a study: what won and how sure that is, then how it was found, then every trial."""

from __future__ import annotations

import os
import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from runcard.evaluation import page
from runcard.leaves import shown
from runcard.tuning import plots, timeline
from runcard.tuning.doubts import find_doubts
from runcard.tuning.ranking import Trial, grouped, run_values, spread
from runcard.tuning.scales import Scale, scale_of, values_of, varied
from runcard.visible import visible

# Keys in plots; the least important are left out.
MAX_KEYS = 8
# Fewer points say nothing about a key.
MIN_POINTS = 2
# Longer tables are folded away at first.
OPEN_ROWS = 50


def render(summary: Mapping[str, Any]) -> str:
    """The report as one HTML text that needs nothing else: plots inline, no script, no network.

    Args:
        summary: What ``study.json`` holds; nothing else is read. Also of a study that goes on, or has nothing finished.
    """
    trials, rows = summary["trials"], grouped(summary)
    importance = summary.get("importance") or {}
    keys = varied(trials, importance)
    scales = _scales(summary, keys)
    same = {key: value for trial in trials[:1] for key, value in trial["params"].items() if key not in keys}
    return page.filled(
        "runcard.tuning",
        "report.html",
        summary=summary,
        name=_told(os.path.basename(summary["study"])),
        told=_told,
        link=lambda trial: _link(summary["study"], trial["run"]),
        doubts=[visible(line) for line in find_doubts(summary)],
        commands=_commands(summary),
        saved=epochs_saved(trials),
        pictures=_pictures(summary, scales, importance),
        hidden=plots.hidden(summary),
        left_out=[key for key in keys if key not in {scale.name for scale in scales}],
        rows=[row for row in rows if row["value"] is not None] if _has_groups(summary, rows) else [],
        keys=keys,
        same=same,
        std=lambda trial: spread(run_values(trial)),
        worker=timeline.worker,
        open_rows=OPEN_ROWS,
        most_curves=timeline.MAX_CURVES,
    )


def epochs_saved(trials: Sequence[Trial]) -> tuple[float, float] | None:
    """About how many epochs pruning saved, were the pruned trials as long as the complete ones; and of how many.

    Returns:
        None if nothing was pruned, or nothing finished to compare it with.
    """
    complete, pruned = (
        [trial["epochs"] for trial in trials if trial["state"] == state and trial["epochs"] is not None]
        for state in ("COMPLETE", "PRUNED")
    )
    if not complete or not pruned:
        return None
    saved = sum(statistics.fmean(complete) - own for own in pruned)
    return saved, sum(complete) + sum(pruned) + saved


def _scales(summary: Mapping[str, Any], keys: Sequence[str]) -> list[Scale]:
    """The axes of the most important keys of which finished trials say something."""
    scales = [scale_of(key, values_of(key, plots.finished(summary))) for key in keys]
    return [scale for scale in scales if len(scale.places) >= MIN_POINTS][:MAX_KEYS]


def _pictures(
    summary: Mapping[str, Any], scales: Sequence[Scale], importance: Mapping[str, float]
) -> dict[str, list[str]]:
    """Title → plots; without those that have nothing to show."""
    done = plots.finished(summary)
    drawn = {
        "History": [plots.history(summary, objective) for objective in range(len(summary["metrics"])) if done],
        "Trade-off": [plots.trade_off(summary, other) for other in range(1, len(summary["metrics"])) if done],
        "Importance": [plots.importance(dict([*importance.items()][:MAX_KEYS]))] if importance else [],
        "Each key": [plots.slice_of(summary, scale) for scale in scales],
        "All keys at once": [plots.parallel(summary, scales)] if scales else [],
        "On the way": [timeline.curves(summary)],
        "Who ran what when": [timeline.timeline(summary)],
    }
    return {title: [picture for picture in pictures if picture] for title, pictures in drawn.items()}


def _told(value: Any) -> str:
    """A value of a card, or a number, as a table names it."""
    return "–" if value is None else visible(shown(value))


def _link(study: str, run: str) -> str:
    """From the report to a run folder: relative, for a study may be moved; encoded, so that it is no scheme."""
    return quote(os.path.relpath(run, study), errors="surrogateescape") + "/"


def _commands(summary: Mapping[str, Any]) -> list[str]:
    if summary["best"] is None:
        return []
    study = summary["study"]
    run = os.path.normpath(os.path.join(study, os.path.relpath(summary["best"]["run"], study)))
    return [visible(f"runcard {verb} {shlex.quote(place)}") for verb, place in (("evaluate", run), ("package", study))]


def _has_groups(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    return summary["sampler"] == "grid" or any(len(row["trials"]) > 1 for row in rows)
