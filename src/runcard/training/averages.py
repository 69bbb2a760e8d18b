"""Averages of the weights on their way: steadier than the last ones, at the price of one more copy."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Method = Literal["ema", "swa"]


class Averaged:
    """A running average of a model's weights and buffers.

    ``ema``: an exponential one, a little more of the newest weights after each step (Polyak and Juditsky 1992).
    ``swa``: a plain one of the weights after each of the last epochs (Izmailov et al. 2018); the running statistics of
    batch norm are averaged with them, in place of another pass over the data.

    Args:
        model: What is trained.
        method: Which average.
        decay: Share of the old average that a step keeps, 0 to below 1; of ``ema``.
        start_epoch: The first epoch that counts, from 0; of ``swa``.
    """

    def __init__(self, model: nn.Module, method: Method, *, decay: float, start_epoch: int) -> None:
        function = get_ema_multi_avg_fn(decay) if method == "ema" else _plain_mean
        self.source = model
        self.method = method
        self.start_epoch = start_epoch
        self.average = AveragedModel(model, multi_avg_fn=function, use_buffers=True)

    @property
    def model(self) -> nn.Module:
        """The model with the averaged weights, or with the newest while nothing is averaged yet."""
        return self.average.module if int(self.average.n_averaged) else self.source

    def after_step(self) -> None:
        """Count the weights after a step."""
        if self.method == "ema":
            self.average.update_parameters(self.source)

    def after_epoch(self, epoch: int) -> None:
        """Count the weights after an epoch, from 0."""
        if self.method == "swa" and epoch >= self.start_epoch:
            self.average.update_parameters(self.source)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return dict(self.average.state_dict())

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go on from there."""
        self.average.load_state_dict(content)


@torch.no_grad()
def _plain_mean(averages: Any, newest: Any, counted: Tensor | int) -> None:
    """Torch's own, but for counters, such as of the batches that batch norm has seen: those are taken as they are."""
    for average, new in zip(averages, newest, strict=True):
        if average.is_floating_point():
            average.lerp_(new, 1 / (int(counted) + 1))
        else:
            average.copy_(new)
