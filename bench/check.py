"""How long a user waits for a word, and how much memory it takes: right cards, wrong cards, and cards meant to do harm.

Whole processes, warm. What is refused must be refused in under a second and under 200 MB; no line but the last may
import torch.

python bench/check.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 11)
)
REFERENCES = "problem:\n" + "".join(f"  a{level}: ${{.a{level + 1}}}${{.a{level + 1}}}\n" for level in range(40))
HARM = {
    "an alias bomb of 10 levels": BOMB,
    "a bomb of references": f"# @package _global_\n{REFERENCES}  a40: x\n",
    "100,000 brackets": "a: " + "[" * 100_000,
    "a file of 10 MB": "a: " + "x" * 10_000_000,
}
NETWORK = """
import torch


class Net(torch.nn.Module):
    def __init__(self, input_shape: tuple[int, ...], outputs: int, width: int = 8) -> None:
        super().__init__()
"""


def measured(words: list[str], folder: Path) -> tuple[float, float, int]:
    """One process: seconds from start to end, megabytes at its largest, and how it ended.

    Args:
        words: What stands behind ``runcard``; a line that ends in a TAB is completed instead.
        folder: Where it runs.
    """
    line = "runcard " + " ".join(words).removesuffix("TAB")
    if words[-1].endswith("TAB"):
        words = ["--shell-completion", "query=bash"]
    program = Path(sys.executable).with_name("runcard")
    started = time.perf_counter()
    process = subprocess.Popen([program, *words], cwd=folder, env=os.environ | {"COMP_LINE": line}, **QUIET)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - started, used.ru_maxrss / 1024, process.returncode


def commands(folder: Path) -> dict[str, list[str]]:
    """What is measured, with the files that it needs."""
    (folder / "experiment").mkdir()
    (folder / "mine").mkdir()
    (folder / "mine" / "net.py").write_text(NETWORK)
    found = {
        "runcard --help": ["--help"],
        "runcard ls": ["ls", "--runs-dir", "."],
        "runcard fit TAB": ["fit", "TAB"],
        "runcard fit experiment=digits_cnn trainer.TAB": ["fit", "experiment=digits_cnn", "trainer.TAB"],
        "runcard check": ["check"],
        "an experiment with overrides": ["check", "experiment=digits_cnn", "trainer.max_epochs=5"],
        "another library's class": [
            "check",
            "trainer.callbacks={s: {_target_: pytorch_lightning.callbacks.ModelSummary}}",
        ],
        "two mistakes": ["check", "trainer.max_epoch=5", "optimzer.lr=3"],
    }
    for number, (name, text) in enumerate(HARM.items()):
        place = folder / f"harm{number}"
        (place / "experiment").mkdir(parents=True)
        (place / "experiment" / "harm.yaml").write_text(text)
        found[name] = ["check", "--config-dir", place.name, "experiment=harm"]
    (folder / "card.yaml").write_text(BOMB)
    found["an alias bomb as a saved card"] = ["check", "card.yaml"]
    found["a class of one's own"] = ["check", "model._target_=mine.net.Net", "--trust", "mine"]
    return found


def main() -> None:
    """Print median, minimum and maximum of each command, and the memory that the largest took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for name, words in commands(Path(place)).items():
            measured(words, Path(place))  # warms the disk
            rounds = [measured(words, Path(place)) for _ in range(arguments.rounds)]
            taken, memory = [seconds for seconds, _, _ in rounds], max(size for _, size, _ in rounds)
            times = f"{statistics.median(taken):.2f} s  ({min(taken):.2f} to {max(taken):.2f})"
            print(f"{times}  {memory:4.0f} MB  exit code {rounds[0][2]}  {name}")


if __name__ == "__main__":
    main()
