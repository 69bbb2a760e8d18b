"""Rows on disk are learned from and taken in memory that does not grow with them.

Anonymous memory is measured: pages of a mapped file count as resident too, and the system drops them when it needs to.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.memory import WATCH

MB = 2**20
HANG_S = 300
SCRIPT = (
    WATCH
    + """
import numpy as np
from runcard.data.arrays import Arrays
from runcard.data.dataset import learn
from runcard.data.split import split
for name in ("few", "many"):
    rows = Arrays(f"{name}.npy", f"{name}-targets.npy").read("target", "auto")
    data = learn(rows, split(rows, seed=0, validation=0.15, test=0.2))
    order = np.random.default_rng(0).permutation(data.indices("train"))
    for start in range(0, len(order), 64):
        assert np.isfinite(data.take(order[start : start + 64])).all()
    for part in data.stretches(data.indices("test")):
        data.take(part)
    print(peak[0])
"""
)


def write(name: str, size_mb: int, shape: tuple[int, ...]) -> None:
    """Inputs of so many megabytes, and targets."""
    count = size_mb * MB // (4 * int(np.prod(shape)))
    # Holes in the file cost no time to write, and are pages like any other when they are read.
    inputs = np.lib.format.open_memmap(f"{name}.npy", mode="w+", dtype=np.float32, shape=(count, *shape))
    inputs[:: count // 20] = np.random.default_rng(0).normal(size=(len(inputs[:: count // 20]), *shape))
    del inputs
    np.save(f"{name}-targets.npy", np.arange(count) % 3)


def more_mb(size_mb: int, shape: tuple[int, ...]) -> float:
    """How much more anonymous memory one process takes at its highest for many megabytes, after it had a few."""
    write("few", 4, shape)
    write("many", size_mb, shape)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=HANG_S, check=True)
    Path("many.npy").unlink()
    few, many = map(int, done.stdout.split())
    return (many - few) / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data() -> None:
    assert more_mb(160, (1000,)) < 80


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1000,), (100, 10), (3, 64, 64)], ids=["vector", "sequence", "image"])
def test_memory_stays_flat_for_much_data(shape: tuple[int, ...]) -> None:
    assert more_mb(1000, shape) < 150
