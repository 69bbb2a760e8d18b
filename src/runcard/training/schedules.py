"""Learning-rate schedules: pure functions of how much of the training is done."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from runcard.card.naming import thirdparty
from runcard.card.naming.targets import build
from runcard.card.sections.learning import AnyScheduler, OwnScheduler


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


class OfTorch:
    """One of torch's schedules as a function of how much is done, so that a resumed run needs no state of it.

    Args:
        make: Makes the schedule of an optimizer.
        rate: The full learning rate, above 0.
        steps: Of the whole training, 1 or more.
        every: Steps that the schedule counts as one, 1 or more: 1, or those of an epoch.
    """

    def __init__(self, make: Callable[[Optimizer], LRScheduler], rate: float, steps: int, every: int) -> None:
        # A momentum for those that would change it too; there is no gradient, so no step changes anything.
        self.optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=rate, momentum=0.9)
        self.schedule = make(self.optimizer)
        self.rate, self.steps, self.every = rate, steps, every
        self.factors = [self._now()]

    def __call__(self, progress: float) -> float:
        """The factor of the full rate when ``progress``, 0 to 1, of the steps is done."""
        # The stepper asks for its first step with one part of (steps + 1) done.
        count = max(round(progress * (self.steps + 1)) - 1, 0) // self.every
        while len(self.factors) <= count:
            self.optimizer.step()
            self.schedule.step()
            self.factors.append(self._now())
        return self.factors[count]

    def _now(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"]) / self.rate


def make_schedule(part: AnyScheduler, rate: float, steps: int, epochs: int) -> Callable[[float], float]:
    """The card's schedule as a function of how much of the training is done.

    Args:
        part: The section.
        rate: The full learning rate, above 0.
        steps: Of the whole training, 1 or more.
        epochs: Likewise.
    """
    if isinstance(part, OwnScheduler) and thirdparty.known(part.target_class):
        every = 1 if part.interval == "step" else steps // epochs
        return OfTorch(lambda optimizer: build(part, optimizer, section="scheduler"), rate, steps, every)
    schedule: Callable[[float], float] = build(part, section="scheduler")
    return schedule
