"""From the loss of a minibatch to changed weights.

All that Lightning's automatic optimisation does after the loss of one batch, so that many minibatches can go through
one Lightning batch: accumulation, the scaler of float16, clipping, the schedule, averaged weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from runcard.training.averages import Averaged
from runcard.training.sharding import optimizer_shares, share, whole


class Stepper:
    """Changes a network's weights, a minibatch at a time.

    Args:
        optimizer: Of the network's weights.
        factor: The share of all steps that is done, above 0 to below 1, → the factor of the learning rate.
        steps: How many times the weights will be changed.
        scaled: Whether losses are scaled up, so that small gradients survive in float16.
        accumulate: Minibatches a step, 1 or more; each counts a share of 1/accumulate, also in a last, shorter group.
        clip_norm: The longest gradient, above 0; None: no limit.
        average: Keeps an average of the weights; None: none.
        skip: Whether a minibatch whose loss or gradient is no number changes nothing.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: Callable[[float], float],
        *,
        steps: int,
        scaled: bool = False,
        accumulate: int = 1,
        clip_norm: float | None = None,
        average: Averaged | None = None,
        skip: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self.factor = factor
        self.steps = steps
        self.accumulate = accumulate
        self.clip_norm = clip_norm
        self.average = average
        self.skip = skip
        self.step = 0
        self.weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.scaler = torch.amp.GradScaler(self.weights[0].device.type) if scaled else None
        # Lightning's, where gradients are shared between processes.
        self.backward: Callable[[Tensor], Any] = Tensor.backward

    @property
    def rate(self) -> float:
        """The first group's learning rate for the next step."""
        return self.rates[0] * self._factor()

    def learn(self, loss: Tensor, *, last: bool) -> None:
        """Add a minibatch's gradient, and change the weights if its group is whole.

        Args:
            loss: The minibatch's mean loss, a scalar with its graph.
            last: Whether the group is whole: it has ``accumulate`` minibatches, or the epoch ends.
        """
        if self.accumulate > 1:
            loss = loss / self.accumulate
        self.backward(loss if self.scaler is None else self.scaler.scale(loss))
        if last:
            self.update()

    def update(self) -> None:
        """Change the weights by the gradients there are."""
        factor = self._factor()
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        if self.scaler is not None:
            self._update_scaled(self.scaler)
        elif self._clip():
            self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        if self.average is not None:
            self.average.after_step()

    def _update_scaled(self, scaler: torch.amp.GradScaler) -> None:
        if all(weight.grad is None for weight in self.weights):
            return  # every minibatch of the group was passed over
        if self.clip_norm is not None:
            scaler.unscale_(self.optimizer)
            self._clip()
        scaler.step(self.optimizer)  # leaves out a step whose gradients overflowed
        scaler.update()

    def _clip(self) -> bool:
        """Shorten the gradient; whether it may be followed."""
        if self.clip_norm is None and not self.skip:
            return True
        if self.clip_norm is None:
            norm = nn.utils.get_total_norm([weight.grad for weight in self.weights if weight.grad is not None])
        else:
            norm = nn.utils.clip_grad_norm_(self.weights, self.clip_norm)
        return not self.skip or math.isfinite(norm)

    def _factor(self) -> float:
        # The first step is step 1: at step 0 a warm-up would multiply by 0 and learn nothing.
        return self.factor((self.step + 1) / (self.steps + 1))

    def state_dict(self) -> dict[str, Any]:
        """Optimizer, scaler, average, step, and the gradients of a group that is not whole."""
        return {
            "step": self.step,
            "optimizer": whole(self.optimizer.state_dict()),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "gradients": whole([weight.grad for weight in self.weights]),
        }

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = content["step"]
        self.optimizer.load_state_dict(optimizer_shares(content["optimizer"], self.weights))
        if self.scaler is not None:
            self.scaler.load_state_dict(content["scaler"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        for weight, gradient in zip(self.weights, content["gradients"], strict=True):
            weight.grad = None if gradient is None else share(gradient, weight)
