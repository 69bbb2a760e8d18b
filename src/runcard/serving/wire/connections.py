"""Connections of a worker: how many there may be, which has to go for another, and how one ends."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

log = logging.getLogger("runcard.serving")

# Files that a worker has open beside its connections, and some to spare.
OTHER_FILES = 200
# Of answers that their clients have not taken yet, in all, bytes; one alone may be longer.
MOST_UNSENT = 2**24
SHORT = 2**16
# Seconds for which a client may take nothing of an answer before it may have to go for somebody else's.
STALLED_S = 5.0
# What a client still sends of a body that nobody wants is thrown away for so long, and so many bytes of it: one that
# is cut off while it sends hears of a broken connection, and not of the reason.
LINGER_S, LINGER_BYTES = 10.0, 2**26
# And no faster than one part in so many seconds, of all those connections together: it must not cost the others time.
PART_S = 0.002


def raise_file_limit(connections: int) -> int:
    """Have the system let this process have so many connections.

    Returns:
        How many it may have: fewer, if the system allows no more, which is logged.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    most = max(1, min(connections, allowed - OTHER_FILES))
    if most < connections:
        log.warning("the system allows %d open files: there may be %d connections, not %d", hard, most, connections)
    return most


class Connection(Protocol):
    """What is asked of each."""

    transport: Any
    address: str

    @property
    def receiving(self) -> bool:
        """Whether a request has begun that has not wholly come."""

    @property
    def busy(self) -> bool:
        """Whether a request has wholly come, and its answer has not wholly gone."""

    def stop_reading(self) -> None:
        """Let what still comes be thrown away."""


class Connections:
    """Those of one worker.

    Attributes:
        timeout_s: Seconds for an answer to be taken.
        lingering: How many are to be closed when their client has heard why.
    """

    def __init__(self) -> None:
        self.timeout_s = 30.0
        self.lingering = 0
        self._most = 1000
        self._most_each: int | None = None
        # In the order in which they began to be idle.
        self._all: dict[Connection, None] = {}
        self._each: Counter[str] = Counter()
        # Since when their clients take nothing, by time.monotonic.
        self._stalled: dict[Connection, float] = {}

    def limit(self, most: int, most_each: int | None, timeout_s: float) -> None:
        """Set how many there may be, in all and from one address; and how long an answer may take to be taken."""
        self._most, self._most_each, self.timeout_s = most, most_each, timeout_s

    def add(self, connection: Connection) -> None:
        """A client has come. Where there are too many, the one that is idle or slow for longest goes for it."""
        self._all[connection] = None
        self._each[connection.address] += 1
        if self._most_each is not None and self._each[connection.address] > self._most_each:
            _end_idlest(each for each in self._all if each.address == connection.address)
        elif len(self._all) > self._most:
            _end_idlest(self._all)

    def rest(self, connection: Connection) -> None:
        """A client has been answered, and is idle from now on."""
        if connection in self._all:
            del self._all[connection]
            self._all[connection] = None

    def remove(self, connection: Connection) -> None:
        """A client has gone."""
        self._stalled.pop(connection, None)
        if connection in self._all:
            del self._all[connection]
            self._each[connection.address] -= 1
            if not self._each[connection.address]:
                del self._each[connection.address]

    def stall(self, connection: Connection) -> None:
        """A client takes less than it is sent."""
        self._stalled[connection] = time.monotonic()

    def go_on(self, connection: Connection) -> None:
        """It has taken what there was."""
        self._stalled.pop(connection, None)

    def make_room(self, size: int) -> bool:
        """Whether an answer may be sent; one that nobody takes goes for it.

        Args:
            size: Bytes.
        """
        if size <= SHORT or not self._stalled:
            return True
        held = {each: int(each.transport.get_write_buffer_size()) for each in self._stalled}
        unsent, now = sum(held.values()), time.monotonic()
        for connection, since in list(self._stalled.items()):
            if unsent + size <= MOST_UNSENT or now - since < STALLED_S:
                break
            connection.transport.abort()
            unsent -= held[connection]
        return not unsent or unsent + size <= MOST_UNSENT

    def end_stalled(self) -> None:
        """End the connection whose client takes nothing for longest, if that is too long where others wait."""
        for connection, since in self._stalled.items():
            if time.monotonic() - since >= STALLED_S:
                connection.transport.abort()
                break


# Of this process: uvicorn makes connections, and gives them nothing to share.
CONNECTIONS = Connections()


def _end_idlest(some: Iterable[Connection]) -> None:
    """End the first that nothing is computed for; the newest, at the latest, is such a one."""
    next(each for each in some if not each.busy).transport.abort()


class Closing:
    """A transport that closes when its client has heard the answer, or takes too long about it.

    Args:
        transport: asyncio's.
        connection: Whose it is.
        loop: It runs in.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._connection, self._loop = transport, connection, loop
        self._thrown_away = 0
        self._lingers = False
        self._end: asyncio.TimerHandle | None = None
        self._next: asyncio.TimerHandle | None = None
        self.write = transport.write  # the same, without a step between

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing is to be written any more."""
        return self._end is not None or self._transport.is_closing()

    def close(self) -> None:
        """Send what is written, take in what still comes, and close."""
        if self.is_closing():
            return
        if not self._connection.receiving:
            self._end = self._loop.call_later(CONNECTIONS.timeout_s, self._transport.abort)
            self._transport.close()
            return
        self._connection.stop_reading()
        self._end = self._loop.call_later(LINGER_S, self._transport.abort)
        self._lingers = True
        CONNECTIONS.lingering += 1
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()

    def throw_away(self, size: int) -> None:
        """Count what comes and is not read, and let others be heard before more of it."""
        self._thrown_away += size
        if self._thrown_away > LINGER_BYTES:
            self._transport.abort()
        elif self._next is None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._next = self._loop.call_later(PART_S * max(1, CONNECTIONS.lingering), self._read_on)

    def _read_on(self) -> None:
        self._next = None
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def forget(self) -> None:
        """The client is gone."""
        CONNECTIONS.lingering -= self._lingers
        self._lingers = False
        for timer in (self._end, self._next):
            if timer is not None:
                timer.cancel()
