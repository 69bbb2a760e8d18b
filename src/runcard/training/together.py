"""What processes that share each minibatch tell each other after it: their loss, and whether one must stop or save."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Together:
    """One process among those that share each minibatch.

    Args:
        world: How many there are.
        must_stop: Whether this one was asked to stop.
        due: Whether it is time to save, by this one's clock.
    """

    def __init__(self, world: int, must_stop: Callable[[], bool], due: Callable[[], bool]) -> None:
        self.world = world
        self.must_stop = must_stop
        self.due = due
        self.stopping = False
        self.saving = False

    def mean(self, loss: Tensor) -> float:
        """The mean of all processes' losses; afterwards each knows whether one has to stop or save."""
        wishes = torch.tensor([self.must_stop(), self.due()], dtype=torch.float64)
        told = torch.cat([loss.double().reshape(1) / self.world, wishes.to(loss.device)])
        torch.distributed.all_reduce(told)
        mean, stopping, saving = told.tolist()
        self.stopping = self.stopping or stopping > 0
        self.saving = saving > 0
        return float(mean)

    def agreed(self, wish: bool, device: torch.device) -> bool:
        """Whether one of them wishes something.

        Args:
            wish: Whether this one does.
            device: Where their tensors are.
        """
        told = torch.tensor(float(wish), device=device)
        torch.distributed.all_reduce(told)
        return bool(told.item() > 0)
