"""The service under too much, and at its end: what is answered, with which status, and that it comes back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

import runcard
from runcard.card.sections.serve import DEFAULTS, Serve
from runcard.packaging.bundle import open_bundle
from runcard.serving.access import Access, Token
from runcard.serving.app import App
from runcard.serving.guard import Guard
from runcard.serving.http import Answer, Asked, Receive, Scope, Send
from runcard.serving.meter import Meter
from runcard.serving.predictor import Predictor
from tests.conftest import HANG_S, Made
from tests.servers import BIN, ROOT, Service, free_port, starting, wait_until_ready
from tests.waiting import wait_for

HERE = ("127.0.0.1", 1)


def explained(service: Service, row: object, times: int) -> Counter[int]:
    """How often each status came of so many requests at once."""
    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(lambda _: service.post(row, "/explain")[0], range(times)))


COMMANDS = {
    "runcard": "from runcard.__main__ import main\nmain()",
    "bentoml": "from bentoml_cli.cli import cli\ncli()",
}
# BentoML has it look every ten seconds.
LOOKS_OFTEN = """
from circus.controller import Controller

def init(self, *words, really=Controller.__init__, **named):
    really(self, *words, **named)
    self.check_delay = 100

Controller.__init__ = init
"""


@pytest.fixture(scope="module")
def few_at_once(digits_made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two workers, each of which answers two requests at once."""
    port = free_port()
    words = [sys.executable, "-c", LOOKS_OFTEN + COMMANDS["runcard"], "serve", digits_made.bundle.tag]
    words += ["serve.workers=2", "serve.max_concurrency=2"]
    with starting([*words, "--port", str(port)], tmp_path_factory.mktemp("few"), port) as service:
        wait_until_ready(service)
        yield service


@pytest.mark.slow
def test_one_request_too_many_is_sent_away(few_at_once: Service, digits_made: Made) -> None:
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    statuses = explained(few_at_once, row, 24)
    assert set(statuses) == {200, 429}
    assert statuses[200] >= 2
    assert few_at_once.ready
    assert explained(few_at_once, row, 1) == {200: 1}
    wait_for(lambda: counted(few_at_once, "/explain", 429) == statuses[429])


@pytest.mark.slow  # by default in test_supervisor.py, whose service has two workers too
def test_many_workers_answer_and_are_counted_together(few_at_once: Service, digits_made: Made) -> None:
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    assert len(psutil.Process(few_at_once.process.pid).children()) == 2
    for _ in range(20):
        assert few_at_once.post(row)[0] == 200
    wait_for(lambda: counted(few_at_once, "/predict", 200) == 20)


@pytest.mark.slow
def test_workers_that_are_killed_come_back(few_at_once: Service, digits_made: Made) -> None:
    supervisor = psutil.Process(few_at_once.process.pid)
    killed = supervisor.children()
    for worker in killed:
        worker.kill()
        worker.wait(HANG_S)
    wait_for(lambda: few_at_once.ready and len(supervisor.children()) == 2)
    assert not set(killed) & set(supervisor.children())
    status, said = few_at_once.get("/model")
    assert (status, json.loads(said)["version"]) == (200, digits_made.bundle.tag)


def counted(service: Service, path: str, status: int) -> float:
    """The requests to a path that all workers have answered with a status."""
    lines = service.get("/metrics")[1].splitlines()
    wanted = [line for line in lines if "request_total{" in line and f'"{path}"' in line and f'"{status}"' in line]
    return sum(float(line.split()[-1]) for line in wanted)


@pytest.fixture(scope="module")
def meter() -> Meter:
    """Of this process, which can have one."""
    return Meter("in-the-tests", "1")


def guarded(made: Made, meter: Meter, **chosen: Any) -> Guard:
    """A bundle's routes behind the guard, as the service puts them together.

    Args:
        made: The bundle.
        meter: Counts what is asked.
        chosen: Values of ``serve`` other than the default.
    """
    settings = Serve.model_validate({**DEFAULTS, **chosen})
    predictor = Predictor(open_bundle(made.bundle.path), made.bundle.tag)
    guard = Guard(unused)
    guard.open(App(predictor, settings, meter, 0.0, token=False).routes(), settings, Access(Token(None, {})), meter)
    return guard


def test_what_takes_too_long_is_given_up(digits_made: Made, meter: Meter) -> None:
    """Within this process: the guard, the routes and the model as the service puts them together."""
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    guard = guarded(digits_made, meter, timeout_s=0.001)
    status, said = asyncio.run(answered(guard, "/explain", row))
    assert (status, "took longer than 0.001 s" in said["error"]) == (503, True)
    assert asyncio.run(answered(guard, "/predict", row))[0] == 200


def test_of_many_at_once_some_are_sent_away(digits_made: Made, meter: Meter) -> None:
    """Within this process, likewise."""
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    guard = guarded(digits_made, meter, max_concurrency=2)

    async def ask_all() -> tuple[Counter[int], int]:
        statuses = Counter(
            status for status, _ in await asyncio.gather(*(answered(guard, "/explain", row) for _ in range(24)))
        )
        return statuses, (await answered(guard, "/explain", row))[0]

    statuses, later = asyncio.run(ask_all())
    assert set(statuses) == {200, 429}
    assert statuses[200] >= 2
    assert later == 200


def test_an_answer_that_is_not_taken_counts_as_one_that_is_computed(meter: Meter) -> None:
    async def told(asked: Asked) -> Answer:
        return Answer(b"{}")

    async def ask() -> tuple[int, int, int]:
        guard, taken = Guard(unused), asyncio.Event()
        settings = Serve.model_validate({**DEFAULTS, "max_concurrency": 1})
        guard.open({"/": {"GET": told}}, settings, Access(Token(None, {})), meter)
        first = asyncio.create_task(status_of(guard, taken))
        await asyncio.sleep(0)
        second = await status_of(guard)
        taken.set()
        return await first, second, await status_of(guard)

    assert asyncio.run(ask()) == (200, 429, 200)


async def status_of(guard: Guard, taken: asyncio.Event | None = None) -> int:
    """The status of what is answered to somebody who takes it at once, or when he is told to."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)
        if taken is not None:
            await taken.wait()

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")], "client": HERE}
    await guard(scope, receive, send)
    return int(sent[0]["status"])


async def unused(scope: Scope, receive: Receive, send: Send) -> None:
    """In place of BentoML's own application, which answers probes."""
    raise AssertionError(scope["path"])


async def answered(guard: Guard, path: str, row: object) -> tuple[int, Any]:
    """Status and JSON of what an application answers to a row."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(row).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": HERE}
    await guard(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.slow  # SIGTERM by default in test_admission.py, whose service has nothing else to do by then
def test_what_is_in_flight_at_ctrl_c_is_answered_before_the_end(digits_made: Made, away: Path) -> None:
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    port = free_port()
    words = [str(BIN / "runcard"), "serve", digits_made.bundle.tag, "--port", str(port)]
    with starting(words, away, port) as service:
        wait_until_ready(service)
        ends_when_all_are_answered(service, signal.SIGINT, lambda: service.post(row, "/explain")[0])


def ends_when_all_are_answered(service: Service, signum: signal.Signals, ask: Callable[[], int]) -> None:
    """Send a signal to a service while it is at sixteen requests, which each take it a while."""
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask) for _ in range(16)]
        wait_for(lambda: any(each.done() for each in asked))  # by now all of them have been taken up
        service.process.send_signal(signum)
        statuses = [each.result(HANG_S) for each in asked]
    assert statuses == [200] * 16
    assert service.process.wait(HANG_S) == 0
    assert "Traceback" not in service.log.read_text()


STOPPED_WHILE_STARTING = """
import os, signal, sys
from circus.watcher import Watcher

def spawn(self, *words, really=Watcher.spawn_process):
    os.kill(os.getpid(), signal.{signum.name})
    return really(self, *words)

Watcher.spawn_process = spawn
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "signum"),
    [("runcard", signal.SIGINT), ("bentoml", signal.SIGTERM)],
)
def test_who_is_stopped_while_it_starts_a_worker_ends(
    command: str, signum: signal.Signals, table_made: Made, away: Path
) -> None:
    port = free_port()
    code = STOPPED_WHILE_STARTING.format(signum=signum) + COMMANDS[command]
    what = {"runcard": [table_made.bundle.tag], "bentoml": [str(ROOT)]}[command]
    words = [sys.executable, "-c", code, "serve", *what, "--port", str(port)]
    with starting(words, away, port, RUNCARD_BUNDLE=table_made.bundle.tag) as service:
        assert service.process.wait(HANG_S) == 0, service.log.read_text()
        assert "Traceback" not in service.log.read_text()
