"""How often Python looks for garbage in the processes that are Runcard's own."""

from __future__ import annotations

import gc

# New objects between two looks. Importing torch and Lightning makes a million that stay: with Python's own number a
# fit waits half a second for nothing, and a sweep one.
OBJECTS_BETWEEN_LOOKS = 20_000


def look_seldom() -> None:
    """Look for garbage more seldom than Python does by itself."""
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
