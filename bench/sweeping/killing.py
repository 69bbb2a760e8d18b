"""A sweep whose processes are killed, and which is started again by the same command."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil
from bench.sweeping.measuring import STUDY, RefusedError, sweep_command

# Which processes a kill is of; a trial's own most often, for there are most of them.
WORKER, PARENT, EVERYTHING, SERVER = "a worker", "the parent", "everything", "what forks workers"
KINDS = (WORKER, PARENT, EVERYTHING, SERVER, WORKER, PARENT, EVERYTHING, WORKER, PARENT, WORKER)
CARD = ["data=digits", "model=cnn", "trainer.threads=1", "trainer.max_epochs=12", "report=false", "sweep=tpe"]
# Often enough that trials of 2 s go on in their middle; and no trial is given up for being killed often.
CARD += ["checkpoint.every_s=0.2", "sweep.retries=20", "sweep.workers=4"]
MARK = "RUNCARD_BENCH_CHAOS"  # in the environment of all of them, however they were started
HANG_S = 600.0
LOOK_EVERY_S = 0.05


class Sweep:
    """The command, its processes and its study.

    Args:
        folder: Where it runs; ``log`` there holds all that it says.
        trials: In all.
        storage: A server's URL; None: the study's own file.

    Attributes:
        starts: How often it was started.
        longest_orphan_s: How long a process lived on after its parent had been killed.
    """

    def __init__(self, folder: Path, trials: int, storage: str | None) -> None:
        words = [*CARD, f"sweep.n_trials={trials}", *([f"sweep.storage={storage}"] if storage else [])]
        self.command = sweep_command(words)
        self.folder = folder
        self.study = folder / "studies" / STUDY
        self.trials = trials
        self.starts = 0
        self.longest_orphan_s = 0.0
        self._began = time.monotonic()
        self._orphans: list[tuple[float, psutil.Process]] = []
        self._log: IO[bytes] = (folder / "log").open("ab")
        self.start()

    def __enter__(self) -> Sweep:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, _ in self._kinds():
            _kill(process)
        self.process.wait()
        self._log.close()

    def start(self) -> None:
        """Start the command, in a session of its own."""
        self.starts += 1
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**os.environ, MARK: str(self.folder)},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    @property
    def seconds(self) -> float:
        """Since it was first started."""
        return time.monotonic() - self._began

    @property
    def finished(self) -> int:
        """How many trials' runs are finished."""
        return len(list(self.study.glob("[0-9]*/metrics.json")))

    def wait(self, until: int | None = None) -> None:
        """Wait until so many trials are finished; None: for the end of the command.

        Raises:
            RefusedError: If the command ends by itself with an error, or nothing comes of it.
        """
        began = time.monotonic()
        while self.process.poll() is None and (until is None or self.finished < until):
            self._look_at_orphans()
            time.sleep(LOOK_EVERY_S)
            if time.monotonic() - began > HANG_S:
                raise RefusedError(f"stuck with {self.finished} of {self.trials} trials; see {self.folder}/log")
        if self.process.returncode:
            raise RefusedError(f"it ended with {self.process.returncode}; see {self.folder}/log")

    def pause(self, seconds: float) -> None:
        """Let it work, and see who lives on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._look_at_orphans()
            time.sleep(LOOK_EVERY_S)

    def kill(self, kind: str, rng: random.Random) -> None:
        """Kill, and start again if the parent is among the dead.

        Args:
            kind: One of ``KINDS``.
            rng: Chooses one of several.

        Raises:
            RefusedError: If there is nobody left to kill.
        """
        family = self._family(kind)
        if not family:
            raise RefusedError(f"it ended before {kind} could be killed; see {self.folder}/log")
        victims = [rng.choice(family)] if kind == WORKER else family
        heirs = [process for process, _ in self._kinds() if process not in victims]
        for process in victims:
            _kill(process)
        if self.process.pid in [process.pid for process in victims]:
            self.process.wait()
            self._orphans += [(time.monotonic(), process) for process in heirs]
            self.start()

    def _family(self, kind: str) -> list[psutil.Process]:
        """The processes that a kill is of or, for a worker, one of them; waits until there are any."""
        began = time.monotonic()
        while self.process.poll() is None and time.monotonic() - began < HANG_S:
            found = [process for process, found in self._kinds() if kind in (found, EVERYTHING)]
            if found:
                return found
            time.sleep(LOOK_EVERY_S)
        return []

    def _kinds(self) -> list[tuple[psutil.Process, str]]:
        """All processes of the sweep, also those that have outlived their parent, with the kind of each."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == str(self.folder):
                    above = process.ppid()
                    own = process.pid == self.process.pid
                    found.append((process, PARENT if own else SERVER if above == self.process.pid else WORKER))
        return found

    def _look_at_orphans(self) -> None:
        """Forget those that are gone."""
        still = [(since, process) for since, process in self._orphans if _lives(process)]
        for since, process in self._orphans:
            if (since, process) in still:
                self.longest_orphan_s = max(self.longest_orphan_s, time.monotonic() - since)
        self._orphans = still


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
