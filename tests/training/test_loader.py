"""Minibatches: every row once an epoch, in an order that seed and epoch decide, from any place on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runcard.data.loader import GATHERED_NUMBERS, Batches, InMemory, Loading, Part, minibatches


def numbered(count: int) -> InMemory:
    """Rows whose input and target are their number."""
    values = torch.arange(count, dtype=torch.float32)
    return InMemory(values[:, None], values)


def taken(count: int) -> Part:
    """The same rows, gathered by a call as memory-mapped ones are."""
    # So wide, as it says, that several gathers are needed for a chunk.
    width = GATHERED_NUMBERS // 20
    return Part(lambda rows: torch.from_numpy(rows[:, None].astype(np.float32)), torch.arange(count).float(), width)


def rows_of(loading: Loading) -> list[list[int]]:
    found = []
    for chunk in loading.train_dataloader():
        for inputs, targets in chunk.minibatches:
            assert torch.equal(inputs[:, 0], targets), "inputs and targets stay together"
            found.append([int(row) for row in targets])
    return found


@given(
    rows=st.integers(1, 40),
    size=st.integers(1, 12),
    steps=st.integers(1, 7),
    done=st.integers(0, 50),
    limit=st.none() | st.integers(1, 9),
    in_memory=st.booleans(),
)
def test_any_place_of_any_epoch(
    rows: int, size: int, steps: int, done: int, limit: int | None, in_memory: bool
) -> None:
    part = numbered(rows) if in_memory else taken(rows)
    whole = rows_of(Loading(part, part, lambda: (3, 0), batch_size=size, seed=1, limit=limit))
    assert [len(batch) for batch in whole] == Loading(
        part, part, lambda: (0, 0), batch_size=size, seed=1, limit=limit
    ).sizes
    if limit is None:
        assert sorted(row for batch in whole for row in batch) == list(range(rows))
    rest = rows_of(Loading(part, part, lambda: (3, done), batch_size=size, seed=1, limit=limit, steps=steps))
    assert rest == whole[done:]


def test_an_epoch_that_is_only_to_be_validated_has_one_empty_chunk() -> None:
    part = numbered(10)
    loading = Loading(part, part, lambda: (0, 3), batch_size=4, seed=0)
    assert [list(chunk.minibatches) for chunk in loading.train_dataloader()] == [[]]


def test_the_order_is_of_seed_and_epoch() -> None:
    order = [batch.tolist() for batch in minibatches(50, 7, seed=1, epoch=0)]
    assert order == [batch.tolist() for batch in minibatches(50, 7, seed=1, epoch=0)]
    assert order != [batch.tolist() for batch in minibatches(50, 7, seed=1, epoch=1)]
    assert order != [batch.tolist() for batch in minibatches(50, 7, seed=2, epoch=0)]


@pytest.mark.parametrize("make", [numbered, taken])
def test_workers_give_the_same_minibatches(make: Callable[[int], Part]) -> None:
    part = make(100)
    alone = rows_of(Loading(part, part, lambda: (2, 1), batch_size=8, seed=0, steps=3))
    helped = Loading(part, part, lambda: (2, 1), batch_size=8, seed=0, steps=3, workers=2)
    assert rows_of(helped) == alone
    helped.close()


def test_validation_keeps_the_order() -> None:
    assert [len(targets) for _, targets in Batches(taken(10), 4)] == [4, 4, 2]
    for part in (numbered(2500), taken(2500)):
        loading = Loading(part, part, lambda: (0, 0), batch_size=4, seed=3)
        rows = [int(row) for _, targets in loading.val_dataloader() for row in targets]
        assert rows == list(range(2500))
