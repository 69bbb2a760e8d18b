"""Requests that mean harm: each is refused in words, and neither stops the service nor fills its memory."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import HANG_S, Made
from tests.servers import ROOT, Service, bentoml_serve
from tests.serving.hostile import GOOD, Case, cases, pictures
from tests.waiting import wait_for

TIMEOUT_S = 1.0
MOST_MB = 50


@pytest.fixture(scope="module")
def service(table_made: Made) -> Iterator[Service]:
    limits = json.dumps({"timeout_s": TIMEOUT_S, "max_rows": 1000})
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=table_made.bundle.tag, RUNCARD_SERVE=limits) as running:
        yield running


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


def test_hostile_requests_to_a_table(service: Service) -> None:
    check(service, cases())
    assert not Path("/tmp/runcard-was-unpickled").exists()
    assert service.post(GOOD)[0] == 200


def test_hostile_pictures(digits_service: Service) -> None:
    check(digits_service, pictures())


def test_a_body_that_does_not_come_ends_with_408(service: Service) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n"
    with connected(service) as connection:
        connection.sendall(head + b"{")
        status, said = answered(connection)
    assert status == 408
    assert b"did not come within 1 s" in said


def test_others_are_answered_beside_slow_ones(service: Service) -> None:
    """As many slow bodies and heads as there may be requests at once, twice."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connected(service)) for _ in range(128)]
        for number, connection in enumerate(connections):
            length = b"content-length: 1000\r\n\r\n{" if number % 2 else b"x: "
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\n" + length)
        assert [service.post(GOOD)[0] for _ in range(20)] == [200] * 20
        assert {answered(connection)[0] for connection in connections[1::2]} == {408}


def test_a_broken_off_request_is_not_counted_as_running(service: Service) -> None:
    for _ in range(5):
        with connected(service) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{")
    wait_for(lambda: running(service) <= 1)  # the one that asks


def running(service: Service) -> float:
    (line,) = [line for line in service.get("/metrics")[1].splitlines() if "request_in_progress{" in line]
    return float(line.split()[-1])
