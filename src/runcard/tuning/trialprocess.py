"""The driver's end of one trial's process: what it says, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

from runcard.tuning.events import Died, Ended, Event, Report
from runcard.tuning.forkserver import MAX_MESSAGE
from runcard.tuning.task import Task

LAST_WORDS = 300


@dataclass
class TrialProcess:
    """A process that does a trial.

    Attributes:
        task: The trial.
        slot: Its place among those that run at once.
        conversation: The connection to it.
        output: Where what it prints goes.
        heard: What it has said and nobody has read.
        pid: Its number; 0 before the server has told.
        status: How it ended, as ``os.waitstatus_to_exitcode`` says; None: it runs, or nobody knows.
        silent: Whether it will say no more.
        unwanted: Whether it is to end.
        orphan: Whether nobody is left who would tell how it ends.
    """

    task: Task
    slot: int
    conversation: socket.socket
    output: Path
    heard: bytearray = field(default_factory=bytearray)
    pid: int = 0
    status: int | None = None
    silent: bool = False
    unwanted: bool = False
    orphan: bool = False

    def end(self) -> None:
        """Ask it to save what it has and to end; one whose number is not known yet is asked when it is."""
        if self.pid and self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def listen(self) -> None:
        """Take in what it has said."""
        try:
            words = self.conversation.recv(MAX_MESSAGE)
        except ConnectionResetError:
            words = b""
        self.heard += words
        self.silent = not words

    def events(self) -> list[Event]:
        """What it has said, and that it is gone; nothing comes after its end."""
        *lines, rest = self.heard.split(b"\n")
        self.heard[:] = rest
        events: list[Event] = []
        for line in lines:
            said = json.loads(line)
            if "outcome" in said:
                return [*events, Ended(self.task.number, said["outcome"])]
            events.append(Report(self.task.number, said["step"], said["value"]))
        if self.silent and (self.orphan or self.status is not None):
            events.append(Died(self.task.number, _how(self)))
        return events

    def close(self) -> None:
        """Let go of it; the file for its output goes if it printed nothing."""
        self.conversation.close()
        with contextlib.suppress(OSError):
            if not self.output.stat().st_size:
                self.output.unlink()


def _how(worker: TrialProcess) -> str:
    """How a process ended, and what it said last."""
    status = worker.status or 0
    how = f"its process ended with code {status}" if worker.status is not None else "its process has ended"
    if status < 0:
        how = f"its process was ended by {_signal_name(-status)}"
    if status == -signal.SIGKILL:
        how += ", as happens where memory is short"
    with contextlib.suppress(OSError):
        words = worker.output.read_text(encoding="utf-8", errors="replace").strip()
        how += f"; its last words are in {worker.output}: {words[-LAST_WORDS:].splitlines()[-1]}" if words else ""
    return how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time one
        return f"signal {number}"
