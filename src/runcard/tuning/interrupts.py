"""Ctrl-C and SIGTERM held back while a study is written, so that no trial is left half told."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class HeldBack:
    """A context in which these signals wait; they act where they are let through, or at its end.

    Outside of the main thread, where Python handles no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Any] = {}
        self._waiting: list[int] = []

    def __enter__(self) -> HeldBack:
        self._hold()
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    @contextlib.contextmanager
    def let_through(self) -> Iterator[None]:
        """A part in which the signals act at once, one that waits first of all."""
        try:
            self._release()
            yield
        finally:
            self._hold()

    def _hold(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._wait) for number in SIGNALS}

    def _release(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers = {}
        if self._waiting:
            signal.raise_signal(self._waiting.pop(0))

    def _wait(self, number: int, _: FrameType | None) -> None:
        self._waiting.append(number)
