"""Batches: every row once an epoch, in an order that seed and epoch decide."""

from __future__ import annotations

import numpy as np
import torch

from runcard.data.loader import Batches, Tensors


def rows_of(loader: Batches) -> list[int]:
    return [int(row) for _, targets in loader for row in targets]


def tensors(seed: int) -> Tensors:
    part = np.zeros((10, 2), dtype=np.float32), np.arange(10)
    return Tensors(part, part, batch_size=4, seed=seed)


def test_all_rows_once_and_a_shorter_last_batch() -> None:
    loader = tensors(0).train_dataloader()
    assert [len(targets) for _, targets in loader] == [4, 4, 2]
    assert len(loader) == 3
    assert sorted(rows_of(loader)) == list(range(10))


def test_the_order_is_of_seed_and_epoch() -> None:
    first, same, other = (rows_of(tensors(seed).train_dataloader()) for seed in (1, 1, 2))
    assert first == same != other

    class Stub:
        current_epoch = 1

    later = tensors(1)
    later.trainer = Stub()  # type: ignore[assignment]
    assert rows_of(later.train_dataloader()) != first


def test_validation_keeps_the_order() -> None:
    assert rows_of(tensors(3).val_dataloader()) == list(range(10))


def test_inputs_and_targets_stay_together() -> None:
    values = torch.arange(7, dtype=torch.float32)
    for inputs, targets in Batches(values[:, None], values, 3, lambda: torch.tensor([6, 0, 3, 1, 5, 2, 4])):
        assert torch.equal(inputs[:, 0], targets)
