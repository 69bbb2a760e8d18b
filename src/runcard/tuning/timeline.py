"""Plots of how a study went: what trials reported on their way, and who ran what when."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from runcard.evaluation.plots import PLAIN, new_figure, svg_text
from runcard.tuning.plots import DARK, MARKS, limit, mark
from runcard.tuning.ranking import Trial, is_number
from runcard.tuning.scales import label, window

# More lines, or more points of one, make a page slow and no clearer.
MAX_CURVES, MAX_POINTS = 100, 100
DASHES = {"COMPLETE": "-", "PRUNED": "--", "FAIL": ":", "RUNNING": "-."}
HATCHES = {"COMPLETE": "", "PRUNED": "////", "FAIL": "xxxx", "RUNNING": "...."}
# Rest of more than this part of the work is cut out of the time.
MAX_REST = 0.05
# With more workers rows have no names.
MAX_ROWS = 40
UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))

# A trial with its first and last second.
Span = tuple[Trial, float, float]


def curves(summary: Mapping[str, Any]) -> str:
    """What trials reported; empty if none did."""
    told = {trial["number"]: _reports(trial) for trial in summary["trials"]}
    shown = _some([trial for trial in summary["trials"] if told[trial["number"]]], summary["best"])
    if not shown:
        return ""
    values = [value for trial in shown for _, value in told[trial["number"]]]
    low, high = window(values, upward=summary["directions"][0] == "maximize")
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(8.4, 3.4)
        for trial in shown:
            _curve(axes, trial, told[trial["number"]], (2 * low - high, 2 * high - low), summary["best"])
        step = "seed" if summary["pruner"] == "wilcoxon" else "epoch"
        axes.set(xlabel=step, ylabel=label(summary["metrics"][0]))
        limit(axes, (low, high))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        named = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
        figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=5, frameon=False)
        return svg_text(figure, f"{summary['metrics'][0]} by {step} of {len(shown)} trials")


def timeline(summary: Mapping[str, Any]) -> str:
    """Who ran what when; empty if no trial was begun."""
    spans = _spans(summary["trials"])
    if not spans:
        return ""
    moved, cuts, length = _without_rest(spans)
    unit, seconds = next((pair for pair in UNITS if length >= 2 * pair[1]), UNITS[-1])
    names, rows = _rows(moved)
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(8.4, 1.2 + 0.3 * min(max(rows) + 1, MAX_ROWS))
        _bars(axes, moved, rows, seconds)
        _numbers(axes, moved, rows, seconds, length)
        for cut in cuts:
            axes.axvline(cut / seconds, color=DARK, linewidth=1, linestyle=":")
        axes.set_yticks(range(len(names)), [label(name) for name in names])
        axes.set(xlabel=unit + (", without the rest at the dotted lines" if cuts else ""), ylim=(max(rows) + 0.6, -0.6))
        present = [state for state in MARKS if any(trial["state"] == state for trial, _, _ in moved)]
        figure.legend(handles=[_patch(state) for state in present], loc="outside upper left", ncols=4, frameon=False)
        return svg_text(figure, f"{len(moved)} trials, {max(rows) + 1} rows, {length / seconds:.3g} {unit}")


def worker(trial: Trial) -> str:
    """Who ran a trial."""
    name = trial["worker"]
    return "?" if name is None else f"worker {name}" if str(name).isdigit() else str(name)


def _rows(spans: Sequence[Span]) -> tuple[list[str], list[int]]:
    """Names of rows, and each span's row: its worker's; of too many workers, such as jobs, the first that is free."""
    names = sorted({worker(trial) for trial, _, _ in spans}, key=lambda name: (len(name), name))
    if len(names) <= MAX_ROWS:
        return names, [names.index(worker(trial)) for trial, _, _ in spans]
    free_from: list[float] = []
    rows = []
    for _, begin, end in spans:
        rows.append(next((row for row, moment in enumerate(free_from) if moment <= begin), len(free_from)))
        free_from[rows[-1] :] = [end, *free_from[rows[-1] + 1 :]]
    return [], rows


def _reports(trial: Trial) -> list[tuple[float, float]]:
    points = [(step, value) for step, value in trial["reports"] if is_number(value)]
    return points[:: math.ceil(len(points) / MAX_POINTS) or 1]


def _some(trials: Sequence[Trial], best: Mapping[str, Any] | None) -> list[Trial]:
    """At most so many, spread over the study, and the winner last, to lie above the others."""
    chosen = trials[:: math.ceil(len(trials) / MAX_CURVES) or 1]
    number = best and best["number"]
    winner = [trial for trial in trials if trial["number"] == number]
    return [trial for trial in chosen if trial["number"] != number] + winner


def _curve(
    axes: Axes,
    trial: Trial,
    points: Sequence[tuple[float, float]],
    reach: tuple[float, float],
    best: Mapping[str, Any] | None,
) -> None:
    """One line; ``reach`` bounds how far it leaves the picture."""
    style: Any = {"linewidth": 0.9, "alpha": 0.6, "label": trial["state"].lower(), **mark(trial["state"])}
    if best and best["number"] == trial["number"]:
        style |= {"linewidth": 2.4, "alpha": 1.0, "label": "the winner", "color": DARK}
    style |= {"linestyle": DASHES[trial["state"]], "markersize": 4, "markevery": [len(points) - 1]}
    steps, values = zip(*points, strict=True)
    axes.plot(steps, np.clip(values, *reach), **style)


def _spans(trials: Sequence[Trial]) -> list[Span]:
    """Each begun trial with its first and last second; of one that runs, the last that is known of any."""
    begun = [(trial, _seconds(trial["started"])) for trial in trials if trial["started"]]
    last = max((begin + (trial["seconds"] or 0.0) for trial, begin in begun), default=0.0)
    ends = [begin + trial["seconds"] if trial["seconds"] is not None else last for trial, begin in begun]
    spans = [(trial, begin, max(begin, end)) for (trial, begin), end in zip(begun, ends, strict=True)]
    return sorted(spans, key=lambda span: span[1])


def _seconds(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment).timestamp()


def _without_rest(
    spans: Sequence[Span],
) -> tuple[list[Span], list[float], float]:
    """The spans moved together where long nobody ran, as between two commands; where that was; how long it all took."""
    reached = list(itertools.accumulate((end for _, _, end in spans), max))
    gaps = np.array([0.0, *(span[1] - end for span, end in zip(spans[1:], reached, strict=False))]).clip(min=0)
    busy = reached[-1] - spans[0][1] - gaps.sum()
    gaps[gaps <= MAX_REST * busy] = 0.0
    off = spans[0][1] + gaps.cumsum()
    moved = [(trial, begin - less, end - less) for (trial, begin, end), less in zip(spans, off.tolist(), strict=True)]
    return moved, [moved[place][1] for place in np.flatnonzero(gaps)], max(end for _, _, end in moved)


def _bars(axes: Axes, spans: Sequence[Span], rows: Sequence[int], seconds: float) -> None:
    drawn: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for (trial, begin, end), row in zip(spans, rows, strict=True):
        drawn.setdefault((row, trial["state"]), []).append((begin / seconds, (end - begin) / seconds))
    for (row, state), bars in drawn.items():
        style: dict[str, Any] = {"facecolor": MARKS[state][0], "edgecolor": "white", "linewidth": 0.4}
        axes.broken_barh(bars, (row - 0.4, 0.8), hatch=HATCHES[state], **style)


def _numbers(axes: Axes, spans: Sequence[Span], rows: Sequence[int], seconds: float, length: float) -> None:
    """Trial numbers, in bars that have the room."""
    behind = {"facecolor": "white", "linewidth": 0, "pad": 0.8}
    for (trial, begin, end), row in zip(spans, rows, strict=True):
        if end - begin > 0.03 * length:
            middle = (begin + end) / 2 / seconds
            axes.text(middle, row, trial["number"], ha="center", va="center", fontsize=7, bbox=behind)


def _patch(state: str) -> Patch:
    return Patch(facecolor=MARKS[state][0], edgecolor="white", hatch=HATCHES[state], label=state.lower())
