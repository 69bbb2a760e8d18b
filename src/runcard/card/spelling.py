"""The nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable

MANY = 10**9


def suggest(wrong: str, right: Iterable[str]) -> str:
    """A sentence that offers the nearest names, or all of them when none is near."""
    names = sorted(set(right))
    near = nearest(wrong, names)
    if near:
        return f"Did you mean {in_words(near)}?"
    return f"There are: {', '.join(map(visible_name, names))}." if names else ""


def in_words(names: Iterable[str]) -> str:
    """Names of which one is meant."""
    return " or ".join(map(visible_name, names))


def visible_name(name: str) -> str:
    """A name, in quotes where it has blanks that would not be seen, or nothing but signs."""
    plain = name == name.strip() and "  " not in name and name.isprintable() and any(map(str.isalnum, name))
    return name if plain else repr(name)


def nearest(wrong: str, right: Iterable[str], count: int = 3) -> list[str]:
    """At most ``count`` names close to the wrong one: one edit away, or with it as a part, or else the closest."""
    names, typed = sorted(set(right)), wrong.lower()
    found = [(edits(typed, name.lower(), _most(name)), name) for name in names]
    close = sorted((number, name) for number, name in found if number <= _most(name))
    whole = sorted((name for name in names if len(typed) > 2 and typed in name.lower()), key=len)
    if whole and (not close or close[0][0] > 1):
        return whole[:count]
    return [name for number, name in close if number == close[0][0]][:count]


def edits(one: str, other: str, most: int = MANY) -> int:
    """How many letters to leave out, add, change, or swap with the next one: the optimal string alignment.

    Args:
        one: A text.
        other: Another.
        most: Where counting may stop; more is said as one more. Who serves a model may be asked for many long names.
    """
    # One edit changes the length by one, and the set of letters by two.
    if abs(len(one) - len(other)) > most or len({*one} ^ {*other}) > 2 * most:
        return most + 1
    pairs = enumerate(zip(one, other, strict=False))
    same = next((place for place, (letter, wanted) in pairs if letter != wanted), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    before, last = [0], list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, wanted in enumerate(other):
            least = min(last[j + 1] + 1, row[j] + 1, last[j] + (letter != wanted))
            if i and j and letter == other[j - 1] and wanted == one[i - 1]:
                least = min(least, before[j - 1] + 1)
            row.append(least)
        if min(row) > most <= min(last):
            return most + 1
        before, last = last, row
    return min(last[-1], most + 1)


def _most(name: str) -> int:
    """So many edits a name may be away; in a name of three letters two would leave one."""
    return 1 if len(name) < 4 else max(2, min(len(name) // 3, 4))
