"""Trials placed by a Hydra launcher: each its own instance and job, none waiting for another."""

from __future__ import annotations

import time
from pathlib import Path

from runcard.card.launchers import Launcher
from runcard.tuning.clusters import Local, Slurm
from runcard.tuning.events import Event
from runcard.tuning.job import PATIENCE_S, POLL_S, Job
from runcard.tuning.remote import RUN_TASK, finished_outcome, write_task
from runcard.tuning.task import Task

CLUSTERS: dict[str, type[Slurm] | type[Local]] = {"submitit_slurm": Slurm, "submitit_local": Local}


class LaunchedExecutor:
    """Starts trials by a Hydra launcher.

    Attributes:
        slots: How many trials at once; of submitted jobs, how many are queued or run.
    """

    def __init__(self, launcher: Launcher, slots: int, folder: Path, run_task: str = RUN_TASK) -> None:
        """Take a launcher.

        Args:
            launcher: One of Hydra's.
            slots: How many trials at once.
            folder: The study's, which every machine sees by the same path.
            run_task: ``module:function`` that runs a task.
        """
        self.slots = slots
        self._launcher, self._folder, self._run_task = launcher, Path(folder).absolute(), run_task
        self._cluster = CLUSTERS[launcher.name]() if launcher.name in CLUSTERS else None
        self._jobs: dict[int, Job] = {}

    @property
    def free(self) -> bool:
        """Whether there is room for one more."""
        return len(self._jobs) < self.slots

    def start(self, task: Task) -> str:
        """Launch a trial, or wait for the job that it has already; the launcher's name.

        Raises:
            RunError: If the study's folder cannot be written.
        """
        job = self._jobs[task.number] = Job(task.number, self._launcher, self._cluster, self._folder)
        if finished_outcome(job.task_file) is None and not job.attach():
            write_task(job.task_file, task, self._run_task)
            job.launch()
        return self._launcher.name

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened, at the latest after ``timeout_s`` seconds, then perhaps nothing."""
        end = time.monotonic() + timeout_s
        while True:
            events = [event for job in list(self._jobs.values()) if (event := job.event()) is not None]
            for event in events:
                self._over(self._jobs.pop(event.number))
            left = end - time.monotonic()
            if events or left <= 0:
                return events
            time.sleep(min(POLL_S, left))

    def answer(self, number: int, *, stop: bool) -> None:
        """Trials elsewhere ask the storage, so there is nothing to answer."""

    def stop(self, number: int) -> None:
        """Ask a trial to save and end."""
        if number in self._jobs:
            self._jobs[number].stop()

    def job_id(self, number: int) -> str | None:
        """The id of a trial's job, as soon as it is known."""
        return self._jobs[number].id if number in self._jobs else None

    def close(self) -> None:
        """Ask all that runs to save and end; wait for what runs on this machine."""
        for job in self._jobs.values():
            job.end()
        end = time.monotonic() + PATIENCE_S
        for job in self._jobs.values():
            job.leave(max(0.0, end - time.monotonic()))
        self._jobs.clear()

    def _over(self, job: Job) -> None:
        job.leave()
        job.forget()
