"""Batches cut from tensors by index: no row is touched alone, so a small model does not wait for its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from runcard.data.signature import Array

Batch = tuple[Tensor, Tensor]


class Batches:
    """Batches of ``(inputs, targets)``, the last one as long as what is left.

    Args:
        inputs: ``(rows, ...)``.
        targets: ``(rows,)``.
        size: Rows a batch, 1 or more.
        order: Called once an epoch for the rows' order, ``(rows,)`` int64; None: as they stand.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, size: int, order: Callable[[], Tensor] | None = None) -> None:
        self.inputs = inputs
        self.targets = targets
        self.size = size
        self.order = order

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        if self.order is None:
            yield from zip(self.inputs.split(self.size), self.targets.split(self.size), strict=True)
            return
        for rows in self.order().split(self.size):
            yield self.inputs[rows], self.targets[rows]


class Tensors(LightningDataModule):
    """Training and validation rows in memory.

    Args:
        train: Inputs and targets of the training part.
        validation: Inputs and targets of the validation part.
        batch_size: Rows a training step, 1 or more.
        seed: The order of rows is a pure function of it and the epoch.
    """

    def __init__(
        self, train: tuple[Array, Array], validation: tuple[Array, Array], *, batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.train = torch.from_numpy(train[0]), torch.from_numpy(train[1])
        self.validation = torch.from_numpy(validation[0]), torch.from_numpy(validation[1])
        self.batch_size = batch_size
        self.seed = seed

    def train_dataloader(self) -> Batches:
        """Shuffled batches, another order each epoch."""
        return Batches(*self.train, self.batch_size, self._order)

    def val_dataloader(self) -> Batches:
        """Unshuffled batches, large ones: nothing is learned from them, so only memory limits them."""
        return Batches(*self.validation, max(self.batch_size, 1024))

    def _order(self) -> Tensor:
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return torch.from_numpy(np.random.default_rng([self.seed, epoch]).permutation(len(self.train[0])))
