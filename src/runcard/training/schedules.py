"""Learning-rate schedules: pure functions of how much of the training is done."""

from __future__ import annotations

import math


class Constant:
    """The full rate after a linear warm-up.

    Args:
        warmup_fraction: Share of all steps in which the rate climbs from 0, 0 to below 1.
    """

    def __init__(self, warmup_fraction: float) -> None:
        self.warmup_fraction = warmup_fraction

    def __call__(self, progress: float) -> float:
        """The factor of the full rate, 0 to 1, when ``progress``, 0 to 1, of the steps is done."""
        if progress < self.warmup_fraction:
            return progress / self.warmup_fraction
        return self.after_warmup((progress - self.warmup_fraction) / (1 - self.warmup_fraction))

    def after_warmup(self, progress: float) -> float:
        """The factor when ``progress``, 0 to 1, of the steps after the warm-up is done."""
        return 1.0


class Cosine(Constant):
    """Half a cosine from the full rate down, after a linear warm-up (Loshchilov and Hutter 2017, without restarts).

    Args:
        warmup_fraction: Share of all steps in which the rate climbs from 0, 0 to below 1.
        final_fraction: The factor at the end, 0 to 1.
    """

    def __init__(self, warmup_fraction: float, final_fraction: float) -> None:
        super().__init__(warmup_fraction)
        self.final_fraction = final_fraction

    def after_warmup(self, progress: float) -> float:
        """The factor when ``progress``, 0 to 1, of the steps after the warm-up is done."""
        fall = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
        return self.final_fraction + (1 - self.final_fraction) * fall
