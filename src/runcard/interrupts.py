"""Signals held back while something must not be left half done: a study written, a minibatch learned, an import."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

# Ctrl-C, the usual "end now", and what a cluster sends some time before it takes a machine back.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Seconds between two looks whether an import is over, and after which it is broken off all the same: torch takes a few.
LOOK_EVERY_S, PATIENCE_S = 0.01, 10.0


PR_SET_PDEATHSIG = 1  # of linux/prctl.h
PARENT = "RUNCARD_PARENT"


def started_here() -> dict[str, str]:
    """A variable for a process that this one starts and that calls ``end_with_parent``."""
    return {PARENT: str(os.getpid())}


def end_with_parent(signum: signal.Signals, parent: int | None = None) -> None:
    """Ask Linux to send this process a signal when the one that started it dies, or died before this could ask.

    Args:
        signum: The signal.
        parent: The process that started this one; None: what ``started_here`` says, or else whoever is the parent now.
    """
    said = os.environ.pop(PARENT, "")  # not for those that this one starts
    expected = parent or (int(said) if said.isdecimal() else os.getppid())
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != expected:
        os.kill(os.getpid(), signum)


# Signal → when it was put off first.
_put_off: dict[int, float] = {}


def put_off(signum: int, frame: FrameType | None) -> bool:
    """Let a signal come again a moment later if a module is being imported just now.

    What is raised within an import gets lost there: a module in C makes an ``ImportError`` of it, and one that does
    without a library that cannot be imported passes over it.

    Args:
        signum: The signal that has come.
        frame: Where, as its handler was told.

    Returns:
        Whether it comes again, so that its handler has nothing to do now.
    """
    since = _put_off.setdefault(signum, time.monotonic())
    if not _importing(frame) or time.monotonic() - since > PATIENCE_S:
        del _put_off[signum]
        return False
    # Not a `threading.Thread`: starting one takes locks, which what was interrupted may hold.
    _thread.start_new_thread(_send_again, (signum,))
    return True


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _send_again(signum: int) -> None:
    time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signum)


class HeldBack:
    """Lets these signals wait, from ``hold`` to ``release`` or as a context; they act where they are let through.

    Outside of the main thread, where Python handles no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Any] = {}
        self._waiting: list[int] = []

    def __enter__(self) -> HeldBack:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def waiting(self) -> bool:
        """Whether a signal has come."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def let_through(self) -> Iterator[None]:
        """A part in which the signals act at once, one that waits first of all."""
        try:
            self.release()
            yield
        finally:
            self.hold()

    def hold(self) -> None:
        """Let signals wait from now on."""
        if not self._handlers and threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._wait) for number in SIGNALS}

    def release(self) -> None:
        """Let signals act from now on, one that waits first of all."""
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers = {}
        if self._waiting:
            first, *_ = self._waiting
            self._waiting.clear()  # who sent more of them meant the same
            signal.raise_signal(first)

    def _wait(self, number: int, _: FrameType | None) -> None:
        self._waiting.append(number)
