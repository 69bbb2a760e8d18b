"""The nearest right name for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(wrong: str, right: Iterable[str]) -> str:
    """A sentence that offers the nearest names, or all of them when none is near."""
    names = sorted(set(right))
    near = nearest(wrong, names)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There are: {', '.join(names)}." if names else ""


def nearest(wrong: str, right: Iterable[str], count: int = 2) -> list[str]:
    """At most ``count`` names close to the wrong one, the closest first."""
    lowered = {name.lower(): name for name in right}
    return [lowered[name] for name in difflib.get_close_matches(wrong.lower(), lowered, n=count, cutoff=0.6)]
