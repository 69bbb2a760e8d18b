"""Trials placed by Ray: one remote task a trial, which runs it in a process of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from runcard.card.launchers import Launcher, RaySettings
from runcard.errors import CardError
from runcard.interrupts import started_here
from runcard.tuning.events import Died, Ended, Event
from runcard.tuning.remote import RUN_TASK, finished_outcome, read_outcome, stop_file, task_path, write_task
from runcard.tuning.task import STOPPED, Task

CLOSE_S = 30.0


class RayExecutor:
    """Starts trials as tasks of Ray.

    Attributes:
        slots: How many trials at once.
    """

    def __init__(self, launcher: Launcher, slots: int, folder: Path, run_task: str = RUN_TASK) -> None:
        """Connect to Ray, or start it on this machine.

        Args:
            launcher: With Ray's address, and what each trial needs.
            slots: How many trials at once.
            folder: The study's, which every machine sees by the same path.
            run_task: ``module:function`` that runs a task.

        Raises:
            CardError: If Ray cannot be reached.
        """
        import ray

        self.slots = slots
        self._folder, self._run_task, self._ray = Path(folder).absolute(), run_task, ray
        self._settings = RaySettings(**launcher.params)
        self._was_there = ray.is_initialized()
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if self._settings.address is None:
            _leave_reporter_out()
        try:
            ray.init(
                address=self._settings.address or "local",
                ignore_reinit_error=True,
                include_dashboard=False if self._settings.address is None else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            said = str(error).strip().splitlines()[0]
            hint = "A cluster that asks for a token needs it in RAY_AUTH_TOKEN."
            raise CardError(
                f"hydra.launcher.address={self._settings.address}: cannot reach Ray: {said}. {hint}"
            ) from None
        options: Any = {"num_cpus": self._settings.num_cpus, "num_gpus": self._settings.num_gpus}
        self._remote: Any = ray.remote(**options, max_retries=0)(in_own_process)
        self._running: dict[Any, int] = {}
        self._ready: list[Event] = []
        self._asked: set[int] = set()

    @property
    def free(self) -> bool:
        """Whether there is room for one more."""
        return len(self._running) < self.slots

    def start(self, task: Task) -> str:
        """Hand a trial to Ray.

        Raises:
            RunError: If the study's folder cannot be written.
        """
        task_file = task_path(self._folder, task.number)
        outcome = finished_outcome(task_file)
        if outcome is not None:
            self._ready.append(Ended(task.number, outcome))
            return "ray"
        write_task(task_file, task, self._run_task)
        log = self._log(task.number)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._asked.discard(task.number)
        self._running[self._remote.remote(str(task_file), str(log), sys.path)] = task.number
        return "ray"

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened, at the latest after ``timeout_s`` seconds, then perhaps nothing."""
        if self._ready or not self._running:
            ready, self._ready = self._ready, []
            if not ready:
                time.sleep(timeout_s)
            return list(ready)
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        return [self._event(reference) for reference in done]

    def answer(self, number: int, *, stop: bool) -> None:
        """Trials elsewhere ask the storage, so there is nothing to answer."""

    def stop(self, number: int) -> None:
        """Ask a trial to save and end; one that Ray has not begun is taken back."""
        self._asked.add(number)
        stop_file(task_path(self._folder, number)).touch()
        for reference, other in self._running.items():
            if other == number:
                self._ray.cancel(reference, force=False)

    def close(self) -> None:
        """Ask all that runs to save and end, and leave Ray."""
        for number in list(self._running.values()):
            self.stop(number)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=CLOSE_S)
        self._running.clear()
        if not self._was_there:
            self._ray.shutdown()

    def _event(self, reference: Any) -> Event:
        number = self._running.pop(reference)
        try:
            code = self._ray.get(reference)
            said = f"exit code {code}"
        except Exception as error:  # of many classes of Ray's: cancelled, worker or node died, no memory
            said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        outcome = read_outcome(task_path(self._folder, number))
        if outcome is not None:
            return Ended(number, outcome)
        if number in self._asked:
            return Ended(number, STOPPED)
        return Died(number, f"its task in Ray ended without an outcome, {said}; its log is {self._log(number)}")

    def _log(self, number: int) -> Path:
        return self._folder / "jobs" / f"{number}.log"


def _leave_reporter_out() -> None:
    """Have a Ray of this machine start without its API server: all that it would do here is to report use.

    Told not to report, it still asks three clouds' addresses which of them it is in.
    """
    if os.environ.get("RAY_USAGE_STATS_ENABLED") == "0":
        from ray._private.node import Node

        Node.start_api_server = lambda self, **settings: None


def in_own_process(task_file: str, log: str, path: list[str]) -> int:
    """Run a trial in a process that ends with this one, and sees for itself when it is to stop.

    Args:
        task_file: All that the trial needs.
        log: Where its output goes.
        path: Where Python finds modules.

    Returns:
        Its exit code.
    """
    variables = os.environ | started_here() | {"PYTHONPATH": os.pathsep.join(path)}
    with open(log, "ab") as file:
        words = [sys.executable, "-m", "runcard.tuning.remote", task_file]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=variables)
    while True:
        # Taking a task back interrupts this, which must not end before the trial has.
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()
