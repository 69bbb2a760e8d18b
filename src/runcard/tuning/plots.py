"""Plots of what a study found: by trial, by key, and all keys at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from runcard.evaluation.plots import PLAIN, new_figure, svg_text
from runcard.tuning.ranking import Trial, is_number, is_ranked, run_values, spread
from runcard.tuning.scales import Scale, key_label, label, scale_of, window

DARK, QUIET = "#1b1f24", "#59626e"
# State → color and marker: whoever does not see the one sees the other.
MARKS = {"COMPLETE": ("#0b6bcb", "o"), "PRUNED": ("#c2571a", "v"), "FAIL": ("#b3261e", "x"), "RUNNING": (QUIET, "s")}
DOT: Any = {"linestyle": "none", "markersize": 4, "markeredgewidth": 0.8}
RING: Any = {"linestyle": "none", "marker": "o", "markersize": 9, "markerfacecolor": "none", "color": DARK}
# Where a trial's line passes the axis of a key that it does not have.
UNSET = -0.14


def mark(state: str) -> Any:
    """Color and marker of a state, for a plot."""
    return dict(zip(("color", "marker"), MARKS[state], strict=True))


def finished(summary: Mapping[str, Any]) -> list[Trial]:
    """The trials that can be compared."""
    return [trial for trial in summary["trials"] if is_ranked(trial, len(summary["directions"]))]


def hidden(summary: Mapping[str, Any]) -> int:
    """How many values of the first objective are drawn at the edge, for they lie too far off."""
    done = finished(summary)
    drawn = _values(summary) if done else {}
    return sum(trial["value"] != drawn[trial["number"]] for trial in done)


def history(summary: Mapping[str, Any], objective: int = 0) -> str:
    """One objective's value by trial, and the best so far; needs a finished trial."""
    upward, metric = _upward(summary, objective), summary["metrics"][objective]
    points = {trial["number"]: trial["values"][objective] for trial in finished(summary)}
    pruned = _last_reports(summary) if objective == 0 else {}
    ends = window([*points.values(), *pruned.values()], upward=upward)
    best = (np.maximum if upward else np.minimum).accumulate(np.clip([*points.values()], *ends))
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(8.4, 3.2)
        _dots(axes, points, "COMPLETE", ends)
        _dots(axes, pruned, "PRUNED", ends)
        if objective == 0:
            _spreads(axes, summary, ends)
        axes.step([*points], best, where="post", color=DARK, linewidth=1.6, label="best so far")
        failed = [trial["number"] for trial in summary["trials"] if trial["state"] == "FAIL"]
        if failed:
            style: Any = {"transform": axes.get_xaxis_transform(), "label": "fail", **mark("FAIL"), **DOT}
            axes.plot(failed, [0.02] * len(failed), **style)  # at the bottom, for they have no value
        axes.set(xlabel="trial", ylabel=label(metric))
        limit(axes, ends)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.legend(loc="outside upper left", ncols=4, frameon=False)
        return svg_text(figure, f"{metric} by trial, of {len(points)} finished ones; the best is {best[-1]:.6g}")


def trade_off(summary: Mapping[str, Any], objective: int) -> str:
    """The first objective against another, the front marked; needs a finished trial."""
    first, second = _values(summary), _values(summary, objective)
    pairs = {number: (first[number], second[number]) for number in first}
    front = sorted(pairs[told["number"]] for told in summary["front"])
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(4.6, 3.4)
        axes.plot(*zip(*pairs.values(), strict=True), label="finished", **mark("COMPLETE"), **DOT)
        line = ":" if len(summary["metrics"]) == 2 else "none"
        axes.plot(*zip(*front, strict=True), **RING | {"linestyle": line}, label="Pareto front")
        axes.set(xlabel=_aim(summary, 0), ylabel=_aim(summary, objective))
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        told = ", ".join(str(trial["number"]) for trial in summary["front"])
        named = f"{summary['metrics'][0]} against {summary['metrics'][objective]}"
        return svg_text(figure, f"{named}; on the Pareto front: trials {told}")


def importance(shares: Mapping[str, float]) -> str:
    """How much of the variation each key explains."""
    names = list(shares)[::-1]
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(4.6, 0.7 + 0.28 * len(names))
        axes.barh(range(len(names)), [shares[name] for name in names], height=0.6)
        for place, name in enumerate(names):
            axes.text(shares[name], place, f" {shares[name]:.0%}", va="center")
        axes.set_yticks(range(len(names)), [key_label(name) for name in names])
        axes.set(xlim=(0, 1.12 * max(*shares.values(), 0.01)), xticks=[])
        return svg_text(figure, "importance: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))


def slice_of(summary: Mapping[str, Any], scale: Scale) -> str:
    """The first objective against one key; needs a finished trial."""
    values, best = _values(summary), summary["best"]["number"]
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(3.2, 2.5)
        points = {number: place + _aside(number, scale) for number, place in scale.places.items() if number in values}
        drawn = [values[number] for number in points]
        axes.plot([*points.values()], drawn, alpha=0.7, **mark("COMPLETE"), **DOT)
        if best in points:
            axes.plot([points[best]], [values[best]], **RING)
        _ticks(axes, scale)
        limit(axes, (min(values.values()), max(values.values())))
        axes.set(title=key_label(scale.name), xlim=(-0.08, 1.08), ylabel=label(summary["metrics"][0]))
        return svg_text(figure, f"{summary['metrics'][0]} against {scale.name}, {len(points)} trials")


def parallel(summary: Mapping[str, Any], scales: Sequence[Scale]) -> str:
    """A line for each finished trial through its value of each key to how good it was; needs a finished trial."""
    values = _values(summary)
    every = [*scales, scale_of(summary["metrics"][0], values)]
    ranked = sorted(values, key=lambda number: values[number], reverse=not _upward(summary))
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(1.2 + 1.35 * len(scales), 3.8)
        lines = [[(x, scale.places.get(number, UNSET)) for x, scale in enumerate(every)] for number in ranked]
        alpha = max(0.15, min(0.6, 60 / len(lines)))  # many would hide each other
        shades = mpl.colormaps["viridis_r"](np.linspace(0.15, 1, len(ranked)))  # paler ones are lost on white
        axes.add_collection(LineCollection(lines, colors=shades, linewidths=0.9, alpha=alpha))
        axes.plot(*zip(*lines[ranked.index(summary["best"]["number"])], strict=True), color=DARK, linewidth=2.4)
        unset = [scale.name for scale in every if len(scale.places) < len(values)]
        for x, scale in enumerate(every):
            _upright(axes, x, scale, scale.name in unset)
        axes.set(xlim=(-0.1, len(every) - 0.55), ylim=((UNSET if unset else 0) - 0.06, 1.04), yticks=[])
        axes.set_xticks(range(len(every)), [key_label(scale.name) for scale in every])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        said = ", ".join(scale.name for scale in every)
        return svg_text(figure, f"{len(values)} trials by {said}; the winner is the thick line")


def _aside(number: int, scale: Scale) -> float:
    """How far a point is moved, so that those of one name do not hide each other."""
    return 0.0 if scale.numeric else 0.06 * (number * 0.618 % 1 - 0.5)


def _dots(axes: Axes, points: Mapping[int, float], state: str, ends: tuple[float, float]) -> None:
    if points:
        named = "complete" if state == "COMPLETE" else "pruned, its last report"
        axes.plot([*points], np.clip([*points.values()], *ends), label=named, **mark(state), **DOT)


def _spreads(axes: Axes, summary: Mapping[str, Any], ends: tuple[float, float]) -> None:
    for trial in finished(summary):
        std = spread(run_values(trial))
        if std:
            reach = np.clip([trial["value"] - std, trial["value"] + std], *ends)
            axes.plot([trial["number"]] * 2, reach, color=MARKS["COMPLETE"][0], linewidth=0.8, alpha=0.6)


def _last_reports(summary: Mapping[str, Any]) -> dict[int, float]:
    pruned = [trial for trial in summary["trials"] if trial["state"] == "PRUNED" and trial["reports"]]
    return {trial["number"]: trial["reports"][-1][1] for trial in pruned if is_number(trial["reports"][-1][1])}


def limit(axes: Axes, ends: tuple[float, float]) -> None:
    """Show just the window, with some air."""
    air = 0.06 * (ends[1] - ends[0]) or abs(ends[0]) * 0.05 or 1.0
    axes.set_ylim(ends[0] - air, ends[1] + air)


def _values(summary: Mapping[str, Any], objective: int = 0) -> dict[int, float]:
    """Where the values of the finished trials are drawn, by number."""
    values = {trial["number"]: trial["values"][objective] for trial in finished(summary)}
    low, high = window([*values.values()], upward=_upward(summary, objective))
    return {number: min(max(value, low), high) for number, value in values.items()}


def _upward(summary: Mapping[str, Any], objective: int = 0) -> bool:
    return bool(summary["directions"][objective] == "maximize")


def _aim(summary: Mapping[str, Any], objective: int) -> str:
    more = "more" if _upward(summary, objective) else "less"
    return f"{label(summary['metrics'][objective])} ({more} is better)"


def _ticks(axes: Axes, scale: Scale) -> None:
    texts = [text for _, text in scale.ticks]
    turned = sum(map(len, texts)) > 26
    style: Any = {"rotation": 40, "ha": "right"} if turned else {}
    axes.set_xticks([place for place, _ in scale.ticks], texts, **style)


def _upright(axes: Axes, x: int, scale: Scale, some_unset: bool) -> None:
    """One axis of many that stand side by side."""
    axes.axvline(x, color=QUIET, linewidth=0.8)
    behind = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6}
    for place, text in [*scale.ticks, *([(UNSET, "not set")] if some_unset else [])]:
        axes.text(x + 0.03, place, text, fontsize=8, va="center", bbox=behind)
