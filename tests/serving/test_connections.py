"""Clients that never end, never read, or come by the hundred: none fills the memory or keeps the others waiting."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from typing import Any

import psutil
import pytest

from runcard.serving.wire.connections import MOST_UNSENT, STALLED_S, Connections, raise_file_limit
from tests.conftest import HANG_S
from tests.servers import Service
from tests.serving.conftest import MAX_CONNECTIONS, MAX_ROWS, TOKEN
from tests.serving.hostile import GOOD
from tests.serving.test_hostile import answered, connected, worker
from tests.waiting import wait_for

MB = 2**20
# What is kept of any number of clients.
MOST_MB = 100


def memory_mb(service: Service) -> float:
    return float(worker(service).memory_info().rss / MB)


def head(path: str, *lines: str, method: str = "POST", token: bool = True) -> bytes:
    """A request's head."""
    said = [f"{method} {path} HTTP/1.1", "host: localhost", "content-type: application/json", *lines]
    said += [f"authorization: Bearer {TOKEN}"] * token
    return "\r\n".join([*said, "", ""]).encode()


def good(service: Service) -> int:
    """The status of a sound request."""
    body = json.dumps(GOOD).encode()
    with connected(service) as connection:
        connection.sendall(head("/predict", f"content-length: {len(body)}") + body)
        return answered(connection)[0]


def taken(connection: socket.socket, part: bytes, most: int) -> int:
    """How much of something without end a service takes before it closes the connection; no more than is asked."""
    sent = 0
    connection.settimeout(HANG_S)
    try:
        while sent < most:
            connection.sendall(part)
            sent += len(part)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


CHUNKED = "transfer-encoding: chunked"
ENDLESS = {
    "trailers, without a token": (head("/predict", CHUNKED, token=False) + b"0\r\n", b"a: b\r\n" * 2000),
    "trailers": (head("/predict", CHUNKED) + b"1\r\n{\r\n0\r\n", b"a: b\r\n" * 2000),
    "trailers, to a probe": (head("/livez", CHUNKED, method="GET") + b"0\r\n", b"a: b\r\n" * 2000),
    "one trailer": (head("/predict", CHUNKED) + b"0\r\na: ", b"b" * 12_000),
    "one name of a trailer": (head("/predict", CHUNKED) + b"0\r\n", b"b" * 12_000),
    "an extension of a chunk": (head("/predict", CHUNKED) + b"1;", b"b" * 12_000),
    "chunks of one byte": (head("/predict", CHUNKED), b"1;abcdefgh\r\n \r\n" * 800),
    "a head": (b"GET / HTTP/1.1\r\nhost: localhost\r\na: ", b"b" * 12_000),
    "fields": (b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"a: b\r\n" * 2000),
    "a path": (b"GET /", b"b" * 12_000),
    "empty lines": (b"", b"\r\n" * 6000),
    "requests": (b"", head("/livez", method="GET") * 100),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_ended(name: str, token_service: Service) -> None:
    begun, part = ENDLESS[name]
    assert good(token_service) == 200
    before, started = memory_mb(token_service), time.monotonic()
    with connected(token_service) as connection:
        connection.sendall(begun)
        assert taken(connection, part, 1024 * MB) < 128 * MB
    assert time.monotonic() - started < HANG_S / 2
    assert memory_mb(token_service) - before < 20
    assert good(token_service) == 200
    assert "Traceback" not in token_service.log.read_text()


@pytest.mark.parametrize("path", ["/predict", "/nowhere", "/livez"])
def test_who_is_refused_while_he_sends_hears_why(path: str, token_service: Service) -> None:
    body = b" " * (8 * MB)
    with connected(token_service) as connection:
        connection.sendall(head(path, f"content-length: {len(body)}", token=False))
        connection.sendall(body)
        status, said = answered(connection)
        assert status == (405 if path == "/livez" else 401)
        assert b"connection: close" in said.lower()
        assert connection.recv(1) == b""


def rows(count: int) -> bytes:
    body = json.dumps({name: [value] * count for name, value in GOOD.items()}).encode()
    return head("/predict/batch", f"content-length: {len(body)}") + body


def test_answers_that_nobody_takes_are_not_kept(token_service: Service) -> None:
    """Each of these answers is larger than what the system itself keeps for a client."""
    assert good(token_service) == 200
    before, asked = memory_mb(token_service), rows(MAX_ROWS)
    with contextlib.ExitStack() as stack:
        silent = []
        for _ in range(50):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", int(token_service.url.rpartition(":")[2])))
            connection.settimeout(HANG_S)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(asked)
            silent.append(connection)
            assert good(token_service) == 200
        most = memory_mb(token_service) - before
        assert most < MOST_MB
        # Cut off in the middle, or refused.
        wait_for(lambda: established(token_service) < 5)
    assert good(token_service) == 200


def established(service: Service) -> int:
    found = worker(service).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED for each in found)


def test_of_too_many_clients_the_idle_ones_go(token_service: Service) -> None:
    with contextlib.ExitStack() as stack:
        half = b"POST /predict HTTP/1.1\r\nhost: localhost\r\n"
        for number in range(3 * MAX_CONNECTIONS):
            connection = stack.enter_context(connected(token_service))
            connection.sendall(half if number % 2 else b"")
            if number % 20 == 0:
                assert good(token_service) == 200
        wait_for(lambda: established(token_service) <= MAX_CONNECTIONS + 1)
        assert good(token_service) == 200


class Fake:
    """A connection, and its transport."""

    def __init__(self, address: str = "", *, busy: bool = False, unsent: int = 0) -> None:
        self.address, self.busy, self.receiving, self.unsent = address, busy, False, unsent
        self.transport: Any = self
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def stop_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return self.unsent


def test_who_has_been_idle_for_longest_goes() -> None:
    connections = Connections()
    connections.limit(3, None, 1.0)
    first, second, third, fourth = (Fake() for _ in range(4))
    for each in (first, second, third):
        connections.add(each)
    first.busy = True
    connections.rest(second)
    connections.add(fourth)
    assert [each.aborted for each in (first, second, third, fourth)] == [False, False, True, False]


def test_if_all_are_answered_the_newest_goes() -> None:
    connections = Connections()
    connections.limit(2, None, 1.0)
    some = [Fake(busy=True), Fake(busy=True), Fake()]
    for each in some:
        connections.add(each)
    assert [each.aborted for each in some] == [False, False, True]


def test_one_address_may_have_a_bound_of_its_own() -> None:
    connections = Connections()
    connections.limit(100, 2, 1.0)
    some = [Fake("a"), Fake("b"), Fake("a"), Fake("a")]
    for each in some:
        connections.add(each)
    assert [each.aborted for each in some] == [True, False, False, False]
    connections.remove(some[0])
    connections.remove(some[0])
    connections.add(Fake("b"))
    assert not some[1].aborted


def test_room_for_an_answer_is_made_by_who_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    connections = Connections()
    first, second = Fake(unsent=MOST_UNSENT // 2), Fake(unsent=MOST_UNSENT // 2)
    assert connections.make_room(10 * MOST_UNSENT)  # alone
    connections.stall(first)
    now[0] += STALLED_S
    connections.stall(second)
    assert connections.make_room(0)
    assert not first.aborted
    assert connections.make_room(MOST_UNSENT // 4)
    assert first.aborted
    connections.remove(first)
    assert not connections.make_room(MOST_UNSENT)
    assert not second.aborted
    connections.go_on(second)
    assert connections.make_room(MOST_UNSENT)


NO_END = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "wanted", "after", "most"),
    [
        ((1024, 4096), 1000, (1200, 4096), 1000),
        ((1024, 4096), 100, None, 100),
        ((1024, 1024), 1000, None, 824),
        ((256, 1024), 5000, (1024, 1024), 824),
        ((100, 100), 5000, None, 1),
        ((1024, NO_END), 5000, (5200, NO_END), 5000),
        ((NO_END, NO_END), 5000, None, 5000),
    ],
)
def test_as_many_files_as_connections_take(
    before: tuple[int, int],
    wanted: int,
    after: tuple[int, int] | None,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: before)
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: limits.append(pair))
    assert raise_file_limit(wanted) == most
    assert limits == ([after] if after else [])
    assert ("there may be" in caplog.text) == (most < wanted)
