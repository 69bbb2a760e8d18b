"""Plots of a report, as SVG text to stand inside a page. The same numbers give the same bytes."""

from __future__ import annotations

import html
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from runcard.data.signature import Array

# Texts stay texts: smaller, and found by the browser's search. The salt keeps ids equal from run to run.
STYLE: Any = {
    "text.parse_math": False,  # a class may be called $5
    "svg.fonttype": "none",
    "svg.hashsalt": "runcard",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=["#0b6bcb", "#c2571a"]),
}
# Not what a matplotlibrc of whoever fits says, or it would call LaTeX; but the backend stays as it is.
PLAIN: Any = {**{key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}, **STYLE}
# With more classes than this the numbers in a confusion matrix can no longer be read.
MAX_LABELLED_CLASSES = 20


def curves(title: str, lines: Mapping[str, Sequence[float]], best_epoch: int) -> str:
    """Numbers by epoch, with the best epoch marked."""
    with mpl.rc_context(PLAIN):
        figure, axes = new_figure(4.6, 3.0)
        for name, values in lines.items():
            marker = "o" if len(values) == 1 else None
            axes.plot(range(len(values)), values, label=name, linewidth=1.6, marker=marker)
        axes.axvline(best_epoch, color="#888", linewidth=1, linestyle=":", label=f"best epoch {best_epoch}")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
        return svg_text(figure)


def confusion(truth: NDArray[np.int64], chosen: NDArray[np.int64], classes: Sequence[str]) -> str:
    """How many rows of each class were given each class."""
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (truth, chosen), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with mpl.rc_context(PLAIN):
        side = min(2.2 + 0.36 * len(classes), 8)
        figure, axes = new_figure(side + 0.6, side)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set(title="Confusion matrix (rows)", xlabel="answered", ylabel="true")
        if len(classes) <= MAX_LABELLED_CLASSES:
            turned = max(map(len, classes)) > 3
            axes.set_xticks(
                range(len(classes)), classes, rotation=45 if turned else 0, ha="right" if turned else "center"
            )
            axes.set_yticks(range(len(classes)), classes)
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    color = "white" if shares[row, column] > 0.5 else "black"
                    axes.text(column, row, str(count), ha="center", va="center", color=color)
        return svg_text(figure)


def residuals(truth: Array, answers: NDArray[np.float64]) -> str:
    """Answers against the truth, and how the differences are spread."""
    with mpl.rc_context(PLAIN):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.scatter(truth, answers, s=12, alpha=0.6, linewidths=0)
        ends = [min(truth.min(), answers.min()), max(truth.max(), answers.max())]
        left.plot(ends, ends, color="#888", linewidth=1, linestyle=":")
        left.set(title="Answers and truth", xlabel="true", ylabel="answered")
        right.hist(answers - truth, bins=min(40, max(5, len(truth) // 8)))
        right.axvline(0, color="#888", linewidth=1, linestyle=":")
        right.set(title="Residuals", xlabel="answered - true", ylabel="rows")
        return svg_text(figure)


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty picture of one plot; width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def svg_text(figure: Figure, said: str | None = None) -> str:
    """A picture as it stands inside a page.

    Args:
        figure: Drawn under the settings ``PLAIN``.
        said: What is read out in place of the picture; without it, its texts are.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Names of classes may be longer than the figure, or in letters that only the browser's fonts have.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]  # without the XML prologue, which has no place inside HTML
    return text if said is None else f'<svg role="img" aria-label="{html.escape(said)}"{text.removeprefix("<svg")}'
