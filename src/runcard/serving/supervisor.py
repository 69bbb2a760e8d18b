"""BentoML's supervisor, which starts workers and replaces those that die, made safe to leave alone.

BentoML uses circus for it. Left as it is, circus takes commands, such as to start any program, from whoever on this
machine reaches a port of it; loses a SIGTERM that comes while it starts a worker; and starts a worker that cannot load
its bundle again and again, for ever. To be called while BentoML's command looks for its service, before circus is
started. Workers, which have no supervisor, do nothing of it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from runcard.interrupts import end_with_parent, started_here

# Seconds between two tries to end; starting a worker takes some ten milliseconds.
AGAIN_S = 0.02
# Workers that one after the other end before they are ready, until no more is started.
TRIES = 3
# The supervisor's own folder, which nobody else may enter: its sockets, and a file for each worker that got ready.
FOLDER = "RUNCARD_SUPERVISOR"

# Bytes of a Unix socket's name.
LONGEST_SOCKET = 100


def is_supervisor() -> bool:
    """Whether this is BentoML's command, and no worker."""
    return "bentoml_cli" in sys.modules


def supervise() -> None:
    """Change circus in this process, if it is the one that supervises."""
    if not is_supervisor():
        return
    from circus.arbiter import Arbiter  # type: ignore[import-untyped]
    from circus.sighandler import SysHandler  # type: ignore[import-untyped]
    from circus.watcher import Watcher  # type: ignore[import-untyped]

    folder = _make_folder()
    os.environ.update({FOLDER: str(folder), **started_here()})
    SysHandler.quit = _quit
    _close_ports(Arbiter, folder)
    Watcher.notify_event = _Tries(folder).counting(Watcher.notify_event)


def end_with_supervisor() -> None:
    """Have this worker end when its supervisor does, be it killed: its port would stay taken."""
    if not is_supervisor():
        end_with_parent(signal.SIGKILL)


def say_ready() -> None:
    """Tell the supervisor that this worker has loaded its bundle."""
    folder = os.environ.get(FOLDER)
    if folder and not is_supervisor():
        with contextlib.suppress(OSError):
            Path(folder, str(os.getpid())).touch()


def _make_folder() -> Path:
    """A folder of this process, gone when it ends; where its sockets' names are not too long for the system."""
    long = len(tempfile.gettempdir()) + len("/runcard-serve-12345678/commands") > LONGEST_SOCKET
    folder = Path(tempfile.mkdtemp(prefix="runcard-serve-", dir="/tmp" if long else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _close_ports(arbiter: Any, folder: Path) -> None:
    """Have circus listen for commands in a folder of its own, and not on a port."""
    begin = arbiter.__init__

    def begin_closed(self: Any, watchers: Any, *_: Any, **settings: Any) -> None:
        settings |= {"endpoint": f"ipc://{folder}/commands", "pubsub_endpoint": f"ipc://{folder}/events"}
        begin(self, watchers, **settings)

    arbiter.__init__ = begin_closed


class _Tries:
    """Counts the workers that ended before they were ready."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failed = 0

    def counting(self, notify: Any) -> Any:
        """Circus's announcement of what happens, in which the end of a worker is counted."""

        def announce(watcher: Any, topic: str, message: dict[str, Any]) -> None:
            notify(watcher, topic, message)
            if topic == "reap" and not watcher.is_stopping() and not watcher.is_stopped():
                self._count(watcher, int(message["process_pid"]))

        return announce

    def _count(self, watcher: Any, pid: int) -> None:
        ready = self._folder / str(pid)
        self._failed = 0 if ready.exists() else self._failed + 1
        ready.unlink(missing_ok=True)
        if self._failed >= TRIES:
            from bentoml.exceptions import BentoMLException

            arbiter = watcher.arbiter
            text = f"{TRIES} workers ended before they could answer: the service ends. What they said stands above."
            arbiter._exception = BentoMLException(text)
            _stop(arbiter.ctrl.loop, arbiter)


def _quit(handler: Any) -> None:
    """Circus's answer to SIGTERM and Ctrl-C."""
    _stop(handler.controller.loop, handler.controller.arbiter)


def _stop(loop: Any, arbiter: Any) -> None:
    """Stop circus, as soon as it lets itself be stopped.

    It does one thing at a time: what asks for another meanwhile is answered with a ``ConflictError``, and for a signal
    nobody reads the answer and asks again (circus's ``Controller.dispatch``).
    """
    from circus.exc import ConflictError  # type: ignore[import-untyped]

    def end() -> None:
        try:
            loop.add_future(arbiter.stop(), lambda stopped: stopped.result())  # so that what goes wrong is logged
        except ConflictError:
            loop.call_later(AGAIN_S, end)

    loop.asyncio_loop.call_soon_threadsafe(end)
