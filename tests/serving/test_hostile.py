"""Requests that mean harm: each is refused in words, and neither stops the service nor fills its memory."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.conftest import HANG_S
from tests.servers import Service
from tests.serving.conftest import TIMEOUT_S
from tests.serving.hostile import GOOD, SENT, Case, bare, cases, pictures, post
from tests.waiting import wait_for

MOST_MB = 50
BEGUN = f"POST /predict HTTP/1.1\r\nhost: localhost\r\n{SENT}\r\n".encode()
WHOLE = post(json.dumps(GOOD).encode())


def worker(service: Service) -> psutil.Process:
    (found,) = psutil.Process(service.process.pid).children()
    return found


def peak_mb(process: psutil.Process) -> float:
    """The most memory that a process has held since it was last reset."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1024


def connected(service: Service) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=HANG_S)


def answered(connection: socket.socket) -> tuple[int, bytes]:
    """The status and the whole of what is answered; 0 if the connection is closed without a word."""
    said = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in said or len(said) < said.index(b"\r\n\r\n") + 4 + length_of(said):
            part = connection.recv(65536)
            if not part:
                break
            said += part
    return int(said.split()[1]) if said else 0, bytes(said)


def length_of(said: bytes | bytearray) -> int:
    """The length of the body that the headers tell."""
    head = bytes(said).partition(b"\r\n\r\n")[0].lower()
    (length,) = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.startswith(b"content-length:")] or [
        b"0"
    ]
    return int(length)


def sent(service: Service, content: bytes) -> tuple[int, bytes]:
    with connected(service) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(content)
        return answered(connection)


def check(service: Service, each: Iterator[Case]) -> None:
    process = worker(service)
    for case in each:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        before = process.memory_info().rss / 2**20
        status, said = sent(service, case.content)
        assert 400 <= status < 500 or (case.harmless and status == 200), f"{case.name}: {status} {said[:300]!r}"
        body = said.partition(b"\r\n\r\n")[2]
        assert b"Traceback" not in body, case.name
        assert len(body) < 20_000, case.name
        grown = peak_mb(process) - before
        assert grown <= MOST_MB, f"{case.name} took {grown:.0f} MB"
        assert worker(service) == process, f"{case.name} ended the worker"
    assert "Traceback" not in service.log.read_text()


def test_hostile_requests_to_a_table(token_service: Service) -> None:
    check(token_service, cases())
    assert not Path("/tmp/runcard-was-unpickled").exists()
    assert sent(token_service, WHOLE)[0] == 200


def test_a_strange_name_for_this_machine(table_service: Service) -> None:
    check(table_service, iter([Case("a name", b"GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n")]))


def test_hostile_pictures(digits_service: Service) -> None:
    check(digits_service, pictures())


def test_a_body_that_does_not_come_ends_with_408(token_service: Service) -> None:
    with connected(token_service) as connection:
        connection.sendall(BEGUN + b"content-length: 100\r\n\r\n{")
        status, said = answered(connection)
    assert status == 408
    assert f"did not come within {TIMEOUT_S:.0f} s".encode() in said


def test_others_are_answered_beside_slow_ones(token_service: Service) -> None:
    """As many slow bodies and heads as there may be requests at once, twice."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connected(token_service)) for _ in range(128)]
        for number, connection in enumerate(connections):
            length = b"content-length: 1000\r\n\r\n{" if number % 2 else b"x: "
            connection.sendall(BEGUN + length)
        assert [sent(token_service, WHOLE)[0] for _ in range(20)] == [200] * 20
        assert {answered(connection)[0] for connection in connections[1::2]} == {408}


def test_a_broken_off_request_is_not_counted_as_running(token_service: Service) -> None:
    for _ in range(5):
        with connected(token_service) as connection:
            connection.sendall(BEGUN + b"content-length: 1000\r\n\r\n{")
    wait_for(lambda: running(token_service) <= 1)  # the one that asks


def running(service: Service) -> float:
    said = sent(service, bare("GET", "/metrics"))[1].decode()
    (line,) = [line for line in said.splitlines() if "request_in_progress{" in line]
    return float(line.split()[-1])
