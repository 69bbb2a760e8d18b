"""Jobs of submitit, by the commands of SLURM or the processes of this machine.

submitit itself asks ``sacct``, which clusters without accounting do not have, and never learns of a cancelled job
there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

COMMAND_TIMEOUT_S = 60
SHOW = ["scontrol", "show", "job", "--oneliner"]
# Of all jobs at once; SLURM's controller does not like to be asked often.
ASK_EVERY_S = 2.0


def new_job(jobs: Path, before: set[str]) -> str | None:
    """The id of the job that was submitted since ``before``: submitit makes a folder of that name for each."""
    found = [pickled.parent for pickled in jobs.glob("*/*_submitted.pkl") if pickled.parent.name not in before]
    return max(found, key=lambda folder: folder.stat().st_mtime).name if found else None


def job_folders(jobs: Path) -> set[str]:
    """The ids of all jobs that a trial ever had."""
    return {path.parent.name for path in jobs.glob("*/*_submitted.pkl")}


class Slurm:
    """Jobs of a SLURM cluster."""

    def __init__(self) -> None:
        self._states: dict[str, str] | None = None
        self._asked = -ASK_EVERY_S

    def alive(self, job: str, jobs: Path) -> bool:
        """Whether a job waits or runs; while the controller does not answer, what it said last, or yes."""
        if time.monotonic() - self._asked > ASK_EVERY_S:
            now = self._queue()
            self._states = self._states if now is None else now
            self._asked = time.monotonic()
        return self._states is None or job in self._states

    def forget(self) -> None:
        """Ask anew: there is a new job."""
        self._asked = -ASK_EVERY_S

    def stop(self, job: str, jobs: Path) -> None:
        """Send SIGTERM to a job that runs; one that waits leaves the queue."""
        waits = (self._queue() or {}).get(job) == "PENDING"
        _output(["scancel", job] if waits else ["scancel", "--signal=TERM", job])

    def end(self, job: str, jobs: Path) -> None:
        """SIGTERM, and SIGKILL when the cluster's time for that is over."""
        _output(["scancel", job])

    def reason(self, job: str) -> str:
        """How a job ended, such as CANCELLED, TIMEOUT or NODE_FAIL; empty if it is not known any more."""
        said = dict(word.split("=", 1) for word in (_output([*SHOW, job]) or "").split() if "=" in word)
        return " ".join(filter(None, [said.get("JobState"), said.get("ExitCode")]))

    def _queue(self) -> dict[str, str] | None:
        """State by id of the jobs of this user that wait or run; None if the controller does not answer."""
        said = _output(["squeue", "--me", "--noheader", "--format=%A %T"])
        return None if said is None else dict(line.split() for line in said.splitlines() if line.strip())


class Local:
    """Jobs of this machine, each a process of submitit's that outlives the sweep."""

    def alive(self, job: str, jobs: Path) -> bool:
        """Whether it runs; its number may belong to another process by now."""
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{job}/cmdline").read_bytes().split(b"\0")
            return b"submitit.local._local" in words and any(str(jobs).encode() in word for word in words)
        return False

    def forget(self) -> None:
        """Nothing is remembered."""

    def stop(self, job: str, jobs: Path) -> None:
        """Send SIGTERM, which submitit's process hands on to the trial."""
        if self.alive(job, jobs):
            with contextlib.suppress(OSError):
                os.kill(int(job), signal.SIGTERM)

    end = stop

    def reason(self, job: str) -> str:
        """Nobody keeps how it ended."""
        return ""


Cluster = Slurm | Local


def _output(words: list[str]) -> str | None:
    """What a command of SLURM prints; None if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
