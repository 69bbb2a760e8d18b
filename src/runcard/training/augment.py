"""What is done to a minibatch before it is learned. Its noise is torch's, which begins anew with each minibatch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Beta


class Unchanged:
    """Rows as they are."""

    def __call__(self, inputs: Tensor, targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """The same ``inputs`` and ``targets``."""
        return inputs, targets


class Mixup:
    """Each row blended with another of its minibatch, and their truths with them (Zhang et al. 2018).

    Args:
        alpha: Of the beta distribution that the share is drawn from, above 0; 1: any share is as likely.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, inputs: Tensor, targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Blend a minibatch.

        Args:
            inputs: ``(batch, ...)``.
            targets: ``(batch,)`` class indices, or numbers.
            classes: How many; 0 for numbers.

        Returns:
            Inputs, and targets ``(batch, classes)`` as shares of each class, or ``(batch,)`` for numbers.
        """
        # Drawn on the processor, so that a GPU blends the same rows.
        share = float(Beta(self.alpha, self.alpha).sample())
        others = torch.randperm(len(inputs)).to(inputs.device)
        truth = nn.functional.one_hot(targets, classes).float() if classes else targets
        return torch.lerp(inputs[others], inputs, share), torch.lerp(truth[others], truth, share)
