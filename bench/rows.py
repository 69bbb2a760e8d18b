"""What a row costs as rows grow, and what memory rows on disk take: whole fits, each in a process of its own.

    python bench/rows.py

Rows of 64 numbers, a perceptron of 128-128, batch 64, one thread, ten epochs; as a table in memory and mapped from
disk. A row's time is that of the whole fit, beginning and end included, so that few rows bear more of these. Memory is
what the process has for itself (``RssAnon``): pages of the mapped file belong to the system.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

COUNTS = (10_000, 100_000, 1_000_000)
EPOCHS = 10
# Of 1,024 numbers: 0.4 and 1.6 GB; fewer would be kept in memory.
MEMORY_WIDTH, WIDE_COUNTS = 1024, (100_000, 400_000)
SCRIPT = """
import sys, threading, time
import runcard
from runcard import runs
from runcard.data.dataset import load_dataset
from runcard.settling import settle
from runcard.training.fit import train
folder, name, lazy = sys.argv[1], sys.argv[2], sys.argv[3] == "mapped"
if not lazy:
    import runcard.training.fit as fit
    fit.IN_MEMORY_NUMBERS = 2**40
card = runcard.load_card(["data=arrays", f"data.inputs={folder}/{name}-inputs.npy",
    f"data.targets={folder}/{name}-targets.npy", "trainer.max_epochs=" + sys.argv[4], "trainer.threads=1",
    "trainer.early_stopping.patience=null"])
data = load_dataset(card)
card = settle(card, data)
def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024
base, peak, over = anonymous(), 0.0, threading.Event()
def watch():
    global peak
    while not over.wait(0.02):
        peak = max(peak, anonymous())
watcher = threading.Thread(target=watch)
watcher.start()
run = runs.create(folder, name)
runs.publish(run)
started = time.perf_counter()
train(card, data, run)
seconds = time.perf_counter() - started
over.set()
watcher.join()
print(seconds / len(data.indices("train")) / card.trainer.max_epochs * 1e6, peak - base)
"""


def measured(folder: Path, name: str, how: str, epochs: int) -> tuple[float, float]:
    """Microseconds a row, and the MB that training added to the process."""
    words = [sys.executable, "-c", SCRIPT, str(folder), name, how, str(epochs)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, memory = done.stdout.split()[-2:]
    return float(seconds), float(memory)


def write(folder: Path, name: str, rows: int, width: int) -> None:
    """Random rows and ten classes, written a part at a time."""
    rng = np.random.default_rng(0)
    shape = (rows, width)
    inputs = np.lib.format.open_memmap(folder / f"{name}-inputs.npy", mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, rows, 50_000):
        part = inputs[start : start + 50_000]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    inputs.flush()
    np.save(folder / f"{name}-targets.npy", rng.integers(0, 10, rows))


def main() -> None:
    """Print microseconds a row for each number of rows, then the memory for small and large files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in COUNTS:
            write(folder, "rows", rows, 64)
            shown = [f"{how} {measured(folder, 'rows', how, EPOCHS)[0]:.1f}" for how in ("in-memory", "mapped")]
            print(f"{rows:9,} rows: us a row: {'  '.join(shown)}", flush=True)
        for rows in WIDE_COUNTS:
            write(folder, "wide", rows, MEMORY_WIDTH)
            megabytes = rows * MEMORY_WIDTH * 4 / 1e6
            memory = measured(folder, "wide", "mapped", 1)[1]
            print(f"{megabytes:6.0f} MB mapped: training added {memory:.0f} MB of its own", flush=True)


if __name__ == "__main__":
    main()
