"""The job of one trial at a Hydra launcher: launched, found again by a later process, asked to end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runcard.card.launchers import Launcher
from runcard.files import write_bytes
from runcard.interrupts import started_here
from runcard.tuning.clusters import Cluster, job_folders, new_job
from runcard.tuning.events import Died, Ended, Event
from runcard.tuning.remote import read_outcome, stop_file, task_path
from runcard.tuning.task import STOPPED

POLL_S = 0.1
# A job that is gone may have left an outcome that a shared file system shows a little later.
GONE_S = 5.0
# How long a process of this machine may take to submit a job, or to save.
PATIENCE_S = 30.0
LAUNCH = "from runcard.tuning.launching import main; main()"


class Job:
    """A trial's job.

    Attributes:
        number: The trial's.
        task_file: All that the job needs.
        id: The cluster's, as soon as it is known.
    """

    def __init__(self, number: int, launcher: Launcher, cluster: Cluster | None, study: Path) -> None:
        """A job that is not launched yet.

        Args:
            number: The trial's.
            launcher: Which launches it.
            cluster: Where it runs; None: in the process that launches it.
            study: The study's folder.
        """
        self.number, self.task_file = number, task_path(study, number)
        self.id: str | None = None
        self._launcher, self._cluster = launcher, cluster
        self._folder, self._kept = study / "jobs" / str(number), study / "jobs" / f"{number}.json"
        self._log = self._folder / "launch.log"
        self._before: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False
        self._gone: float | None = None

    def launch(self) -> None:
        """Launch it; its id is known later."""
        self._before = job_folders(self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._keep()
        words = [json.dumps(self._launcher.to_dict()), str(self.task_file), str(self._folder)]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, *words],
                env=os.environ | started_here(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def attach(self) -> bool:
        """Whether the job of an earlier process of this sweep still waits or runs; then it is this one."""
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
            if self._cluster is None or kept["launcher"] != self._launcher.name:
                return False
            job = kept["job_id"] or new_job(self._folder, set())
            self._cluster.forget()
            if job is not None and self._cluster.alive(job, self._folder):
                self.id = job
        return self.id is not None

    def event(self) -> Event | None:
        """What became of it; None: it waits or runs."""
        self._learn_id()
        outcome = read_outcome(self.task_file)
        if outcome is not None and (self._asked or outcome["state"] != "STOPPED"):
            return Ended(self.number, outcome)
        if self._alive():
            self._gone = None
            return None
        self._gone = self._gone or time.monotonic()
        if outcome is None and self.id is not None and time.monotonic() - self._gone < GONE_S:
            return None
        if self._asked:
            return Ended(self.number, STOPPED)
        return Died(self.number, self._reason("ended without an outcome" if outcome is None else "was stopped"))

    def stop(self) -> None:
        """Ask it to save and end, once."""
        if not self._asked:
            self._asked = True
            # For a job that is about to begin, whose launcher would swallow the signal.
            stop_file(self.task_file).touch()
            self._signal()

    def end(self) -> None:
        """Have it saved and ended by the cluster, for nobody waits for it any more."""
        self._await_id()
        if self.id is not None and self._cluster is not None:
            self._cluster.end(self.id, self._folder)
        else:
            self.stop()

    def leave(self, patience_s: float = PATIENCE_S) -> None:
        """Have no process of this machine left of it."""
        if self._process is None:
            return
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Who starts the trial again must not wait for this job, which may take a moment to end."""
        self._kept.unlink(missing_ok=True)

    def _learn_id(self) -> None:
        """Keep the id, once there is one; what launched the job would only wait for it too."""
        if self._cluster is None or self._process is None or self.id is not None:
            return
        self.id = new_job(self._folder, self._before)
        if self.id is not None:
            self._keep()
            self._process.kill()
            self._process.wait()
            self._process = None
            self._cluster.forget()
            if self._asked:
                self._signal()

    def _await_id(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while self._cluster and self.id is None and self._alive() and time.monotonic() < end:
            self._learn_id()
            time.sleep(POLL_S)

    def _alive(self) -> bool:
        if self.id is not None and self._cluster is not None:
            return self._cluster.alive(self.id, self._folder)
        return self._process is not None and self._process.poll() is None

    def _signal(self) -> None:
        if self.id is not None and self._cluster is not None:
            self._cluster.stop(self.id, self._folder)
        elif self._cluster is None and self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def _reason(self, what: str) -> str:
        if self.id is None or self._cluster is None:
            code = self._process.returncode if self._process is not None else None
            return f"{self._launcher.name}: {what}, exit code {code}; its log is {self._log}"
        state = self._cluster.reason(self.id)
        return f"job {self.id} {what}{f' ({state})' if state else ''}; its log is in {self._folder / self.id}"

    def _keep(self) -> None:
        kept = {"launcher": self._launcher.name, "job_id": self.id}
        write_bytes(self._kept, json.dumps(kept).encode())
