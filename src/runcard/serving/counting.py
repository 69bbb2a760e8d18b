"""How much a body holds, before anything reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

WINDOW = 2**18  # bytes looked at at once


def by_window(body: bytes | bytearray, signs: Mapping[int, int]) -> Iterator[int]:
    """How often signs stand in each ``WINDOW`` of a body, each as often as it weighs.

    By NumPy, which is four times as fast as ``bytes.count``, and lets other requests in meanwhile.
    """
    there = np.frombuffer(body, np.uint8)
    for start in range(0, len(there), WINDOW):
        window = there[start : start + WINDOW]
        yield sum(weight * int(np.count_nonzero(window == sign)) for sign, weight in signs.items())


def counted(body: bytes | bytearray, signs: Mapping[int, int], most: int) -> int:
    """How often signs stand in a body, each as often as it weighs; no further than to more than ``most``."""
    found = 0
    for here in by_window(body, signs):
        found += here
        if found > most:
            break
    return found
