"""Waiting for a condition instead of a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.conftest import HANG_S


def wait_for(condition: Callable[[], bool], within_s: float = HANG_S) -> None:
    """Come back as soon as it holds; it does not hold in time: the test fails."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
