"""HTTP as uvicorn speaks it, with an end to all that it would read, keep or wait for.

uvicorn keeps whatever comes before a body, between its chunks and after it, and waits for it for ever; goes on reading
a body that nobody wants; and keeps an answer for as long as its client does not take it. No application sees any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from runcard.serving.http import Message, Receive, RefusedError, Scope, Send
from runcard.serving.wire.connections import CONNECTIONS, Closing
from runcard.serving.wire.heads import check_head

# Of a head, and of what stands between two parts of a body or after it; browsers and proxies send less than a tenth.
MOST_BYTES, MOST_FIELDS = 2**15, 128
# Of what stands between the parts of a whole body, beside as much again as it has: a part of one byte costs as much as
# a long one.
MOST_FRAMING = 2**16
# Read at once, so that what is too much is noticed before it is kept.
SLICE = 2**14
# Requests that wait for the answer to one before them.
MOST_AHEAD = 8
HEAD_S = 20.0


def install() -> None:
    """Have uvicorn take this for every connection; to be called before it begins to listen."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{LimitedProtocol.__qualname__}"


class LimitedProtocol(HttpToolsProtocol):
    """A connection."""

    address = ""
    # Whether a head is read, or what comes before one; else what comes after it.
    _in_head = True
    # Bytes of a request that are none of its body; of its body; since the last of it; of what is read now.
    _framing = _body = _between = _part = 0
    _line = b""  # the request line, as far as it has come
    _left: int | None = 0  # bytes of the body that have not come; None: it tells as it goes
    _may_begin = False  # whether a request may begin in the part that is read
    _deaf = False  # what still comes is thrown away
    _answered: RequestResponseCycle | None = None  # what is answered now
    _head_end: asyncio.TimerHandle | None = None
    _taken_end: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.ws_protocol_class = None  # there are no web sockets

    @property
    def receiving(self) -> bool:
        """Whether a request has begun that has not wholly come."""
        return not self._in_head or self._framing > 0

    @property
    def busy(self) -> bool:
        """Whether a request has wholly come, and its answer has not wholly gone."""
        asked = self._answered
        return self.flow.write_paused or (asked is not None and not asked.response_complete and not asked.more_body)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, who has to say something."""
        super().connection_made(Closing(transport, self, self.loop))  # type: ignore[arg-type]
        self.address = self.client[0] if self.client else ""
        self._wait_for_head()
        CONNECTIONS.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        for timer in (self._head_end, self._taken_end):
            if timer is not None:
                timer.cancel()
        self.transport.forget()  # type: ignore[attr-defined]
        CONNECTIONS.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what a client sends."""
        self._unset_keepalive_if_required()
        if len(data) <= SLICE:
            self._take(data)
            return
        for start in range(0, len(data), SLICE):
            self._take(data[start : start + SLICE])

    def _take(self, data: bytes) -> None:
        """Have a part read as parts of which each begins or ends where a head does, as far as that can be seen."""
        place = 0
        while place < len(data) and not self._deaf:
            end = self._end_of_part(data, place)
            self._read(data[place:end] if place or end < len(data) else data)
            place = end
        if place < len(data):
            self.transport.throw_away(len(data) - place)  # type: ignore[attr-defined]

    def _end_of_part(self, data: bytes, place: int) -> int:
        if not self._in_head:
            return len(data) if self._left is None else place + self._left
        if self._line or data.startswith(b"\r\n", place):  # a line, or an empty one before a head
            return data.find(b"\n", place) + 1 or len(data)
        end = data.find(b"\r\n\r\n", place)
        if end < 0:
            return data.find(b"\n", place) + 1 or len(data)
        # What comes with the head of a POST and looks like no other head is its body.
        alone = data.startswith(b"POST ", place) and data.find(b"\r\n\r\n", end + 4) < 0
        return len(data) if alone else end + 4

    def _read(self, part: bytes) -> None:
        self._part = len(part)
        self._framing += self._part
        self._between += self._part
        if self._in_head and not self._line.endswith(b"\n"):
            self._line += part[: part.find(b"\n") + 1 or len(part)]
            if self._line == b"\r\n":  # an empty one before
                self._line = b""
        self._may_begin = self._in_head
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            self._close_after_answers()  # it is answered as if it had asked for no other protocol
        except httptools.HttpParserError as error:
            cause = error.__context__
            wrong = cause if isinstance(cause, RefusedError) else RefusedError(400, "this is no HTTP request")
            self._refuse(wrong.status, wrong.message)
        else:
            self._weigh()

    def _weigh(self) -> None:
        if not self._in_head:
            if self._between > MOST_BYTES or self._framing > MOST_FRAMING + self._body:
                self._refuse(400, "too much stands between the parts of the body")
        elif self._framing > MOST_BYTES:
            self._refuse(431, f"the head is longer than {MOST_BYTES // 1024} KiB")
        elif self._framing and self._head_end is None:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        if not self._may_begin:  # and its first line cannot be seen as it is
            raise RefusedError(400, "a request came together with the body of another")
        self._may_begin = False
        super().on_message_begin()
        self._framing = self._between = self._part
        self._body = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; after the body it is none, and nobody asks for it."""
        if not self._in_head:
            return
        if len(self.headers) == MOST_FIELDS:
            raise RefusedError(431, f"the head has more than {MOST_FIELDS} fields")
        super().on_header(name, value.strip(b" \t"))  # httptools leaves what comes in a part of its own

    def on_headers_complete(self) -> None:
        """The head has ended."""
        version = self.parser.get_http_version()
        upgrade = self.parser.should_upgrade()
        left = check_head(self._line, self.parser.get_method(), self.url, version, self.headers, upgrade=upgrade)
        if len(self.pipeline) >= MOST_AHEAD:
            raise RefusedError(429, "too many requests were sent ahead")
        self._stop_waiting()
        super().on_headers_complete()
        self._left, self._in_head, self._line = left, False, b""

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += len(body)
        if self._left is not None:
            self._left -= len(body)
        self._framing -= len(body)
        self._between = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has wholly come."""
        super().on_message_complete()
        self._in_head, self._framing = True, 0
        if not self.cycle.keep_alive:
            self.stop_reading()

    def on_response_complete(self) -> None:
        """An answer is written."""
        super().on_response_complete()
        CONNECTIONS.rest(self)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        CONNECTIONS.stall(self)
        self._taken_end = self.loop.call_later(CONNECTIONS.timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken what there was."""
        super().resume_writing()
        CONNECTIONS.go_on(self)
        if self._taken_end is not None:
            self._taken_end.cancel()

    def stop_reading(self) -> None:
        """Let what still comes be thrown away."""
        self._deaf = True
        self._stop_waiting()

    def shutdown(self) -> None:
        """End when what has been asked for is answered; what nobody will read is not waited for."""
        if self.receiving and not self.busy and (self._in_head or self.transport.is_closing()):
            self.transport.abort()
        else:
            super().shutdown()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have a request answered; over a connection that is then closed, if it has not wholly come by then."""
        self._answered = cycle

        def closing(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            async def said(message: Message) -> None:
                if message["type"] == "http.response.start" and cycle.more_body:
                    cycle.keep_alive = False
                await send(message)
                if self.flow.write_paused:
                    await self.flow.drain()

            answering: Awaitable[None] = app(scope, receive, said)
            return answering

        super()._start_asgi_task(cycle, closing)  # type: ignore[arg-type]

    def _wait_for_head(self) -> None:
        message = f"the head did not come within {HEAD_S:g} s"
        self._head_end = self.loop.call_later(HEAD_S, self._refuse, 408, message)

    def _stop_waiting(self) -> None:
        if self._head_end is not None:
            self._head_end.cancel()
            self._head_end = None

    def _close_after_answers(self) -> None:
        """Read nothing more, and close when all that was asked for is answered."""
        self.stop_reading()
        last = self.pipeline[0][0] if self.pipeline else self._answered
        if last is None or last.response_complete:
            self.transport.close()
        else:
            last.keep_alive = False

    def _refuse(self, status: int, message: str) -> None:
        """Refuse what is no request, or of which that has come out now; others before it are answered first."""
        if self._deaf or self.transport.is_closing():
            return
        asked = None if self._in_head else self.cycle
        if self.pipeline and self.pipeline[0][0] is asked:
            self.pipeline.popleft()
        elif asked is not None and not asked.response_complete:
            asked.disconnected = True  # for whoever waits for its body
            asked.message_event.set()
            if asked.response_started:
                self.transport.abort()
                return
            self._answered = None
        if self.pipeline or (self._answered is not None and not self._answered.response_complete):
            self._close_after_answers()
        else:
            self.transport.write(_refusal(status, message))
            self.transport.close()


def _refusal(status: int, message: str) -> bytes:
    body = RefusedError(status, message).answer().body
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
