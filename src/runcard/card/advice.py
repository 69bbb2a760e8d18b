"""What a message tells to type about a card: overrides as Hydra's grammar reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic_core import ErrorDetails

from runcard.advice import advise
from runcard.card.interpolate import literal
from runcard.card.spelling import suggest
from runcard.card.wording import near_value
from runcard.hiding import reference_of

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that Hydra takes for something else.
VALUES = {"null", "none", "true", "false", "yes", "no", "on", "off", "inf", "nan"}


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


def suggest_column(wrong: str, names: Iterable[str], key: str) -> str:
    """A sentence that offers the nearest columns; of one that differs by blanks alone, how it is typed.

    Args:
        wrong: What was given.
        names: The columns that there are.
        key: What takes the column's name.
    """
    near = next((name for name in names if name.strip() == wrong.strip()), None)
    return (
        suggest(wrong, names)
        if near is None
        else f"Did you mean {near!r}? It is typed so: {advise(write_override(key, near))}"
    )


def write_override(key: str, value: str) -> str:
    """An override that gives a text."""
    return f"{key}={_quoted(literal(value))}"


def write_setting(key: str, name: str, value: str | Sequence[str]) -> str:
    """An override that gives an entry of a mapping.

    Args:
        key: Of the mapping, such as ``data.kinds``.
        name: Of the entry; any text.
        value: Of the entry.
    """
    return write_settings(key, {name: value})


def write_settings(key: str, entries: Mapping[str, str | Sequence[str]]) -> str:
    """An override that gives entries of a mapping."""
    # A name in quotes is beyond Hydra's grammar: then all of it is read as YAML.
    quoted = _quoted if all(map(_is_plain, entries)) else _as_yaml
    # References are filled in within values, not within names.
    written = ", ".join(f"{quoted(name)}: {_written(value, quoted)}" for name, value in entries.items())
    return f"{key}={{{written}}}"


def _written(value: str | Sequence[str], quoted: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return quoted(literal(value))
    return f"[{', '.join(quoted(literal(text)) for text in value)}]"


def _is_plain(text: str) -> bool:
    return WORD.fullmatch(text) is not None and text.lower() not in VALUES


def _quoted(text: str) -> str:
    """A text as Hydra reads it: a plain word, or in quotes, where a backslash counts before a quote only."""
    return text if _is_plain(text) else '"' + re.sub(r'(\\*)("|$)', _escaped, text) + '"'


def _as_yaml(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)


def _escaped(found: re.Match[str]) -> str:
    return found[1] * 2 + ('\\"' if found[2] else "")
