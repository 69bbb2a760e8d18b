"""How each kind of feature becomes numbers; ``runcard.data.transforms`` says by which rule. Imports NumPy only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.signature import Array
from runcard.data.withheld import SaltedDict

# A value to answer that is further from the mean is a slip; without an end it would overflow. Among n training
# values none can be further than the root of n, so up to 10^8 of them nothing that was learned from is changed.
MAX_DEVIATIONS = 1e4
Places = Mapping[str | None, int]


@dataclass(frozen=True)
class Step:
    """How one feature becomes numbers.

    Attributes:
        name: The feature.
        kind: The feature's kind.
        mean: Subtracted from a number or a pixel; of a vector one a column, of a sequence one a channel.
        std: Divided by, likewise; 0 for a column that never changed in training, which says nothing and becomes 0.
        fill: Taken for a missing number, boolean or image.
        categories: The texts that have a column of their own.
        rest: Whether one more column stands for the known texts that have none.
        gap: Whether one more column says that the value is missing.
    """

    name: str
    kind: str
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    fill: float = 0.0
    categories: tuple[str, ...] = ()
    rest: bool = False
    gap: bool = False

    @property
    def width(self) -> int:
        """The number of columns it makes; an image or a sequence makes none, it stays what it is."""
        if isinstance(self.mean, tuple):
            return len(self.mean)
        own = len(self.categories) + self.rest if self.kind == "category" else 1
        return own + self.gap

    def apply(self, values: Array, places: Places) -> NDArray[np.float32]:
        """Numbers, ``(rows, width)``, or the shape of an image or a sequence, ``(rows, ...)``.

        Args:
            values: The feature's.
            places: As ``places`` gives them.
        """
        if self.kind == "category":
            return self._one_hot(values, places)
        if isinstance(self.mean, tuple):
            return self._scaled_each(values)
        gaps = np.isnan(values)
        filled = np.where(gaps, self.fill, values) if gaps.any() else values
        # In place from here on: a batch of images is large.
        scaled = filled - self.mean if self.std else np.zeros_like(filled)
        scaled /= self.std or 1.0
        _clip(scaled)
        if self.kind == "image":
            return scaled.astype(np.float32, copy=False)
        return np.stack([scaled, gaps] if self.gap else [scaled], axis=1).astype(np.float32)

    def _scaled_each(self, values: Array) -> NDArray[np.float32]:
        mean, divisor = self._along_last
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        # Repeated along a row: NumPy is slow where the last axis is as short as a few channels.
        repeats = flat.shape[1] // len(mean)
        scaled: NDArray[np.float64] = flat - np.tile(mean, repeats)
        scaled /= np.tile(divisor, repeats)
        _clip(scaled)
        np.copyto(scaled, 0.0, where=np.isnan(scaled))
        return scaled.astype(np.float32).reshape(values.shape)

    @cached_property
    def _along_last(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and divisor as arrays; made once, for a vector can have thousands of columns."""
        std = np.array(self.std)
        return np.array(self.mean), np.where(std > 0, std, np.inf)

    def places(self, known: Iterable[str]) -> Places:
        """The column of each category; of one that is missing too, if missing ones were seen.

        Args:
            known: All texts seen in training.
        """
        places: dict[str | None, int] = {text: index for index, text in enumerate(self.categories)}
        if self.rest:
            places |= {text: len(self.categories) for text in known if text not in places}
        if self.gap and self.kind == "category":
            places[None] = self.width - 1
        return places

    def _one_hot(self, values: Array, places: Places) -> NDArray[np.float32]:
        index = np.fromiter((places.get(value, -1) for value in values), dtype=np.int64, count=len(values))
        numbers = np.zeros((len(values), self.width), dtype=np.float32)
        rows = np.flatnonzero(index >= 0)
        numbers[rows, index[rows]] = 1.0
        return numbers


@dataclass(frozen=True)
class Known:
    """The categories of one feature.

    Attributes:
        texts: Those seen in training, or their digests.
        salt: Of the digests; empty: there are none.
    """

    texts: frozenset[str]
    salt: str = ""

    def salted(self, places: Places) -> Places:
        """Places, to be found by the texts of which there are digests too."""
        return SaltedDict(places, self.salt) if self.salt else places


def _clip(scaled: NDArray[Any]) -> None:
    """In place; of few numbers in a fifth of the time that ``np.clip`` takes."""
    np.maximum(scaled, -MAX_DEVIATIONS, out=scaled)
    np.minimum(scaled, MAX_DEVIATIONS, out=scaled)
