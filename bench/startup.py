"""How long a user waits for words: whole processes of `runcard --help` and `runcard check`, warm.

python bench/startup.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = (
    ["--help"],
    ["check"],
    ["check", "experiment=digits_cnn", "trainer.max_epochs=5"],
    ["ls", "--runs-dir", "."],
)


def seconds(words: list[str]) -> float:
    """One process, start to end."""
    started = time.perf_counter()
    program = Path(sys.executable).with_name("runcard")
    subprocess.run([program, *words], capture_output=True, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print median, minimum and maximum of each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    for words in COMMANDS:
        seconds(words)  # warms the disk
        taken = [seconds(words) for _ in range(arguments.rounds)]
        print(f"{statistics.median(taken):.2f} s  ({min(taken):.2f} to {max(taken):.2f})  runcard {' '.join(words)}")


if __name__ == "__main__":
    main()
