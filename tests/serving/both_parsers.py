"""What is on a wire, as our protocol and as h11 read it: the same bytes, with no process or socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import h11
import uvicorn
from uvicorn.server import ServerState

from runcard.serving.wire.protocol import LimitedProtocol


@dataclass(frozen=True)
class Seen:
    """A request, wholly read."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass
class Heard:
    """What a client was answered.

    Attributes:
        seen: The requests that the application was given, and could read to their end.
        said: All bytes that were written.
        closed: Whether the connection is closed.
    """

    seen: list[Seen] = field(default_factory=list)
    said: bytes = b""
    closed: bool = False


class Transport(asyncio.Transport):
    """One that writes into memory, and whose client takes all at once."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.said, self.closed, self.paused = b"", False, False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.said += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0


def ours(parts: Iterable[bytes | float]) -> Heard:
    """Have our protocol read bytes that come in parts, for an application that reads each body and answers.

    Args:
        parts: Bytes, or seconds in which none come.
    """
    heard = Heard()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            more = message["more_body"]
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        heard.seen.append(Seen(scope["method"].encode(), scope["raw_path"] + query, tuple(scope["headers"]), body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def read() -> None:
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        config.load()
        protocol = LimitedProtocol(config, ServerState(), {})
        transport = Transport()
        protocol.connection_made(transport)
        for part in parts:
            if isinstance(part, float):
                await asyncio.sleep(part)
            else:
                protocol.data_received(part)
                for _ in range(6):
                    await asyncio.sleep(0)
        for _ in range(12 * 3):
            await asyncio.sleep(0)
        heard.said = transport.said
        heard.closed = protocol.transport.is_closing()
        protocol.connection_lost(None)
        await asyncio.sleep(0)

    asyncio.run(read())
    return heard


def by_h11(content: bytes) -> list[Seen]:
    """The requests that h11 finds, up to the first that is none; empty lines before one do not count (9112 2.2)."""
    found: list[Seen] = []
    while True:
        while content.startswith(b"\r\n"):
            content = content[2:]
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=2**20)
        connection.receive_data(content)
        seen = _next_by_h11(connection)
        if seen is None:
            return found
        found.append(seen)
        connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        connection.send(h11.EndOfMessage())
        if connection.our_state is h11.MUST_CLOSE:
            return found
        content = connection.trailing_data[0]


def _next_by_h11(connection: h11.Connection) -> Seen | None:
    asked, body = None, b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.Request):
            asked = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert asked is not None
            return Seen(asked.method, asked.target, tuple((bytes(a), bytes(b)) for a, b in asked.headers), body)
        else:  # more is needed
            return None
