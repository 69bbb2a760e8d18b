"""What a model must beat: the trivial answer and a linear model, by scikit-learn, on the same split and inputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.dataset import Dataset

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

    chosen = np.random.default_rng(seed).permutation(len(data.indices("train")))[:MAX_ROWS]
    inputs = _flat(data.inputs("train"))[np.sort(chosen)]
    truth = data.transforms.target.encode(data.truth("train")) if _classes(data) else data.truth("train")
    test = _flat(data.inputs("test"))
    answers = {}
    with threadpool_limits(threads), warnings.catch_warnings():
        # A linear model that needs more than its iterations is still a fair line to beat.
        warnings.simplefilter("ignore")
        for name, model in _models(_classes(data)).items():
            model.fit(inputs, truth[np.sort(chosen)])
            answer = model.predict_proba(test) if _classes(data) else model.predict(test)
            answers[name] = np.asarray(answer, dtype=np.float64)
    return answers


def _models(classes: bool) -> dict[str, Any]:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if classes:
        return {"trivial": DummyClassifier(strategy="prior"), "linear": LogisticRegression(max_iter=1000)}
    return {"trivial": DummyRegressor(strategy="mean"), "linear": Ridge()}


def _classes(data: Dataset) -> bool:
    return data.signature.target.task == "classification"


def _flat(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return inputs.reshape(len(inputs), -1)
