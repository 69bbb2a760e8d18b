"""Signals held back while something must not be left half done: a study being written, a minibatch being learned."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# Ctrl-C, the usual "end now", and what a cluster sends some time before it takes a machine back.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def end_with_parent(signum: signal.Signals) -> None:
    """Ask Linux to send this process a signal when the one that started it dies."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:  # it has died meanwhile
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
