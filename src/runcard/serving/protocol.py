"""HTTP as uvicorn speaks it, with an end to how long a request's head may be and how long it may take.

uvicorn keeps whatever comes before the body, and waits for it for ever; no application sees such a request.
"""

from __future__ import annotations

import asyncio

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 2**16  # of a head; browsers and proxies send less than a tenth
TIMEOUT_S = 20.0


def install() -> None:
    """Have uvicorn take this for every connection; to be called before it begins to listen."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{LimitedProtocol.__qualname__}"


class LimitedProtocol(HttpToolsProtocol):
    """A connection."""

    _in_head = True
    _length = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, who has to say something."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(TIMEOUT_S, self._end, 408, "Request Timeout")

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request, which may be the end of its head or not."""
        super().data_received(data)
        if not self._in_head:
            if self._timer is not None:
                self._stop()
        elif self._length + len(data) > MOST_BYTES:
            self._end(431, "Request Header Fields Too Large")
        else:
            self._length += len(data)
            if self._timer is None:
                self._timer = self.loop.call_later(TIMEOUT_S, self._end, 408, "Request Timeout")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._length = True, 0

    def on_headers_complete(self) -> None:
        """It has ended."""
        super().on_headers_complete()
        self._in_head = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._stop()
        super().connection_lost(exc)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, status: int, reason: str) -> None:
        self._stop()
        if not self.transport.is_closing():
            self.transport.write(
                f"HTTP/1.1 {status} {reason}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
            )
            self.transport.close()
