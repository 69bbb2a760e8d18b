"""What a model must beat: the trivial answer and a linear model, by scikit-learn, on the same split and inputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.dataset import Dataset
from runcard.data.signature import Array

# Enough to fit a linear model well; more only takes longer.
MAX_ROWS = 50_000


def baseline_answers(data: Dataset, seed: int, threads: int) -> dict[str, NDArray[np.float64]]:
    """Fit the baselines on the training part and answer the test part.

    Args:
        data: The rows; at most ``MAX_ROWS`` of the training part are used.
        seed: Which, if there are more.
        threads: Processor threads for the linear algebra.

    Returns:
        ``trivial`` and ``linear`` → probabilities ``(rows, classes)``, or numbers ``(rows,)``.
    """
    # Imported here: only who compares pays the second that it takes.
    from threadpoolctl import threadpool_limits

    truth, classes = data.targets("train"), bool(data.signature.target.classes)
    chosen = _sample(truth, seed, classes)
    inputs, truth = _flat(data.inputs("train"))[chosen], truth[chosen]
    test = _flat(data.inputs("test"))
    answers = {}
    with threadpool_limits(threads), warnings.catch_warnings():
        # A linear model that needs more than its iterations is still a fair line to beat.
        warnings.simplefilter("ignore")
        for name, model in _models(classes).items():
            model.fit(inputs, truth)
            # Numbers are learned scaled, as the model learns them: a large offset would drown in float32.
            guess = (
                model.predict_proba(test) if classes else data.transforms.target.decode(model.predict(test)[:, None])
            )
            answers[name] = np.asarray(guess, dtype=np.float64)
    return answers


def _sample(truth: Array, seed: int, classes: bool) -> NDArray[np.int64]:
    """At most ``MAX_ROWS`` row numbers, ascending, and of each class at least one."""
    chosen = np.random.default_rng(seed).permutation(len(truth))[:MAX_ROWS]
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
