"""What other people wrote, shown so that it does nothing to the terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    """A text in which control characters are spelled out: a name must not move the cursor or ring a bell."""
    return "".join(letter if letter in "\n\t" or letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def one_line(text: str) -> str:
    """As ``visible``, with line breaks and tabs spelled out too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")
