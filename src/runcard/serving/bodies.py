"""Bodies of requests: read whole, but not longer than is allowed, not for ever, and not too many at once."""

from __future__ import annotations

import asyncio

from runcard.serving.http import Asked, Receive, RefusedError

# A body that is too long is still taken in, and thrown away, up to so many times the limit: who is answered while he
# sends hears of a broken connection, and not of the reason.
THROWN_AWAY = 16
# So many of the longest bodies may be on their way or wait for their answer; what comes in one piece, as short ones do,
# does not count.
LONG_AT_ONCE = 1.5
CLOSE = ((b"connection", b"close"),)


class Bodies:
    """Reads bodies.

    Args:
        max_mb: Longest body, MiB.
        timeout_s: Seconds that a body may take to come.
    """

    def __init__(self, max_mb: float, timeout_s: float) -> None:
        self._max_mb = max_mb
        self._limit = int(max_mb * 2**20)
        self._timeout_s = timeout_s
        self._held = 0

    async def read(self, asked: Asked, receive: Receive) -> bytes | bytearray | None:
        """The whole body, counted until it is released; None: the client went away.

        Raises:
            RefusedError: If it is too long (413), too slow (408), packed (415), or one of too many (429).
        """
        if asked.headers.get(b"content-encoding", b"identity") != b"identity":
            raise RefusedError(415, "a packed body is not taken; send it without content-encoding", headers=CLOSE)
        self._check_length(asked)
        message = await receive()
        if message["type"] != "http.request":
            return None
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            return await self._in_time(asked, body, receive)
        if len(body) > self._limit:
            raise self._too_long()
        return body

    def _check_length(self, asked: Asked) -> None:
        """Refuse what says itself that it is too long, if its sender waits to be told or will not be waited for."""
        text = asked.headers.get(b"content-length", b"0")
        length = int(text) if text.isdigit() and len(text) < 20 else 0
        waits = b"expect" in asked.headers
        if length > self._limit * (1 if waits else THROWN_AWAY):
            raise self._too_long()

    def release(self, asked: Asked) -> None:
        """A request is over, and nobody holds its body any more."""
        self._held -= asked.held
        asked.held = 0

    async def _in_time(self, asked: Asked, body: bytes, receive: Receive) -> bytearray | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._rest(asked, body, receive)
        except TimeoutError:
            raise RefusedError(408, f"the body did not come within {self._timeout_s:g} s", headers=CLOSE) from None

    async def _rest(self, asked: Asked, first: bytes, receive: Receive) -> bytearray | None:
        """What comes after the first part, with it."""
        body, length, part, more = bytearray(), 0, first, True
        while True:
            length += len(part)
            if length <= self._limit:
                self._hold(len(part), asked)
                body += part
            elif length > THROWN_AWAY * self._limit:
                break
            if not more:
                break
            message = await receive()
            if message["type"] != "http.request":
                return None
            part, more = message.get("body", b""), message.get("more_body", False)
        if length > self._limit:
            raise self._too_long()
        return body  # as it is: to copy a long one would keep all others waiting

    def _hold(self, count: int, asked: Asked) -> None:
        self._held += count
        asked.held += count
        if self._held > LONG_AT_ONCE * self._limit:
            raise RefusedError(429, "too many long bodies at once; try again", headers=((b"retry-after", b"1"), *CLOSE))

    def _too_long(self) -> RefusedError:
        return RefusedError(
            413, f"the body is longer than {self._max_mb:g} MiB; send fewer rows at once", headers=CLOSE
        )
