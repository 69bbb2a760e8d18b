"""How fast a fit stops and goes on: seconds from a signal to the end of the process, by phase, and what saving costs.

    python bench/resume.py [--rounds 5]

Real processes of ``runcard fit`` with a convolutional network on digits. A phase is told by what the run folder holds:
``start`` is before it exists, ``learn`` once there is a line of history, ``end`` when the last checkpoint is written.
Each stopped run is resumed and compared with one that was not stopped.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runcard.runs import RunFolder
from runcard.training.checkpoint import load, save
from runcard.training.differences import equal

CARD = ["experiment=digits_cnn", "trainer.max_epochs=6", "report=false"]
RUNCARD = [sys.executable, "-m", "runcard"]


def the_run(folder: Path) -> RunFolder | None:
    """The run that a fit has begun, if it has."""
    found = list(folder.glob("*/2*/card.yaml"))
    return RunFolder(found[0].parent) if found else None


def _after_lines(count: int) -> Callable[[Path], bool]:
    def there(folder: Path) -> bool:
        run = the_run(folder)
        return run is not None and run.history.is_file() and run.history.read_text().count("\n") > count

    return there


def _is_saved(folder: Path) -> bool:
    run = the_run(folder)
    return run is not None and run.last.is_file()


PHASES: dict[str, Callable[[Path], bool]] = {
    "start": lambda folder: True,
    "learn": _after_lines(1),
    "later": _after_lines(3),
    "end": _is_saved,
}


def stopped(folder: Path, ready: Callable[[Path], bool], signum: int, wait_s: float) -> tuple[float, int]:
    """Seconds from the signal to the end of the process, and its exit code."""
    process = subprocess.Popen([*RUNCARD, "fit", *CARD, f"runs_dir={folder}"], stderr=subprocess.DEVNULL)
    while not ready(folder) and process.poll() is None:
        time.sleep(0.002)
    time.sleep(wait_s)
    process.send_signal(signum)
    started = time.perf_counter()
    code = process.wait()
    return time.perf_counter() - started, code


def goes_on(folder: Path, whole: RunFolder) -> bool:
    """Whether the stopped run, resumed, ends in the bits of the one that was not stopped."""
    run = the_run(folder)
    if run is None:
        return True  # it had not begun
    subprocess.run([*RUNCARD, "resume", str(run.path)], check=True, capture_output=True)
    names = ("last", "best")
    return all(equal(load(getattr(run, name)), load(getattr(whole, name))) for name in names)


def main() -> None:
    """Print seconds and exit codes by phase, then what one checkpoint costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds, moments = parser.parse_args().rounds, random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        subprocess.run([*RUNCARD, "fit", *CARD, f"runs_dir={place / 'whole'}"], check=True, capture_output=True)
        whole = the_run(place / "whole")
        assert whole is not None
        for phase, ready in PHASES.items():
            seconds, codes, same = [], set(), 0
            for number in range(rounds):
                # From 0.3 s on: Python itself ends by the signal before it runs any of our lines.
                wait_s = moments.uniform(0.3, 1.5) if phase == "start" else moments.uniform(0, 0.3)
                folder = place / f"{phase}-{number}"
                took, code = stopped(folder, ready, signal.SIGTERM, wait_s)
                seconds.append(took)
                codes.add(code)
                same += goes_on(folder, whole)
            shown = f"{statistics.median(seconds):.2f} s, at most {max(seconds):.2f}"
            print(f"SIGTERM, {phase:6}: {shown}; exit codes {codes}; {same} of {rounds} the same bits", flush=True)
        content = load(whole.last)
        started = time.perf_counter()
        for _ in range(20):
            save(place / "one.ckpt", content)
        size = (place / "one.ckpt").stat().st_size / 1e6
        print(f"one checkpoint of {size:.1f} MB: {(time.perf_counter() - started) / 20 * 1000:.1f} ms")


if __name__ == "__main__":
    main()
