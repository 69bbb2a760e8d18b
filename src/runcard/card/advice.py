"""What a message tells to type: overrides as a shell and Hydra's grammar read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from pydantic_core import ErrorDetails

from runcard.card.interpolate import literal
from runcard.card.spelling import suggest
from runcard.card.wording import near_value
from runcard.hiding import reference_of


def hint_of(detail: ErrorDetails, key: str) -> str:
    """How to write a value that pydantic refuses, if that can be guessed; else empty.

    Args:
        detail: What is wrong.
        key: Of the value.
    """
    value = detail["input"]
    if isinstance(value, str) and (reference := reference_of(value)):
        return f"The environment holds texts; ${{oc.decode:{reference}}} reads one as a value."
    return near_value(detail, key)


def near_column(wrong: str, names: Iterable[str], key: str) -> str:
    """A sentence that offers the nearest columns; of one that differs by blanks alone, how it is typed.

    Args:
        wrong: What was given.
        names: The columns that there are.
        key: What takes the column's name.
    """
    near = next((name for name in names if name.strip() == wrong.strip()), None)
    return suggest(wrong, names) if near is None else f"Did you mean {near!r}? It is typed so: {override(key, near)}"


def override(key: str, value: str) -> str:
    """An override that gives a text, as it is typed in a shell."""
    return shlex.quote(f"{key}={_quoted(literal(value))}")


def setting(key: str, name: str, value: str | Sequence[str]) -> str:
    """An override that gives an entry of a mapping, as it is typed in a shell.

    Args:
        key: Of the mapping, such as ``data.kinds``.
        name: Of the entry; any text.
        value: Of the entry.
    """
    texts = [value] if isinstance(value, str) else value
    written = ", ".join(_quoted(literal(text)) for text in texts)
    # References are filled in within values, not within names.
    return shlex.quote(f"{key}={{{_quoted(name)}: {written if isinstance(value, str) else f'[{written}]'}}}")


def _quoted(text: str) -> str:
    """A text in quotes, as Hydra reads it: within them a backslash is itself, but where quotes or ``${`` follow."""
    return '"' + re.sub(r'(\\*)("|\$\{|$)', _escaped, text) + '"'


def _escaped(found: re.Match[str]) -> str:
    after = '\\"' if found[2] == '"' else found[2]
    return found[1] * 2 + after
