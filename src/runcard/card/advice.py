"""What a message tells to type: overrides as a shell and Hydra's grammar read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from runcard.card.interpolate import literal


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
