"""What the benches of sweeps share: Runcard's own sweep as a process, run folders with their times, targets."""

from __future__ import annotations

import csv
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.sweeping.trial import METRIC

from runcard.runs import RunFolder

STUDY = "study"


class RefusedError(Exception):
    """A command ended with an error; its last words."""


@dataclass(frozen=True)
class Trial:
    """One run folder and when it was written, in seconds since 1970."""

    folder: RunFolder

    @property
    def start(self) -> float:
        """When it was begun."""
        return self.folder.card.stat().st_mtime

    @property
    def end(self) -> float:
        """When its last file was written."""
        return max(path.stat().st_mtime for path in self.folder.path.iterdir())

    @property
    def value(self) -> float:
        """How good it is; nan for one that was not finished."""
        if not self.folder.finished:
            return math.nan
        return float(json.loads(self.folder.metrics.read_text())[METRIC])

    @property
    def epochs(self) -> int:
        """How many were trained."""
        with self.folder.history.open(newline="") as lines:
            return sum(1 for _ in csv.DictReader(lines))


@dataclass
class Targets:
    """Numbers beside what they must reach; prints each as it is known."""

    missed: list[str] = field(default_factory=list)

    def least(self, what: str, value: float, target: float, unit: str = "") -> None:
        """More is better."""
        self._say(what, value, f"≥ {target:g}{unit}", good=value >= target, unit=unit)

    def most(self, what: str, value: float, target: float, unit: str = "") -> None:
        """Less is better."""
        self._say(what, value, f"≤ {target:g}{unit}", good=value <= target, unit=unit)

    def equal(self, what: str, value: float, target: float) -> None:
        """There is one right number."""
        self._say(what, value, f"= {target:g}", good=value == target, unit="")

    def _say(self, what: str, value: float, target: str, *, good: bool, unit: str) -> None:
        print(f"  {what:56} {value:8.4g}{unit}  {target:10}  {'ok' if good else 'MISSED'}", flush=True)
        if not good:
            self.missed.append(f"{what} {value:.4g}{unit}, not {target}")


def trials(parent: Path) -> list[Trial]:
    """The runs below a folder, in the order in which they were begun."""
    found = [Trial(RunFolder(path.parent)) for path in parent.glob("**/card.yaml") if path.parent.name[0] != "."]
    return sorted(found, key=lambda trial: trial.start)


def span(found: Sequence[Trial]) -> float:
    """Seconds from the first one's start to the last one's end."""
    return max(trial.end for trial in found) - min(trial.start for trial in found)


def best(found: Iterable[Trial]) -> float:
    """The highest value."""
    return max((trial.value for trial in found if not math.isnan(trial.value)), default=math.nan)


def standard_error(share: float, rows: int) -> float:
    """Of a share of rows, such as an accuracy.

    As Agresti and Coull (1998) have it, with two hits and two misses added: else a share of 1 would have no error, and
    one row of a few hundred would decide.
    """
    likely = (share * rows + 2) / (rows + 4)
    return math.sqrt(likely * (1 - likely) / (rows + 4))


def run_command(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run to the end.

    Raises:
        RefusedError: If it ends with an error.
    """
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RefusedError("\n".join([line for line in said if line.startswith("  - ")] or said[-3:]))


def sweep_command(words: Sequence[str]) -> list[str]:
    """Runcard's own sweep, which leaves ``studies/study``."""
    return [sys.executable, "-m", "runcard", "fit", "-m", *words, f"sweep.name={STUDY}"]


def own_sweep(words: Sequence[str], folder: Path) -> list[Trial]:
    """The trials of Runcard's own sweep.

    Raises:
        RefusedError: If the command refuses the words, as one does that lacks one of the keys.
    """
    run_command(sweep_command(words), folder)
    return trials(folder / "studies" / STUDY)


def shown(values: Sequence[float], unit: str = " s") -> str:
    """Median, least and most."""
    return f"{statistics.median(values):7.2f}{unit}  ({min(values):.2f} to {max(values):.2f})"
