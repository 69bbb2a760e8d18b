"""Minibatches cut by row numbers: no row is touched alone, so a small model does not wait for its data.

The order of rows is a pure function of the seed and the epoch, and the place in it the number of minibatches done: so
training goes on anywhere without a loader's state. Several minibatches travel together as one Lightning batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

Batch = tuple[Tensor, Tensor]
RowNumbers = NDArray[np.int64]

# Rows to answer at once when nothing is learned from them.
CHECK_ROWS = 1024
# Rows on disk are taken by so many numbers at once, or a minibatch: few enough for a processor's cache.
GATHERED_NUMBERS = 2**18


class Part(TorchDataset[Batch]):
    """The rows of one part of the data, taken many at a time.

    Args:
        take: Row numbers of the part ``(n,)`` → inputs ``(n, ...)``.
        targets: ``(rows,)``.
        width: How many numbers a row of inputs holds.
    """

    def __init__(self, take: Callable[[RowNumbers], Tensor], targets: Tensor, width: int) -> None:
        self.take = take
        self.targets = targets
        self.width = width

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: RowNumbers) -> Batch:
        return self.take(rows), self.targets[torch.from_numpy(rows)]

    def span(self, start: int, stop: int) -> Batch:
        """The rows from ``start`` to before ``stop``."""
        return self[np.arange(start, min(stop, len(self)))]


class InMemory(Part):
    """Rows that lie in one tensor, on any device.

    Args:
        inputs: ``(rows, ...)``.
        targets: ``(rows,)``.
    """

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        super().__init__(lambda rows: inputs[torch.from_numpy(rows)], targets, inputs[:1].numel())
        self.inputs = inputs

    def span(self, start: int, stop: int) -> Batch:
        """The rows from ``start`` to before ``stop``, not copied."""
        return self.inputs[start:stop], self.targets[start:stop]

    @property
    def bytes(self) -> int:
        """What the inputs take."""
        return self.inputs.numel() * self.inputs.element_size()

    def on(self, device: torch.device) -> InMemory:
        """The same rows on a device."""
        return InMemory(self.inputs.to(device), self.targets.to(device))


class Chunk:
    """Minibatches that are handed over as one Lightning batch; may be empty.

    Nothing that can be iterated over, for Lightning would look into it, use it up and move what it finds.

    Args:
        minibatches: What to iterate over, once.
    """

    def __init__(self, minibatches: Iterator[Batch]) -> None:
        self.minibatches = minibatches


class Chunks:
    """The minibatches of an epoch in chunks, from wherever the epoch stands.

    It has no length, for it has another one after a resume; Lightning then looks one chunk ahead to know the last.

    Args:
        part: The rows to learn from.
        orders: Called for the row numbers of each minibatch that is still to be done in this epoch.
        steps: Minibatches a chunk, 1 or more.
        workers: Processes that gather rows ahead; 0: this one does.
        pinned: Whether to copy minibatches into memory that a GPU can read on its own.
    """

    def __init__(
        self, part: Part, orders: Callable[[], Sequence[RowNumbers]], *, steps: int, workers: int, pinned: bool
    ) -> None:
        self.part = part
        self.orders = orders
        self.steps = steps
        self.pinned = pinned
        self._loader = self._with_workers(workers) if workers else None

    def __iter__(self) -> Iterator[Chunk]:
        orders = self.orders()
        if not orders:  # all is learned and not yet validated: Lightning validates after a last batch, so it gets one
            yield Chunk(iter(()))
            return
        ahead = iter(self._loader) if self._loader is not None else None
        for start in range(0, len(orders), self.steps):
            rows = orders[start : start + self.steps]
            yield Chunk(self._gather(rows) if ahead is None else (next(ahead) for _ in rows))

    def close(self) -> None:
        """End the workers, which would wait for a next epoch."""
        iterator, self._loader = getattr(self._loader, "_iterator", None), None
        if iterator is not None:
            iterator._shutdown_workers()

    def _gather(self, orders: Sequence[RowNumbers]) -> Iterator[Batch]:
        # One gather for many of them: a view costs a tenth of one. From disk no more than a little: memory stays flat.
        most = len(orders) if isinstance(self.part, InMemory) else self._most_at_once(len(orders[0]))
        for start in range(0, len(orders), most):
            group = orders[start : start + most]
            inputs, targets = self._pinned(self.part[np.concatenate(group)])
            sizes = [len(rows) for rows in group]
            yield from zip(inputs.split(sizes), targets.split(sizes), strict=True)

    def _most_at_once(self, rows: int) -> int:
        return max(1, GATHERED_NUMBERS // max(1, rows * self.part.width))

    def _pinned(self, batch: Batch) -> Batch:
        return (batch[0].pin_memory(), batch[1].pin_memory()) if self.pinned else batch

    def _with_workers(self, workers: int) -> DataLoader[Batch]:
        settings: dict[str, Any] = {"num_workers": workers, "persistent_workers": True, "pin_memory": self.pinned}
        # A sampler that names whole minibatches: a worker gathers one with a single call.
        return DataLoader(self.part, sampler=_Orders(self.orders), batch_size=None, **settings)


class _Orders(Sampler[RowNumbers]):
    def __init__(self, orders: Callable[[], Sequence[RowNumbers]]) -> None:
        self.orders = orders

    def __iter__(self) -> Iterator[RowNumbers]:
        return iter(self.orders())


class Loading(LightningDataModule):
    """Training rows in chunks, validation rows in large batches.

    Args:
        train: The rows to learn from.
        validation: The rows to choose the epoch by.
        place: Asked for the epoch, from 0, and how many minibatches of it are done.
        batch_size: Rows a minibatch, 1 or more.
        seed: The order of rows is a pure function of it and the epoch.
        limit: Minibatches an epoch at most, 1 or more; None: all.
        steps: Minibatches a chunk, 1 or more.
        drop: Whether a last minibatch of fewer rows is left out.
        workers: Processes that gather rows ahead; 0: none.
        pinned: Whether minibatches are copied into pinned memory.
        share: Which of how many processes takes its share of each minibatch.
    """

    def __init__(
        self,
        train: Part,
        validation: Part,
        place: Callable[[], tuple[int, int]],
        *,
        batch_size: int,
        seed: int,
        limit: int | None = None,
        steps: int = 1,
        drop: bool = False,
        workers: int = 0,
        pinned: bool = False,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.place = place
        self.batch_size = batch_size
        self.seed = seed
        self.limit = limit
        self.steps = steps
        self.drop = drop
        self.workers = workers
        self.pinned = pinned
        self.share = share
        self._chunks: Chunks | None = None

    @property
    def sizes(self) -> list[int]:
        """Rows of each minibatch of an epoch."""
        return minibatch_sizes(len(self.train), self.batch_size, drop=self.drop)[: self.limit]

    def orders(self) -> list[RowNumbers]:
        """The row numbers of each minibatch that is still to be done in this epoch."""
        epoch, done = self.place()
        rows, size = len(self.train), self.batch_size
        whole = minibatches(rows, size, seed=self.seed, epoch=epoch, drop=self.drop)[done : self.limit]
        number, processes = self.share
        if processes == 1:
            return whole
        # A minibatch with less rows than processes is learned whole by each: none may stand idle.
        return [rows[number::processes] if len(rows) >= processes else rows for rows in whole]

    def train_dataloader(self) -> Chunks:
        """What is left of the epoch."""
        self.close()
        self._chunks = Chunks(self.train, self.orders, steps=self.steps, workers=self.workers, pinned=self.pinned)
        return self._chunks

    def close(self) -> None:
        """End the processes that gather rows."""
        if self._chunks is not None:
            self._chunks.close()
            self._chunks = None

    def val_dataloader(self) -> Batches:
        """All validation rows, as they stand."""
        return Batches(self.validation, CHECK_ROWS)


class Batches:
    """All rows of a part in their own order.

    Args:
        part: The rows.
        size: Rows a batch, 1 or more; the last one has what is left.
    """

    def __init__(self, part: Part, size: int) -> None:
        self.part = part
        self.size = size

    def __len__(self) -> int:
        return -(-len(self.part) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.part), self.size):
            yield self.part.span(start, start + self.size)


def minibatch_sizes(rows: int, size: int, *, drop: bool = False) -> list[int]:
    """Rows of each minibatch of an epoch.

    Args:
        rows: Rows to learn from, 1 or more.
        size: Rows a minibatch, 1 or more.
        drop: Whether a last minibatch of fewer rows is left out; never the only one.
    """
    whole, rest = divmod(rows, size)
    return [size] * whole + ([rest] if rest and not (drop and whole) else [])


def minibatches(rows: int, size: int, *, seed: int, epoch: int, drop: bool = False) -> list[RowNumbers]:
    """The row numbers of each minibatch of an epoch: a pure function of seed and epoch.

    Args:
        rows: Rows to learn from, 1 or more.
        size: Rows a minibatch, 1 or more; the last one has what is left.
        seed: The card's.
        epoch: From 0.
        drop: Whether a last minibatch of fewer rows is left out; other rows are, each epoch.
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    count = len(minibatch_sizes(rows, size, drop=drop))
    return [order[start : start + size] for start in range(0, count * size, size)]
