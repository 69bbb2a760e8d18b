"""A well-behaved client beside crowds that mean harm: its time, the probe's, and the worker's memory."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import multiprocessing
import os
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psutil
from bench.service.common import Found, Packed, judged, ours, packed
from bench.service.faults import beside
from bench.service.load import loaded

HEAD = b"POST /predict%s HTTP/1.1\r\nhost: localhost\r\ncontent-type: %s\r\n"
JSON, CSV, ARROW = b"application/json", b"text/csv", b"application/vnd.apache.arrow.stream"
# What a client sends at first, and then again and again, with so many seconds between; None: nothing is read.
Sending = tuple[bytes, bytes, float]


def crowd(arguments: argparse.Namespace) -> Found:
    """Each crowd in turn, beside a client that asks for one row after the other over one connection."""
    seconds, values = 3 if arguments.quick else 10, dict[str, tuple[float, str, float]]()
    model = table()
    body = json.dumps(model.rows[0])
    with ours(model.tag) as service:
        loaded(service.port, body, 1, 1)
        rest, alone = service.worker_mb, []
        for name, come in CROWDS.items():
            alone.append(loaded(service.port, body, 1, seconds).p99)
            with coming(come, service.port), watching(service.worker, service.port) as seen:
                disturbed = loaded(service.port, body, 1, seconds)
            probe = max(seen.probes)
            print(
                f"{name:36} p99 {alone[-1]:.2f} -> {disturbed.p99:.2f} ms, probe at most {probe:.1f} ms, "
                f"+{seen.peak_mb - rest:.0f} MB, {disturbed.wrong} wrong answers",
                flush=True,
            )
            if name in SLOW:
                values[f"{name}: p99 : alone"] = (disturbed.p99 / statistics.median(alone), "<=", 2.0)
            values[f"{name}: probe, ms"] = (probe, "<=", 50.0)
            values[f"{name}: MB"] = (seen.peak_mb - rest, "<=", 100.0)
    return judged(values)


def table() -> Packed:
    """A linear model for a table of a number and a category."""
    folder = Path(os.environ["BENTOML_HOME"])
    count = range(600)
    frame = pl.DataFrame(
        {
            "a": [number % 7 + 0.5 for number in count],
            "b": ["pqr"[number % 3] for number in count],
            "label": ["yn"[number % 2] for number in count],
        }
    )
    frame.write_csv(folder / "rows.csv")
    words = ["data=table", f"data.path={folder}/rows.csv", "problem.target=label", "model=linear"]
    return packed("crowd", *words, "trainer.max_epochs=1")


class Seen:
    """What was seen of a service."""

    def __init__(self) -> None:
        self.probes = [0.0]
        self.peak_mb = 0.0


@contextlib.contextmanager
def watching(worker: psutil.Process, port: int) -> Iterator[Seen]:
    """Ask ``/livez`` every 50 ms, and note the highest memory."""
    seen = Seen()
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")

    def look(over: threading.Event) -> None:
        while not over.wait(0.05):
            began, connection = time.perf_counter(), http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/livez")
                connection.getresponse().read()
                seen.probes.append((time.perf_counter() - began) * 1000)
            connection.close()

    with beside(look):
        yield seen
        lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        seen.peak_mb = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


@contextlib.contextmanager
def coming(come: Callable[[int], None], port: int) -> Iterator[None]:
    """Have a process of its own send, so that its work is nobody's but its own."""
    process = multiprocessing.get_context("spawn").Process(target=come, args=(port,), daemon=True)
    process.start()
    time.sleep(2)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _drip(port: int, count: int, first: bytes, next_: bytes, every_s: float) -> None:
    """So many connections, each of which sends a little every so often, and begins anew when it is closed."""
    connections: dict[int, socket.socket] = {}
    while True:
        for number in range(count):
            time.sleep(every_s / count)
            try:
                if number not in connections:
                    connections[number] = socket.create_connection(("127.0.0.1", port), 30)
                    connections[number].sendall(first)
                    connections[number].setblocking(False)
                connections[number].send(next_)
            except OSError:
                connections.pop(number, socket.socket()).close()


def _pour(port: int, count: int, request: bytes, *, read: bool = True) -> None:
    """So many connections, each of which sends a request as soon as the last one was answered; or reads nothing."""
    poll, begun = selectors.DefaultSelector(), dict[socket.socket, int]()
    while True:
        while len(begun) < count:
            connection = socket.create_connection(("127.0.0.1", port), 30)
            connection.setblocking(False)
            begun[connection] = 0
            poll.register(connection, selectors.EVENT_WRITE | (selectors.EVENT_READ if read else 0))
        for key, events in poll.select(1):
            one: socket.socket = key.fileobj  # type: ignore[assignment]
            try:
                if events & selectors.EVENT_READ:
                    done = not one.recv(65536)
                    begun[one] = 0
                    poll.modify(one, selectors.EVENT_WRITE | selectors.EVENT_READ)
                    if done:
                        raise OSError
                elif begun[one] < len(request):
                    begun[one] += one.send(request[begun[one] : begun[one] + 2**18])
                elif read:
                    poll.modify(one, selectors.EVENT_READ)
                else:
                    begun[one] = 0
            except OSError:
                poll.unregister(one)
                one.close()
                del begun[one]
        if not read:
            time.sleep(0.01)


def whole(body: bytes, kind: bytes, path: bytes = b"/batch") -> bytes:
    """A request."""
    return HEAD % (path, kind) + b"content-length: %d\r\n\r\n" % len(body) + body


def slow_heads(port: int) -> None:
    """200 heads, a letter a second each."""
    _drip(port, 200, b"GET /livez HTTP/1.1\r\nx: ", b"a", 1)


def slow_bodies(port: int) -> None:
    """200 bodies, a kilobyte a second each."""
    _drip(port, 200, HEAD % (b"", JSON) + b"content-length: 16000000\r\n\r\n", b" " * 1000, 1)


def trailers(port: int) -> None:
    """50 requests whose trailers do not end, a megabyte a second together."""
    first = HEAD % (b"", JSON) + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    _drip(port, 50, first, b"x: %s\r\n" % (b"a" * 1000), 0.05)


def no_readers(port: int) -> None:
    """100 clients that ask and do not read."""
    _pour(port, 100, b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * 10, read=False)


def bodies_of_digits(port: int) -> None:
    """8 clients with 15 MB of JSON each, one after the other."""
    _pour(port, 8, whole(b'{"a": [' + b"1," * 7_500_000 + b"1]}", JSON))


def bodies_of_values(port: int) -> None:
    """8 clients with as many values as are taken."""
    rows = {"a": [1.5] * 90_000, "b": ["p"] * 90_000}
    _pour(port, 8, whole(json.dumps(rows).encode(), JSON))


def bodies_of_rows(port: int) -> None:
    """8 clients with CSV of 100,000 rows."""
    _pour(port, 8, whole(b"a,b\n" + b"1.5,p\n" * 100_000, CSV))


def bodies_of_texts(port: int) -> None:
    """8 clients with Arrow of 100,000 rows and 15 MB of texts."""
    stream = io.BytesIO()
    pl.DataFrame({"a": [1.5] * 100_000, "b": [f"{number:0140}" for number in range(100_000)]}).write_ipc_stream(stream)
    _pour(port, 8, whole(stream.getvalue(), ARROW))


def mixed_bodies(port: int) -> None:
    """All of these bodies at once, over 32 connections."""
    for come in (bodies_of_digits, bodies_of_values, bodies_of_rows, bodies_of_texts):
        threading.Thread(target=come, args=(port,), daemon=True).start()
    threading.Event().wait()


SLOW: dict[str, Callable[[int], None]] = {
    "200 slow heads": slow_heads,
    "200 slow bodies": slow_bodies,
    "50 endless trailers": trailers,
    "100 that do not read": no_readers,
}
CROWDS = SLOW | {
    "8 with 15 MB of digits": bodies_of_digits,
    "8 with 180,000 values": bodies_of_values,
    "8 with 100,000 rows of CSV": bodies_of_rows,
    "8 with 15 MB of texts as Arrow": bodies_of_texts,
    "32 with all of these": mixed_bodies,
}
