"""What is asked and what is answered, as plain values: nearer to ASGI than a framework, for each costs time."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON, HTML, CSV = b"application/json", b"text/html; charset=utf-8", b"text/csv; charset=utf-8"
ARROW = b"application/vnd.apache.arrow.stream"


@dataclass(slots=True)
class Asked:
    """A request, its body read.

    Attributes:
        method: Such as ``POST``.
        path: Without the query.
        headers: By their names in lower case; of several of a name the last one.
        body: All of it.
        held: Bytes of it that are counted among those of all requests.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes | bytearray = b""
    held: int = 0

    def kind(self, name: bytes = b"content-type") -> bytes:
        """A content type without its parameters, in lower case; empty if it is not given."""
        return self.headers.get(name, b"").partition(b";")[0].strip().lower()


@dataclass(slots=True)
class Answer:
    """A response.

    Attributes:
        body: All of it.
        status: Of HTTP.
        kind: Its content type.
        headers: Further ones.
    """

    body: bytes
    status: int = 200
    kind: bytes = JSON
    headers: tuple[Header, ...] = ()


class RefusedError(Exception):
    """What a client did wrong.

    Attributes:
        status: 4xx.
        message: What is wrong, in one line; nothing that was sent stands in it but names of the signature.
        mistakes: Row, field and message of each.
        headers: Further ones of the response.
    """

    def __init__(
        self, status: int, message: str, mistakes: list[dict[str, Any]] | None = None, headers: tuple[Header, ...] = ()
    ) -> None:
        self.status = status
        self.message = message
        self.mistakes = mistakes or []
        self.headers = headers
        super().__init__(message)

    def answer(self) -> Answer:
        """What the client is told."""
        return Answer(encoded({"error": self.message, "mistakes": self.mistakes}), self.status, headers=self.headers)


def check_count(rows: int, most: int) -> None:
    """Refuse more rows than one request may have."""
    if rows > most:
        raise RefusedError(413, f"{rows} rows are more than the {most} of one request; send fewer at once")


def encoded(content: Any) -> bytes:
    """JSON. Half of a surrogate pair, which is no text and cannot be sent as UTF-8, is written as JSON can."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return json.dumps(content).encode()
