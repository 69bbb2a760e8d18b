"""Rows → numbers and numbers → answers: fitted on the training rows, stored as JSON, the same for training and serving.

Imports NumPy only. A number becomes ``(value - mean) / std``, its gaps the median; a boolean 0 or 1, its gaps the more
frequent; a category one column for each text seen in training, all of them 0 for a text never seen. A feature that
had gaps in training gets one more column that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.signature import Array, Columns, Feature, Signature, Target

# Beyond this many, a category's rarest texts share one column: a wide table of zeros teaches nothing.
MAX_CATEGORIES = 100
# A value to answer that is further from the mean is a slip; without an end it would overflow. Among n training
# values none can be further than the root of n, so up to 10^8 of them nothing that was learned from is changed.
MAX_DEVIATIONS = 1e4


@dataclass(frozen=True)
class Step:
    """How one feature becomes numbers.

    Attributes:
        name: The feature.
        kind: The feature's kind.
        mean: Subtracted from a number or a pixel.
        std: Divided by; 0 for a column that never changed in training, which says nothing and becomes 0.
        fill: Taken for a missing number or boolean.
        categories: The texts that have a column of their own.
        rest: Whether one more column stands for the known texts that have none.
        gap: Whether one more column says that the value is missing.
    """

    name: str
    kind: str
    mean: float = 0.0
    std: float = 1.0
    fill: float = 0.0
    categories: tuple[str, ...] = ()
    rest: bool = False
    gap: bool = False

    @property
    def width(self) -> int:
        """The number of columns it makes; an image makes none, it stays what it is."""
        own = len(self.categories) + self.rest if self.kind == "category" else 1
        return own + self.gap

    def apply(self, values: Array, known: frozenset[str] = frozenset()) -> NDArray[np.float32]:
        """Numbers, ``(rows, width)``, or for an image ``(rows, channels, height, width)``."""
        if self.kind == "category":
            return self._one_hot(values, known)
        gaps = np.isnan(values)
        filled = np.where(gaps, self.fill, values)
        scaled = (filled - self.mean) / self.std if self.std else np.zeros_like(filled)
        scaled = np.clip(scaled, -MAX_DEVIATIONS, MAX_DEVIATIONS)
        if self.kind == "image":
            return scaled.astype(np.float32)
        return np.stack([scaled, gaps] if self.gap else [scaled], axis=1).astype(np.float32)

    def _one_hot(self, values: Array, known: frozenset[str]) -> NDArray[np.float32]:
        place: dict[str | None, int] = {text: index for index, text in enumerate(self.categories)}
        if self.rest:
            place |= {text: len(self.categories) for text in known if text not in place}
        if self.gap:
            place[None] = self.width - 1
        index = np.fromiter((place.get(value, -1) for value in values), dtype=np.int64, count=len(values))
        numbers = np.zeros((len(values), self.width), dtype=np.float32)
        rows = np.flatnonzero(index >= 0)
        numbers[rows, index[rows]] = 1.0
        return numbers


@dataclass(frozen=True)
class Transforms:
    """All features' steps, and the target's."""

    steps: tuple[Step, ...]
    target: TargetStep
    known: tuple[frozenset[str], ...]

    def input_shape(self, signature: Signature) -> tuple[int, ...]:
        """The shape of one row's input: ``(width,)``, or ``(channels, height, width)``."""
        images = [feature for feature in signature.features if feature.kind == "image"]
        return images[0].shape if images else (sum(step.width for step in self.steps),)

    def apply(self, columns: Columns) -> NDArray[np.float32]:
        """The model's input: ``(rows, width)``, or ``(rows, channels, height, width)`` of the one image."""
        parts = [step.apply(columns[step.name], known) for step, known in zip(self.steps, self.known, strict=True)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"features": [asdict(step) for step in self.steps], "target": asdict(self.target)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], signature: Signature) -> Transforms:
        """The transforms that ``to_dict`` wrote, also after a trip through JSON."""
        steps = tuple(Step(**{**item, "categories": tuple(item["categories"])}) for item in content["features"])
        target = TargetStep(**{**content["target"], "classes": tuple(content["target"]["classes"])})
        return cls(steps, target, _known(signature))


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


def fit(signature: Signature, columns: Columns, target: Array) -> Transforms:
    """Learn the transforms.

    Args:
        signature: What the features are.
        columns: The training rows, and no others.
        target: The training rows' truth.
    """
    steps = tuple(_fit_step(feature, columns[feature.name]) for feature in signature.features)
    return Transforms(steps, _fit_target(signature.target, target), _known(signature))


def _fit_step(feature: Feature, values: Array) -> Step:
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


def _fit_target(target: Target, truth: Array) -> TargetStep:
    if target.task == "classification":
        return TargetStep(classes=target.classes)
    std = float(truth.std()) if truth.max() > truth.min() else 1.0
    return TargetStep(mean=float(truth.mean()), std=std)


def _known(signature: Signature) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(feature.categories) for feature in signature.features)
