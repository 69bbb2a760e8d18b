"""What becomes of the service under too much, when it is killed, and beside what means harm."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator

from bench.service.common import Found, digits, judged, ours
from bench.service.load import loaded, paced
from bench.service.running import HANG_S, Running, is_ready

# Of requests that mean harm.
A_SECOND = 20


def overload(arguments: argparse.Namespace) -> Found:
    """Four times what can be answered: short answers over too many connections, long ones at too high a rate."""
    model = digits()
    body, seconds = json.dumps(model.rows[0]), 2 if arguments.quick else 10
    values: dict[str, tuple[float, str, float]] = {}
    with ours(model.tag) as service:
        calm = loaded(service.port, body, 1, 2)
        with readiness(service.port) as asked:
            load = loaded(service.port, body, 512, seconds)
        time.sleep(1)
        after = loaded(service.port, body, 1, 2)
        values["wrong answers at 512 connections"] = (load.wrong, "<=", 0.0)
        values["p50 a second later : before"] = (after.p50 / calm.p50, "<=", 2.0)
        values["probes that failed"] = (asked.count(False), "<=", 0.0)
        sustained = _sustained(service.port, model.rows[0])
        with readiness(service.port) as asked:
            found = asyncio.run(paced(service.port, "/explain", model.rows[0], 4 * sustained, seconds))
        time.sleep(1)
        later = loaded(service.port, body, 1, 2)
    print(f"/explain: {sustained:.0f}/s can be answered; at four times as many: {dict(found.statuses)}")
    others = sum(count for status, count in found.statuses.items() if status not in (200, 429, 503))
    values["other than 200, 429, 503"] = (others, "<=", 0.0)
    values["probes that failed then"] = (asked.count(False), "<=", 0.0)
    values["p50 a second after that : before"] = (later.p50 / calm.p50, "<=", 2.0)
    return judged(values)


def _sustained(port: int, row: object) -> float:
    """Explanations a second, over 8 connections that each wait for their answer."""
    answered, end = [0] * 8, time.perf_counter() + 3

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        while time.perf_counter() < end:
            connection.request("POST", "/explain", json.dumps(row), {"content-type": "application/json"})
            connection.getresponse().read()
            answered[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) / 3


@contextlib.contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have a thread do something until this ends, which sets the event that it is given."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def readiness(port: int) -> Iterator[list[bool]]:
    """Ask every tenth of a second whether a service is ready."""
    found: list[bool] = []

    def look(over: threading.Event) -> None:
        while not over.wait(0.1):
            found.append(is_ready(port))

    with beside(look):
        yield found


def killed(arguments: argparse.Namespace) -> Found:
    """The worker killed; SIGTERM under load."""
    model = digits()
    seconds = []
    for _ in range(1 if arguments.quick else 3):
        with ours(model.tag) as service:
            worker = service.worker
            began = time.perf_counter()
            worker.kill()
            worker.wait()
            while not is_ready(service.port):
                time.sleep(0.01)
            seconds.append(time.perf_counter() - began)
    with ours(model.tag) as service:
        load = asyncio.run(_ended(service, model.rows[0]))
        code = service.process.wait(HANG_S)
    values = {
        "seconds to ready after kill -9": (max(seconds), "<=", 12.0),
        "exit code after SIGTERM": (abs(code), "<=", 0.0),
    }
    return judged({**values, "requests in flight not answered": (load, "<=", 0.0)})


async def _ended(service: Running, row: object) -> int:
    """Send explanations, SIGTERM while they are computed; how many were not answered."""
    asking = asyncio.create_task(paced(service.port, "/explain", row, 20, 1.0))
    await asyncio.sleep(0.5)
    before = asyncio.create_task(paced(service.port, "/explain", row, 1000, 0.02))
    await asyncio.sleep(0.1)
    service.process.send_signal(signal.SIGTERM)
    await asking
    return sum(count for status, count in (await before).statuses.items() if status != 200)


def hostile(arguments: argparse.Namespace) -> Found:
    """A well-behaved client beside one that means harm, by turns with it alone: the machine has a p99 of its own."""
    from tests.serving.hostile import cases

    model = digits()
    body, seconds = json.dumps(model.rows[0]), 3 if arguments.quick else 15
    alone, beside_them, wrong = [], [], 0
    with ours(model.tag) as service:
        before = service.worker_mb
        for _ in range(1 if arguments.quick else arguments.rounds):
            alone.append(loaded(service.port, body, 1, seconds).p99)
            with sending(service.port, [case.content for case in cases()]) as sent:
                disturbed = loaded(service.port, body, 1, seconds)
            beside_them.append(disturbed.p99)
            wrong += disturbed.wrong
            print(f"p99 alone {alone[-1]:.2f} ms; beside {len(sent)} hostile requests {beside_them[-1]:.2f} ms")
        grown = service.worker_mb - before
    ratio = statistics.median(beside_them) / statistics.median(alone)
    values = {"p99 : alone": (ratio, "<=", 2.0), "MB grown": (grown, "<=", 50.0)}
    return judged({**values, "wrong answers": (wrong, "<=", 0.0)})


@contextlib.contextmanager
def sending(port: int, requests: list[bytes]) -> Iterator[list[int]]:
    """Send requests over and over, at most so many a second; yields their lengths, as they are sent."""
    sent: list[int] = []

    def send(over: threading.Event) -> None:
        for request in itertools.cycle(requests):
            if over.wait(1 / A_SECOND):
                return
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(request)
                connection.recv(1000)
            sent.append(len(request))

    with beside(send):
        yield sent
