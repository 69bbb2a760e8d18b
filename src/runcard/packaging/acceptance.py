"""Whether a run is good enough to be packaged, and what else its owner should know before it is served."""

from __future__ import annotations

import logging
from pathlib import Path

from runcard import studies
from runcard.advice import advise
from runcard.errors import ScoreError
from runcard.evaluation.predictor import Run
from runcard.evaluation.standing import is_acceptable, shortfalls

log = logging.getLogger("runcard")


def accept_run(run: Run, path: str | Path, *, anyhow: bool) -> None:
    """Log what a run falls short of: its card's least value, what is done today, the baselines, its study's trials.

    Args:
        run: A finished run.
        path: What was asked to be packaged: the run, or the study whose winner it is.
        anyhow: Whether it is let pass where it does not reach ``problem.least_value``.

    Raises:
        ScoreError: If it does not reach it, and is not let pass.
    """
    clauses = [*shortfalls(run.card, run.metrics)]
    if not anyhow and not is_acceptable(run.card, run.metrics):
        command = advise("runcard", "package", str(path), "--accept")
        raise ScoreError(f"{clauses[0]}: no bundle was made; {command} makes it all the same")
    for clause in clauses:
        log.warning("%s", clause)
    if studies.is_study(path):
        done, wanted = studies.progress(path)
        if done < wanted:
            log.warning("the study was stopped after %d of %d trials; this is the best of them", done, wanted)
