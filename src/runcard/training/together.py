"""What processes that share each minibatch tell each other after it: the loss of all, and whether one has to stop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Together:
    """One process among those that share each minibatch.

    Args:
        world: How many there are.
        must_stop: Whether this one was asked to stop.
    """

    def __init__(self, world: int, must_stop: Callable[[], bool]) -> None:
        self.world = world
        self.must_stop = must_stop
        self.stopping = False

    def mean(self, loss: Tensor) -> float:
        """The mean of all processes' losses; afterwards each knows whether one has to stop."""
        told = torch.stack([loss.double() / self.world, torch.tensor(float(self.must_stop())).to(loss.device)])
        torch.distributed.all_reduce(told)
        self.stopping = self.stopping or bool(told[1] > 0)
        return float(told[0])
