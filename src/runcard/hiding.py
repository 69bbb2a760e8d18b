"""What was read from the environment, kept out of everything that is printed or logged: it may be a secret."""

from __future__ import annotations

import html
import json
import logging
from urllib.parse import quote, quote_plus, unquote, urlsplit

# A shorter text is no secret, and hiding it would hide half of the words.
LEAST = 4
_read: dict[str, str] = {}
_whole: dict[str, str] = {}


def note(value: object, reference: str) -> None:
    """Remember what a reference to the environment stands for, and all texts in it.

    Args:
        value: A text, or nested values that were read out of one.
        reference: Such as ``${oc.env:NAME}``.
    """
    if isinstance(value, dict | list):
        for below in [*value, *value.values()] if isinstance(value, dict) else value:
            note(below, reference)
    elif isinstance(value, str):
        _whole[value] = reference
        for text in (value, *passwords_in(value)):
            for form in _forms(text):
                if len(form) >= LEAST:
                    _read[form] = reference


def _forms(text: str) -> tuple[str, ...]:
    """A text as Python, JSON, HTML and addresses write it."""
    as_json = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return (text, repr(text)[1:-1], *as_json, html.escape(text), quote(text), quote(text, safe=""), quote_plus(text))


def passwords_in(text: str) -> tuple[str, ...]:
    """The password of an address as it is written there and as it was before; empty if there is none."""
    try:
        password = urlsplit(text).password
    except ValueError:  # no address
        return ()
    return () if password is None else (password, unquote(password))


def forget() -> None:
    """Forget all of it, as before another command."""
    _read.clear()
    _whole.clear()


def reference_of(text: str) -> str:
    """The reference to the environment that a value was read by; empty if it was not."""
    return _whole.get(text, "")


def hidden(text: str) -> str:
    """A text with the reference in place of what the environment holds."""
    for form, reference in sorted(_read.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(form, reference)
    return text


class Hiding(logging.Formatter):
    """Formats log records, and hides in all that they say."""

    def format(self, record: logging.LogRecord) -> str:
        """As ``logging.Formatter.format``."""
        return hidden(super().format(record))
