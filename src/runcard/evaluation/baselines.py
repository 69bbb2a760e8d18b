"""What a model must beat: the trivial answer and a linear model, by scikit-learn, on the same split and inputs."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.dataset import Dataset
from runcard.data.signature import Array

# Enough to fit a linear model well; more only takes longer.
MAX_ROWS = 50_000
# Of rows on disk fewer, and no more than fit into 128 MB as float64.
MAX_LAZY_ROWS = 20_000
MAX_LAZY_NUMBERS = 2**24


def baseline_answers(data: Dataset, seed: int, threads: int) -> dict[str, NDArray[np.float64]]:
    """Fit the baselines on the training part and answer the test part.

    Args:
        data: The rows; at most ``most_rows`` of the training part are used.
        seed: Which, if there are more.
        threads: Processor threads for the linear algebra.

    Returns:
        ``trivial`` and ``linear`` → probabilities ``(rows, classes)``, or numbers ``(rows,)``.
    """
    # Imported here: only who compares pays the second that it takes.
    from threadpoolctl import threadpool_limits

    truth, classes = data.targets("train"), bool(data.signature.target.classes)
    chosen = _sample(truth, seed, classes, most_rows(data))
    inputs, truth = _flat(data.take(data.indices("train")[chosen])), truth[chosen]
    parts = list(data.stretches(data.indices("test")))
    answers = {}
    with threadpool_limits(threads), warnings.catch_warnings():
        # A linear model that needs more than its iterations is still a fair line to beat.
        warnings.simplefilter("ignore")
        for name, model in _models(classes).items():
            model.fit(inputs, truth)
            # Numbers are learned scaled, as the model learns them: a large offset would drown in float32.
            answer = model.predict_proba if classes else model.predict
            guess = np.concatenate([answer(_flat(data.take(part))) for part in parts])
            answers[name] = guess if classes else data.transforms.target.decode(guess[:, None])
    return answers


def most_rows(data: Dataset) -> int:
    """How many training rows the baselines learn from, if there are so many."""
    if not data.lazy:
        return MAX_ROWS
    width = math.prod(data.transforms.input_shape(data.signature))
    return min(MAX_LAZY_ROWS, max(1, MAX_LAZY_NUMBERS // width))


def _sample(truth: Array, seed: int, classes: bool, most: int) -> NDArray[np.int64]:
    """At most so many row numbers, ascending, and of each class at least one."""
    chosen = np.random.default_rng(seed).permutation(len(truth))[:most]
    first = np.unique(truth, return_index=True)[1] if classes else chosen
    return np.union1d(chosen, first)


def _models(classes: bool) -> dict[str, Any]:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if classes:
        return {"trivial": DummyClassifier(strategy="prior"), "linear": LogisticRegression(max_iter=1000)}
    return {"trivial": DummyRegressor(strategy="mean"), "linear": Ridge()}


def _flat(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    return inputs.reshape(len(inputs), -1).astype(np.float64)
