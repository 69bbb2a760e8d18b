"""What a trained model costs whoever serves it: time, room, weights."""

from __future__ import annotations

import statistics
import time

from runcard.data.dataset import Dataset
from runcard.evaluation.predictor import Run

WARM_UP = 3
ANSWERS = 50
# In all: a slow network is known well enough after a few answers.
MAX_S = 0.3


def costs(run: Run, data: Dataset) -> dict[str, float]:
    """What ``card.metrics.MEASURED`` names, of a finished run.

    Args:
        run: The run.
        data: Its rows.

    Returns:
        ``latency_ms``: the median time in milliseconds to answer one row, from its columns to probabilities, on this
        machine's CPU as busy as it is; ``size_mb``: what is stored of the network, batch norm's averages too, in 10⁶
        bytes; ``parameters``: how many weights it has.
    """
    weights = list(run.model.parameters())
    stored = [*weights, *run.model.buffers()]
    row = data.rows.pick(data.indices("validation")[:1])
    for _ in range(WARM_UP):
        run.answer(row)
    times: list[float] = []
    until = time.perf_counter() + MAX_S
    while len(times) < ANSWERS and (not times or time.perf_counter() < until):
        began = time.perf_counter()
        run.answer(row)
        times.append(time.perf_counter() - began)
    return {
        "latency_ms": 1000 * statistics.median(times),
        "size_mb": sum(weight.numel() * weight.element_size() for weight in stored) / 1e6,
        "parameters": float(sum(weight.numel() for weight in weights)),
    }
