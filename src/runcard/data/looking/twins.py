"""Texts that are two for Runcard and may be one for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from runcard.data.fields import number_text

# Of more texts than this nobody would look at each.
MOST = 100_000
TRUTHS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}


def twins(name: str, texts: Iterable[str], what: str) -> Iterator[str]:
    """What to say of texts that differ by case, by blanks, or by how a number is written.

    Args:
        name: Of the column.
        texts: Its different texts.
        what: What they are, as ``classes``.
    """
    known = list(texts)
    if len(known) > MOST:
        return
    for key, how in ((_folded, "case or blanks only"), (_number, "how a number is written only")):
        pairs = _alike(known, key)
        if pairs:
            more = f", and so do {len(pairs) - 1} more" if len(pairs) > 1 else ""
            shown = " and ".join(map(repr, pairs[0]))
            yield f"column {name!r}: {shown} differ by {how}{more}, and are different {what}"


def _alike(texts: Iterable[str], key: Callable[[str], str]) -> list[list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        found[key(text)].append(text)
    return [sorted(group)[:3] for group in found.values() if len(group) > 1]


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _number(text: str) -> str:
    try:
        return number_text(float(text)) if not text.isalpha() else text
    except (ValueError, OverflowError):
        return text
