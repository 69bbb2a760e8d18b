"""A network of the user's own, tried on the CPU before training, so that it fails neither in its midst nor when served.

Its answer to a row may depend on that row alone: a service answers rows one by one, a file of rows all at once.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from runcard.card.naming.trust import said
from runcard.errors import CardError

# So many training rows are answered, together and one by one.
ROWS = 4
# Answers to the same row may differ by rounding, relative to the largest of them.
APART = 1e-3


@dataclass(frozen=True)
class Trial:
    """A network and rows that it is tried with.

    Attributes:
        model: With random weights, on the CPU.
        name: Of its class.
        rows: Training rows as it takes them, ``(rows, ...)``, 1 or more.
        outputs: How many numbers answer a row.
    """

    model: nn.Module
    name: str
    rows: Tensor
    outputs: int

    def run(self) -> None:
        """Ask for answers and for gradients.

        Raises:
            CardError: If it cannot take the rows, or answers in another form, by chance, or by the rows beside a row.
                Also if it has nothing to learn, makes weights in forward, or keeps more than tensors.
        """
        self._check_weights()
        with lent_randomness(), torch.no_grad():
            known = {*self.model.state_dict()}
            self.model.eval()
            together = self._ask(self.rows)
            self._check_again(together)
            self._check_alone(together)
            self._check_state(known)
        with lent_randomness():
            self._learn(self.rows)

    def learn_one(self, reason: str) -> None:
        """Ask for the gradients of one row alone.

        Args:
            reason: Why a minibatch has one row, and what to do if that will not do.

        Raises:
            CardError: If the network cannot learn from one row.
        """
        with lent_randomness():
            self._learn(self.rows[:1], f". {reason}")

    def _check_weights(self) -> None:
        if any(is_lazy(weight) for weight in self.model.parameters()):
            raise CardError(
                f"model: {self.name} has weights without a shape, as LazyLinear has, and the optimizer is made before "
                "the first rows come. Take the shape from input_shape."
            )
        if not any(weight.requires_grad for weight in self.model.parameters()):
            raise CardError(f"model: {self.name} has no weights to learn")
        beside = [key for key, value in self.model.state_dict().items() if not isinstance(value, Tensor)]
        if beside:
            raise CardError(
                f"model: {self.name} keeps {beside[0]}, which is no tensor, and neither a checkpoint nor a bundle "
                "could hold it without a pickle; keep it in buffers, or make it in the constructor"
            )

    def _ask(self, rows: Tensor, more: str = "") -> Tensor:
        count, shape = len(rows), tuple(rows.shape[1:])
        wanted = f"(batch, {', '.join(map(str, shape))}) and answers (batch, {self.outputs})"
        asked = "1 row" if count == 1 else f"{count} rows"
        try:
            answer = self.model(rows)
        except Exception as error:  # it is the user's code, which may fail in any way
            raise CardError(
                f"model: {self.name} takes rows {wanted}, and failed on {asked}: {said(error)}{more}"
            ) from error
        if not isinstance(answer, Tensor) or tuple(answer.shape) != (count, self.outputs):
            form = tuple(answer.shape) if isinstance(answer, Tensor) else f"a {type(answer).__name__}"
            raise CardError(f"model: {self.name} takes rows {wanted}; to {asked} it answered {form}")
        return answer.float()

    def _check_alone(self, together: Tensor) -> None:
        alone = torch.cat([self._ask(self.rows[row : row + 1]) for row in range(len(self.rows))])
        apart = _first_apart(together, alone)
        if apart is not None:
            one, other = float(alone[apart]), float(together[apart])
            raise CardError(
                f"model: {self.name} answers a row with {one:.4g} alone and with {other:.4g} beside others. A service "
                "answers rows in any company: normalise a row by itself or by running statistics, never by the batch."
            )

    def _check_again(self, before: Tensor) -> None:
        if _first_apart(before, self._ask(self.rows)) is not None:
            raise CardError(
                f"model: {self.name} answers the same rows otherwise when it is asked again: it draws random numbers "
                "where nothing is learned (dropout as a function needs training=self.training), or keeps something "
                "between calls."
            )

    def _check_state(self, known: set[str]) -> None:
        new = [key for key in self.model.state_dict() if key not in known]
        if new:
            raise CardError(
                f"model: {self.name} makes {new[0]} in forward, when the optimizer is made already: it would not be "
                "learned. Make it in the constructor."
            )

    def _learn(self, rows: Tensor, more: str = "") -> None:
        self.model.train()
        answer = self._ask(rows, more)
        try:
            answer.square().mean().backward()
        except Exception as error:
            raise CardError(f"model: {self.name} answers, and its gradients failed: {said(error)}{more}") from error
        finally:
            self.model.zero_grad(set_to_none=True)


@contextlib.contextmanager
def lent_randomness() -> Iterator[None]:
    """Draw the same random numbers each time, and leave those of later draws as they were."""
    own, numpys = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(own)
        np.random.set_state(numpys)


def _first_apart(one: Tensor, other: Tensor) -> tuple[int, int] | None:
    """The first row and output that differ by more than rounding, or in being a number; None: none does."""
    largest = torch.nan_to_num(torch.maximum(one.abs(), other.abs())).max()
    known = one.isfinite() & other.isfinite()
    apart = (known & ((one - other).abs() > APART * largest + 1e-6)) | (one.isfinite() ^ other.isfinite())
    found = apart.nonzero().tolist()
    return (found[0][0], found[0][1]) if found else None
