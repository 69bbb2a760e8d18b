"""What a task does in the tests of executors; ``card`` says what."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from runcard.errors import Stopped
from runcard.tuning.task import Task


def run_task(task: Task, report: Any = None) -> dict[str, Any]:
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    Path(task.folder, "pid").write_text(str(os.getpid()))
    with open(Path(task.folder, "begun"), "a") as file:
        file.write("x")
    if task.card.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    end = time.monotonic() + task.card.get("seconds", 0)
    try:
        while time.monotonic() < end and not Path(task.folder, "go").exists():
            time.sleep(0.02)
    except Stopped:
        Path(task.folder, "saved").touch()
        return outcome("STOPPED")
    if task.card.get("fail"):
        return outcome("FAIL", error="as asked")
    values = [float(task.number)]
    return outcome("COMPLETE", values=values) | {"trust": os.environ.get("RUNCARD_TRUST")}


def outcome(state: str, values: list[float] | None = None, error: str | None = None) -> dict[str, Any]:
    return {"state": state, "values": values, "seed_values": None, "epochs": 1, "error": error}
