"""Rows → numbers and numbers → answers: fitted on the training rows, stored as JSON, the same for training and serving.

Imports NumPy only. A number becomes ``(value - mean) / std``, its gaps the median; a boolean 0 or 1, its gaps the more
frequent; a category one column for each text seen in training, all of them 0 for a text never seen. A feature that
had gaps in training gets one more column that says so.

An image is scaled as a whole, a vector column by column, a sequence channel by channel. What is missing of a vector or
a sequence becomes the mean, which is 0; so does a missing image that was learned from many.

A text becomes token ids, whole numbers, and is then the only feature; see ``TextStep``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.moments import mean_and_std
from runcard.data.signature import Array, Columns, Feature, Signature, Target
from runcard.data.steps import Known, Places, Step
from runcard.data.tokens import TextStep, Tokenizer, fit_text

# Beyond this many, a category's rarest texts share one column: a wide table of zeros teaches nothing.
MAX_CATEGORIES = 100
# Rows that a network answers at once, and the most numbers in them: more would only take more memory.
ANSWER_ROWS = 1024
ANSWER_NUMBERS = 2**23
# Images of no more pixels in all are learned from in one piece, which gives them a median too.
MAX_PIXELS = 2**22


@dataclass(frozen=True)
class Transforms:
    """All features' steps, and the target's; or, with no other step, that of the one text."""

    steps: tuple[Step, ...]
    target: TargetStep
    known: tuple[Known, ...]
    text: TextStep | None = None

    @cached_property
    def _places(self) -> tuple[Places, ...]:
        """Of each step; made once, for a feature can have thousands of categories."""
        return tuple(known.salted(step.places(known.texts)) for step, known in zip(self.steps, self.known, strict=True))

    def input_shape(self, signature: Signature) -> tuple[int, ...]:
        """The shape of one row's input: ``(width,)``, ``(steps, channels)`` or ``(channels, height, width)``.

        Of a text it is the number of its tokens, ``(length,)``.
        """
        if self.text is not None:
            return (self.text.length,)
        whole = [feature.shape for feature in signature.features if feature.kind in ("image", "sequence")]
        return whole[0] if whole else (sum(step.width for step in self.steps),)

    def apply(self, columns: Columns) -> Array:
        """The model's input.

        Returns:
            float32 ``(rows, width)``, or ``(rows, ...)`` of the one image or sequence; int64 ``(rows, length)`` of the
            one text.
        """
        if self.text is not None:
            return self.text.apply(columns[self.text.name])
        pairs = zip(self.steps, self._places, strict=True)
        parts = [step.apply(columns[step.name], places) for step, places in pairs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        content = {"features": [asdict(step) for step in self.steps], "target": asdict(self.target)}
        return content if self.text is None else content | {"text": asdict(self.text)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], signature: Signature) -> Transforms:
        """The transforms that ``to_dict`` wrote, also after a trip through JSON."""
        steps = tuple(map(_step, content["features"]))
        target = TargetStep(**{**content["target"], "classes": tuple(content["target"]["classes"])})
        text = TextStep(**content["text"]) if "text" in content else None
        return cls(steps, target, _known(signature) if text is None else (), text)


@dataclass(frozen=True)
class TargetStep:
    """How the truth becomes what the model learns, and how the model's outputs become answers.

    Attributes:
        classes: The classes in the order of the outputs; empty for regression.
        mean: Subtracted from a number.
        std: Divided by, above 0.
    """

    classes: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    @property
    def outputs(self) -> int:
        """The number of outputs of the model: one a class, or one for a number."""
        return len(self.classes) or 1

    def encode(self, truth: Array) -> Array:
        """``(rows,)`` int64 class indices, or float32 numbers of mean 0 and deviation 1."""
        if self.classes:
            place = {text: index for index, text in enumerate(self.classes)}
            return np.array([place[value] for value in truth], dtype=np.int64)
        return ((truth - self.mean) / self.std).astype(np.float32)

    def decode(self, outputs: Array) -> NDArray[np.float64]:
        """Answers from outputs ``(rows, outputs)``: probabilities ``(rows, classes)``, or numbers ``(rows,)``."""
        outputs = outputs.astype(np.float64)
        if not self.classes:
            return np.asarray(outputs[:, 0] * self.std + self.mean)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def rows_at_once(shape: Sequence[int]) -> int:
    """How many rows a network is to answer at once.

    Its rounding depends on it, so a run and its bundle go by the same number, whatever number of rows they are given.

    Args:
        shape: Of one row's input, as of ``Transforms.input_shape``.
    """
    rows, width = ANSWER_ROWS, math.prod(shape)
    while rows > 1 and rows * width > ANSWER_NUMBERS:
        rows //= 2
    return rows


def fit(
    signature: Signature,
    columns: Columns,
    target: Array,
    rows: NDArray[np.int64] | None = None,
    tokenizer: Tokenizer | None = None,
) -> Transforms:
    """Learn the transforms; of arrays on disk no more than a stretch of rows is read at once.

    Args:
        signature: What the features are.
        columns: The features' values.
        target: The truth, one a row.
        rows: The training rows among them; None: they are all of them.
        tokenizer: For text, which is then the only feature.
    """
    chosen = np.arange(len(target)) if rows is None else rows
    if tokenizer is not None:
        (feature,) = signature.features
        text = fit_text(feature.name, columns[feature.name][chosen], tokenizer)
        return Transforms((), _fit_target(signature.target, target[chosen]), (), text)
    steps = tuple(_fit_step(feature, columns[feature.name], chosen) for feature in signature.features)
    return Transforms(steps, _fit_target(signature.target, target[chosen]), _known(signature))


def _fit_step(feature: Feature, values: Array, rows: NDArray[np.int64]) -> Step:
    if feature.kind in ("vector", "sequence"):
        mean, std = mean_and_std(values, rows, values.shape[-1])
        return Step(feature.name, feature.kind, tuple(mean.tolist()), tuple(std.tolist()))
    if feature.kind == "image" and len(rows) * math.prod(feature.shape) > MAX_PIXELS:
        means, stds = mean_and_std(values, rows, 1)
        return Step(feature.name, feature.kind, float(means[0]), float(stds[0]), fill=float(means[0]))
    values = values[rows]
    return _fit_at_once(feature, values.astype(np.float32, copy=False) if feature.kind == "image" else values)


def _fit_at_once(feature: Feature, values: Array) -> Step:
    if feature.kind == "category":
        texts: Sequence[str] = feature.categories
        if len(texts) > MAX_CATEGORIES:
            count = dict.fromkeys(texts, 0)
            for value in values:
                if value is not None:
                    count[value] += 1
            texts = sorted(sorted(texts, key=lambda text: (-count[text], text))[: MAX_CATEGORIES - 1])
        rest = len(texts) < len(feature.categories)
        return Step(feature.name, feature.kind, categories=tuple(texts), rest=rest, gap=feature.missing)
    known = values[~np.isnan(values)]
    if not known.size or known.min() == known.max():  # rounding gives a constant a deviation that is not 0
        return Step(feature.name, feature.kind, std=0.0, gap=feature.missing)
    if feature.kind == "boolean":
        return Step(feature.name, feature.kind, fill=float(known.mean() > 0.5), gap=feature.missing)
    mean, std, fill = float(known.mean()), float(known.std()), float(np.median(known))
    return Step(feature.name, feature.kind, mean, std, fill, gap=feature.missing)


def _step(item: Mapping[str, Any]) -> Step:
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}
    return Step(**plain)


def _fit_target(target: Target, truth: Array) -> TargetStep:
    if target.task == "classification":
        return TargetStep(classes=target.classes)
    std = float(truth.std()) if truth.max() > truth.min() else 1.0
    return TargetStep(mean=float(truth.mean()), std=std)


def _known(signature: Signature) -> tuple[Known, ...]:
    return tuple(_known_of(feature) for feature in signature.features)


def _known_of(feature: Feature) -> Known:
    if feature.withheld is None:
        return Known(frozenset(feature.categories))
    return Known(frozenset({*feature.categories, *feature.withheld.digests}), feature.withheld.salt)
