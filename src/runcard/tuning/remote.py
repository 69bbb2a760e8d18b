"""A trial on another machine: its task comes from a file, its outcome goes to one, its reports to the study's storage.

``python -m runcard.tuning.remote TASK_FILE`` runs one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from runcard.errors import Stopped
from runcard.files import write_bytes
from runcard.interrupts import end_with_parent, put_off
from runcard.tuning.task import STOPPED, Task, Told

# Who runs a task; only tests of the executor name another.
RUN_TASK = "runcard.tuning.trial:run_task"


# What a trial must have of the sweep's environment, whatever a cluster hands on.
HANDED_ON = ("RUNCARD_TRUST",)
# How soon a trial sees that it is to stop, where no signal reaches it.
WATCH_EVERY_S = 0.2


def task_path(study: Path, number: int) -> Path:
    """Where the task of a trial goes."""
    return study / "tasks" / f"{number}.json"


def outcome_file(task_file: Path) -> Path:
    """Where the outcome of a task goes, beside it."""
    return task_file.with_suffix(".outcome.json")


def stop_file(task_file: Path) -> Path:
    """What is there when a task is to save and end."""
    return task_file.with_suffix(".stop")


def write_task(path: Path, task: Task, run_task: str = RUN_TASK) -> None:
    """Write all that a job needs.

    Args:
        path: The file.
        task: The trial.
        run_task: ``module:function`` that runs it.

    Raises:
        RunError: If it cannot be written.
    """
    environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    content = {"task": task.to_dict(), "environment": environment, "run_task": run_task}
    path.parent.mkdir(parents=True, exist_ok=True)
    stop_file(path).unlink(missing_ok=True)
    write_bytes(path, json.dumps(content).encode())


def read_outcome(task_file: Path) -> dict[str, Any] | None:
    """The outcome of a trial that has ended, which was written whole."""
    with contextlib.suppress(FileNotFoundError):
        outcome: dict[str, Any] = json.loads(outcome_file(task_file).read_text(encoding="utf-8"))
        return outcome
    return None


def finished_outcome(task_file: Path) -> dict[str, Any] | None:
    """The outcome of a trial that came to an end; one that was stopped is to go on, and its outcome goes."""
    outcome = read_outcome(task_file)
    if outcome is None or outcome["state"] != "STOPPED":
        return outcome
    outcome_file(task_file).unlink()
    return None


def launched_trial(task_file: str) -> dict[str, Any]:
    """Run the trial of a task file; write its outcome beside it, whole or not at all.

    Returns:
        The outcome.

    Raises:
        RunError: If the outcome cannot be written.
    """
    path = Path(task_file)
    content = json.loads(path.read_text(encoding="utf-8"))
    os.environ.update(content["environment"])
    task = Task.from_dict(content["task"])
    # A launcher's own handler would only log what asks for the end.
    signal.signal(signal.SIGTERM, _stop)
    try:
        if stop_file(path).exists():  # the signal came before there was a handler
            raise Stopped(signal.SIGTERM)
        module, _, name = content["run_task"].partition(":")
        outcome: dict[str, Any] = getattr(importlib.import_module(module), name)(task, listener(task))
    except Stopped:
        outcome = STOPPED
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing is left to stop
    write_bytes(outcome_file(path), json.dumps(outcome).encode())
    return outcome


def listener(task: Task) -> Told | None:
    """Who hears of a trial's steps: the study in its storage, whose pruner answers; None if nobody is told."""
    if task.reports == "none" or task.study is None:
        return None
    # Imported here: a trial that tells nobody needs no Optuna.
    from runcard.tuning.listening import listening

    return listening(task.study)


def stop_when_asked(task_file: Path) -> None:
    """Make a signal of the file that asks a trial to stop: for where only files go from machine to machine."""

    def watch() -> None:
        while not stop_file(task_file).exists():
            time.sleep(WATCH_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _stop(signum: int, frame: FrameType | None) -> None:
    if not put_off(signum, frame):
        raise Stopped(signum)


def main() -> None:
    """Run the task file that the command line names, until it ends or is asked to, or who started it dies.

    In a child of this process: Ray kills what its workers have started, without asking, when a sweep is gone.
    """
    end_with_parent(signal.SIGKILL)
    parent = os.getpid()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        sys.exit(abs(os.waitstatus_to_exitcode(status)))
    end_with_parent(signal.SIGTERM, parent)
    stop_when_asked(Path(sys.argv[1]))
    launched_trial(sys.argv[1])


if __name__ == "__main__":
    main()
