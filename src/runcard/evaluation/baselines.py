"""What a model must beat: the trivial answer and a linear model, by scikit-learn, on the same split and inputs.

Of texts the linear model counts words and pairs of words, each worth the more the rarer it is (TF-IDF): a token's
number says nothing that a line could be drawn through.
"""

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
# Places that words and pairs of words are counted in; by their hash, so that none need be known.
WORD_PLACES = 2**18


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
    inputs, truth = _inputs(data, data.indices("train")[chosen]), truth[chosen]
    parts = list(data.stretches(data.indices("test")))
    answers = {}
    with threadpool_limits(threads), warnings.catch_warnings():
        # A linear model that needs more than its iterations is still a fair line to beat.
        warnings.simplefilter("ignore")
        for name, model in _models(classes, text=data.transforms.text is not None).items():
            model.fit(inputs, truth)
            # Numbers are learned scaled, as the model learns them: a large offset would drown in float32.
            answer = model.predict_proba if classes else model.predict
            guess = np.concatenate([answer(_inputs(data, part)) for part in parts])
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


def _models(classes: bool, *, text: bool) -> dict[str, Any]:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    trivial = DummyClassifier(strategy="prior") if classes else DummyRegressor(strategy="mean")
    linear = LogisticRegression(max_iter=1000) if classes else Ridge()
    return {"trivial": trivial, "linear": _over_words(linear) if text else linear}


def _over_words(linear: Any) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    counts = HashingVectorizer(
        n_features=WORD_PLACES, ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", alternate_sign=False, norm=None
    )
    return make_pipeline(counts, TfidfTransformer(sublinear_tf=True), linear)


def _inputs(data: Dataset, rows: NDArray[np.int64]) -> Array:
    """What the baselines learn from: float64 ``(rows, numbers)``, or the texts themselves, ``(rows,)``."""
    text = data.transforms.text
    if text is not None:
        return np.array([value or "" for value in data.rows.pick(rows)[text.name]], dtype=object)
    inputs = data.take(rows)
    return inputs.reshape(len(inputs), -1).astype(np.float64)
