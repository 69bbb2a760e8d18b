"""A trial's own process: takes the trial from the driver, tells it of each step, and ends when the driver does."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from runcard.data.dataset import Dataset
from runcard.errors import Stopped
from runcard.interrupts import SIGNALS, put_off
from runcard.tuning.task import Task
from runcard.tuning.trial import run_task

# Time to save after the driver has died, and before this process does.
GRACE_S = 3.0


def work(conversation: socket.socket, data: Mapping[str, Dataset]) -> None:
    """Do one trial.

    Args:
        conversation: A line of JSON each: task, environment and working directory in; steps out and whether to end
            in; what came of it out.
        data: The rows that are at hand, by key.
    """
    _listen_to_signals()
    faulthandler.enable()
    logging.getLogger("runcard").addHandler(logging.NullHandler())  # run.log has it; a terminal has the driver
    threading.Thread(target=_end_with_driver, args=(conversation,), daemon=True).start()
    lines = conversation.makefile("rw", encoding="utf-8")
    begin = json.loads(lines.readline())
    os.environ.clear()
    os.environ.update(begin["variables"])
    os.chdir(begin["folder"])
    task = Task.from_dict(begin["task"])

    def told(step: int, value: float) -> bool:
        _write(lines, {"step": step, "value": value})
        return bool(json.loads(lines.readline() or "false"))

    try:
        ended = run_task(task, told, data.get(task.data_key))
        for signum in SIGNALS:  # all is done; to be stopped while it is told would lose it
            signal.signal(signum, signal.SIG_IGN)
        _write(lines, {"outcome": ended})
    except Stopped:  # before the trial had begun
        return


def _write(lines: Any, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the driver is gone, and so are we, soon
        lines.write(json.dumps(message) + "\n")
        lines.flush()


def _listen_to_signals() -> None:
    for signum in SIGNALS:
        signal.signal(signum, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the driver hears it too, and asks for an end


def _stop(signum: int, frame: FrameType | None) -> None:
    if put_off(signum, frame):
        return
    for each in SIGNALS:  # once is enough
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(signum)


def _end_with_driver(conversation: socket.socket) -> None:
    """Wait until the driver has died; then ask for an end as it would have done, and see to it that it comes."""
    poll = select.poll()
    poll.register(conversation, select.POLLRDHUP)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
