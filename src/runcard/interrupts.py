"""Signals held back while something must not be left half done: a study being written, a minibatch being learned."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# Ctrl-C, the usual "end now", and what a cluster sends some time before it takes a machine back.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


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
            signal.raise_signal(self._waiting.pop(0))

    def _wait(self, number: int, _: FrameType | None) -> None:
        self._waiting.append(number)
