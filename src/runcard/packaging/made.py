"""Rows that are nobody's, like those that a model learned from: each field by itself goes through its quantiles.

A picture is the mean of several that have the same truth: quantiles of pixels look like nothing. A bundle shows made
rows as examples, answers them at every start, and compares with them when it explains an answer. What two fields have
to do with each other is not in them.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from runcard.data.dataset import Dataset
from runcard.data.signature import FORMS, Array, Feature, Signature
from runcard.packaging.withholding import LEAST_ROWS

# Training rows that quantiles are taken of, and numbers in them.
MOST_ROWS, MOST_NUMBERS = 10_000, 2**23
LEAST_SAMPLE = 16
SEED = 0  # for the order in which a field goes through its quantiles
# A number is rounded to a part in so many of its field's range.
PARTS = 200
# Pictures that one is the mean of, at the most.
MIXED = 8
# A text is made of words that so many texts hold; of one of them if there are none.
WORDS, WORD, NO_WORD = 8, re.compile(r"\b[^\W\d_]+\b"), "text"


def make_rows(signature: Signature, data: Dataset, count: int) -> dict[str, Array]:
    """Make rows.

    Args:
        signature: As strangers may see it (``withhold``): no other categories are taken.
        data: The rows, of which the training part is looked at.
        count: How many to make.

    Returns:
        Columns; nothing is missing, but where nothing was known or may be named.
    """
    sample = _sample(signature, data)
    columns, truth = data.rows.pick(sample), data.rows.target[sample]
    random = np.random.default_rng(SEED)
    shares = (np.arange(count) + 0.5) / count
    return {
        feature.name: _made(feature, columns[feature.name], truth, shares, random)[random.permutation(count)]
        for feature in signature.features
    }


def _sample(signature: Signature, data: Dataset) -> NDArray[np.int64]:
    train = data.indices("train")
    width = sum(math.prod(feature.shape) for feature in signature.features)
    most = min(len(train), MOST_ROWS, max(LEAST_SAMPLE, MOST_NUMBERS // width))
    return train[np.linspace(0, len(train) - 1, most).astype(np.int64)]


def _made(
    feature: Feature, values: Array, truth: Array, shares: NDArray[np.float64], random: np.random.Generator
) -> Array:
    """Values from the smallest to the largest, ``(count, ...)``."""
    if feature.kind == "image":
        return _pictures(feature, values, truth, len(shares), random)
    if feature.kind == "category":
        return _categories(feature, values, shares)
    if feature.kind == "text":
        return _texts(values, len(shares), random)
    if feature.kind == "boolean":
        known = values[~np.isnan(values)]
        return np.where(shares > 1 - known.mean(), 1.0, 0.0) if known.size else np.full(len(shares), np.nan)
    return _numbers(feature, values, shares)


def _categories(feature: Feature, values: Array, shares: NDArray[np.float64]) -> Array:
    """As often as they are among the values."""
    made = np.full(len(shares), None, dtype=object)
    if feature.categories:
        counts = Counter(values.tolist())
        ends = np.cumsum([counts[text] + 1e-9 for text in feature.categories])
        places = np.minimum(np.searchsorted(ends / ends[-1], shares), len(ends) - 1)
        made[:] = [feature.categories[place] for place in places]
    return made


def _texts(values: Array, count: int, random: np.random.Generator) -> Array:
    """Of words that are used in many."""
    counts = Counter(word for text in values if text for word in {*WORD.findall(text)})
    words = [word for word, rows in counts.most_common() if rows >= LEAST_ROWS] or [NO_WORD]
    made = np.empty(count, dtype=object)
    made[:] = [" ".join(random.choice(words, min(WORDS, len(words)), replace=False)) for _ in range(count)]
    return made


def _pictures(feature: Feature, values: Array, truth: Array, count: int, random: np.random.Generator) -> Array:
    """Means of pictures of one class; of all classes where it has few, or where the truth is a number."""
    known = np.flatnonzero(~np.isnan(values).any(axis=(1, 2, 3)))
    if not len(known):
        return np.full((count, *feature.shape), np.nan, dtype=FORMS["image"])
    groups = [known[truth[known] == name] for name in dict.fromkeys(truth[known].tolist())]
    groups = [group for group in groups if len(group) >= LEAST_ROWS] or [known]
    chosen = (random.permutation(groups[place % len(groups)])[:MIXED] for place in range(count))
    made = np.stack([values[group].mean(axis=0) for group in chosen])
    whole = bool((values[known] == np.rint(values[known])).all())
    return (np.rint(made) if whole else made).astype(FORMS["image"])


def _numbers(feature: Feature, values: Array, shares: NDArray[np.float64]) -> Array:
    """Quantiles of numbers, or of each number of an array."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.full((len(shares), *feature.shape), np.nan, dtype=FORMS.get(feature.kind, np.float64))
    with warnings.catch_warnings():  # of a column that was never known there is none
        warnings.simplefilter("ignore", RuntimeWarning)
        # The one that minds gaps takes a hundred times as long.
        made = (np.quantile if len(known) == values.size else np.nanquantile)(values, shares, axis=0)
    spread, whole = float(known.max() - known.min()), bool((known == np.rint(known)).all())
    digits = -math.floor(math.log10(spread / PARTS)) if 0 < spread < math.inf else 15
    made = np.round(made, min(digits, 0) if whole else digits)
    if feature.low is not None:
        made = np.clip(made, feature.low, feature.high)
    return made.astype(FORMS.get(feature.kind, np.float64))
