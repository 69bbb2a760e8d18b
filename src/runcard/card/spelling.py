"""The nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable


def suggest(wrong: str, right: Iterable[str]) -> str:
    """A sentence that offers the nearest names, or all of them when none is near."""
    names = sorted(set(right))
    near = nearest(wrong, names)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There are: {', '.join(names)}." if names else ""


def nearest(wrong: str, right: Iterable[str], count: int = 3) -> list[str]:
    """At most ``count`` names close to the wrong one, the closest first; else those that it is a part of."""
    names, typed = sorted(set(right)), wrong.lower()
    found = [(edits(typed, name.lower()), name) for name in names if abs(len(typed) - len(name)) <= _most(name)]
    close = sorted((number, name) for number, name in found if number <= _most(name))
    if close:
        # One edit more than the best may still be what was meant; two are noise.
        return [name for number, name in close if number <= close[0][0] + 1][:count]
    return sorted((name for name in names if len(typed) > 2 and typed in name.lower()), key=len)[:count]


def edits(one: str, other: str) -> int:
    """How many letters to leave out, add, change, or swap with the next one: the optimal string alignment."""
    before, last = [0], list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, wanted in enumerate(other):
            least = min(last[j + 1] + 1, row[j] + 1, last[j] + (letter != wanted))
            if i and j and letter == other[j - 1] and wanted == one[i - 1]:
                least = min(least, before[j - 1] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]


def _most(name: str) -> int:
    """So many edits a name may be away; in a name of three letters two would leave one."""
    return 1 if len(name) < 4 else max(2, len(name) // 3)
