"""Answers before anybody asks: what is slow the first time is done then, and how long an answer takes is known."""

from __future__ import annotations

import statistics
import time

from runcard.serving.batch import warm_tables
from runcard.serving.http import encoded
from runcard.serving.predictor import Predictor

ROUNDS = 20


def warm(predictor: Predictor) -> float:
    """Answer reference rows, one at a time; read and write a table.

    Returns:
        Seconds of one answer, the median.
    """
    rows = predictor.bundle.rows
    bodies = [encoded(dict(rows[number % len(rows)])) for number in range(ROUNDS)]
    seconds = []
    for body in bodies:
        started = time.perf_counter()
        encoded(predictor.predict(body))
        seconds.append(time.perf_counter() - started)
    warm_tables()
    return statistics.median(seconds)
