"""The driver's end of the process that forks trials: started once, kept for the next sweep of the same process."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
from typing import Any

from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.errors import RuncardError
from runcard.tuning.sharing import shared

# Bytes; what is said is short.
MAX_MESSAGE = 65_536
# Importing torch takes seconds; on a slow disk, the first time, a minute.
START_PATIENCE_S = 300.0
END_PATIENCE_S = 10.0
# For glibc, which reads it when a process starts: give memory that was freed to the next minibatch, not back to the
# system, and ask for huge pages; training is 3 % faster, and a new process has far fewer pages to fault in.
_TUNED = {"hugetlb": 1, "mmap_threshold": 32 << 20, "trim_threshold": 256 << 20, "top_pad": 64 << 20}
MALLOC = ":".join(f"glibc.malloc.{name}={value}" for name, value in _TUNED.items())


class Forkserver:
    """A process that forks others; see ``server.py`` for what the two say to each other.

    Attributes:
        control: The connection to it, on which it says what became of its children.
        gpus: How many GPUs there are; 0 before it is up.
    """

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.gpus = 0
        self._ready = False
        command = [sys.executable, "-P", "-m", "runcard.tuning.server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C at the terminal reaches the driver alone
                # Polars decides when it is imported; a trial writes a few rows with it.
                env={"GLIBC_TUNABLES": MALLOC, **os.environ, "POLARS_MAX_THREADS": "1"},
            )

    def wait_until_up(self) -> None:
        """Wait until it has imported what it must.

        Raises:
            RuncardError: If it could not.
        """
        if self._ready:
            return
        self.control.settimeout(START_PATIENCE_S)
        try:
            message = json.loads(self.control.recv(MAX_MESSAGE) or "{}")
        except (TimeoutError, ConnectionResetError):
            message = {}
        if "ready" not in message:
            raise RuncardError("the process that starts trials did not come up; what it said is above")
        self.control.settimeout(None)
        self.gpus, self._ready = message["ready"], True

    def fork(self, number: int, files: list[int]) -> None:
        """Have a process forked for a trial.

        Args:
            number: Of the trial.
            files: The trial's end of a conversation, and where its output goes.

        Raises:
            OSError: If the server is gone.
        """
        socket.send_fds(self.control, [json.dumps({"trial": number}).encode()], files)

    def share(self, key: str, data: Dataset, card: Card) -> None:
        """Give rows to the processes that are forked from now on, if they need not be copied from disk for it.

        Args:
            key: Of the rows.
            data: The rows.
            card: Such as the trials will have.
        """
        file = shared(data)
        if file is not None:
            with contextlib.suppress(OSError):  # it is gone, and whoever starts another will try again
                socket.send_fds(self.control, [_offer(key, card)], [file])
            os.close(file)

    def heard(self) -> dict[str, Any] | None:
        """What it says next; None: it is gone."""
        try:
            message = self.control.recv(MAX_MESSAGE)
        except ConnectionResetError:
            message = b""
        return json.loads(message) if message else None

    @property
    def alive(self) -> bool:
        """Whether it is up and listens."""
        return self._ready and self._process.poll() is None

    def forget(self) -> None:
        """Have it let go of all rows.

        Raises:
            OSError: If it is gone.
        """
        self.control.send(json.dumps({"data": None}).encode())

    def close(self) -> None:
        """End it; its children notice that their driver listens no more."""
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_PATIENCE_S if self._ready else 0)
        self._process.kill()
        self._process.wait()


def _offer(key: str, card: Card) -> bytes:
    """What is said of rows; of a card that is very long, nothing."""
    whole = json.dumps({"data": key, "card": card.saved(), "origins": card.origins}, default=str).encode()
    return whole if len(whole) < MAX_MESSAGE else json.dumps({"data": key}).encode()


# One that the last sweep left; a notebook's next one need not wait for imports.
_spare: list[Forkserver] = []


def taken() -> Forkserver:
    """A server, new or left by an earlier sweep."""
    while _spare:
        server = _spare.pop()
        if server.alive:
            return server
        server.close()
    return Forkserver()


def left(server: Forkserver) -> None:
    """Keep a server for the next sweep; it has no children any more."""
    try:
        server.forget()
    except OSError:
        server.close()
    else:
        _spare.append(server)


@atexit.register
def _end_spare() -> None:
    while _spare:
        _spare.pop().close()
