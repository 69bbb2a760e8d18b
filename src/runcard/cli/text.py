"""What the verbs say to people."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runcard.advice import advise
from runcard.hiding import Hiding
from runcard.leaves import shown

if TYPE_CHECKING:
    from runcard.card.plan import Plan
    from runcard.evaluation.otherrows import FileScores
    from runcard.evaluation.predictor import Run
    from runcard.packaging.package import Packaged
    from runcard.verifying import Verdict


def run_text(run: Run) -> str:
    """How good a run is and where it lies."""
    from runcard.evaluation.standing import standards

    metric, metrics = run.card.problem.metric, run.metrics
    lines = [f"{run.card.name}: {metric} {_shown(metrics.get(f'test/{metric}'))} on the test rows"]
    least, _, trivial, linear = standards(run.card, metrics)
    for name, baseline in (("linear", linear), ("trivial", trivial)):
        if baseline.value is not None:
            lines.append(f"  {name} baseline    {_shown(baseline.value)}{', NOT beaten' * (baseline.met is False)}")
    if least.met is not None:
        lines.append(f"  least acceptable {_shown(least.value)}, {'reached' if least.met else 'NOT reached'}")
    lines.append(f"run     {shown_path(run.path)}")
    if run.folder.report.is_file():
        lines.append(f"report  {shown_path(run.folder.report)}")
    return "\n".join(lines)


def scores_text(run: Run, file: str, scores: FileScores) -> str:
    """How good a run is on a file of other rows, beside its own test rows."""
    from runcard.evaluation.standing import standards

    metric, left = run.card.problem.metric, f", {scores.left_out} without a truth left out" * (scores.left_out > 0)
    lines = [f"warning: {warning}" for warning in scores.warnings]
    lines.append(
        f"{run.card.name}: {metric} {_shown(scores.metrics.get(metric))} on {scores.rows} rows of {file}{left}"
    )
    for name, value in scores.metrics.items():
        lines.append(f"  {name:18} {_shown(value)}   test rows {_shown(run.metrics.get(f'test/{name}'))}")
    least = standards(run.card, {f"test/{name}": value for name, value in scores.metrics.items()})[0]
    if least.met is not None:
        lines.append(f"  least acceptable   {_shown(least.value)}, {'reached' if least.met else 'NOT reached'}")
    return "\n".join(lines)


def packaged_text(packaged: Packaged) -> str:
    """Where a bundle is and what was done to prove it."""
    from runcard.serving.launch import SERVICE

    http = f"and {packaged.http} over HTTP" if packaged.http else "and none over HTTP (--no-http)"
    more = f"{', signed' * packaged.signed}{', served with torch' * (packaged.runtime == 'torch')}"
    return (
        f"bundle  {packaged.tag}{more}\nfolder  {packaged.path}\n"
        f"answers as the run did, to {packaged.deviation:.1e}: "
        f"{packaged.compared} rows, {packaged.again} of them one by one too, {http}\n"
        f"next    {advise('runcard', 'serve')}, or {advise('bentoml', 'serve', SERVICE)}"
    )


def verdict_text(verdict: Verdict) -> str:
    """Whether a run came out the same again, and where it did not."""
    lines = [f"{name} was {then} and is {now}" for name, (then, now) in verdict.elsewhere.items()]
    how = f"within {verdict.tolerance:g}" if verdict.tolerance else "to the last bit"
    if verdict.same:
        parts = f"{verdict.steps} steps, weights, scores and the answers to {verdict.predictions} test rows"
        return "\n".join([*lines, f"the same {how}: {parts}"])
    return "\n".join([*lines, f"NOT the same {how}:", *(f"  {what}" for what in verdict.differs)])


def space_text(plan: Plan) -> str:
    """What a sweep tries."""
    of = f", of {int(plan.size)} points" if plan.size < math.inf else ""
    settings = plan.settings
    how = [f"sampler {settings.sampler}", *([f"pruner {settings.pruner}"] if settings.pruner != "none" else [])]
    how += [f"{settings.workers} workers"] if settings.workers > 1 else []
    how += [f"{settings.seeds} seeds each"] if settings.seeds > 1 else []
    lines = [f"{plan.trials} trials, {', '.join(how)}{of}"]
    lines += [f"  {key}: {values}" for key, values in plan.written_space.items()]
    tried = [" ".join(f"{key}={shown(value)}" for key, value in point.items()) for point in plan.first]
    return "\n".join([*lines, *(f"  first: {point}" for point in tried)])


class _ToStderr(logging.Handler):
    """Writes to what is stderr now: while a bar is drawn, rich puts a stream there that writes above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def said_to_people() -> Iterator[None]:
    """Show on stderr what the line reports while it works; its details stay in the run's log."""
    handler = _ToStderr()
    handler.setLevel(logging.INFO)
    handler.setFormatter(Hiding("%(message)s"))
    logger = logging.getLogger("runcard")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def shown_path(path: Path) -> str:
    """Relative to the working directory when below it: shorter, and ready to paste."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _shown(value: float | None) -> str:
    return "not defined on these rows" if value is None else f"{value:.4f}"
