"""The service under too much, and at its end: what is answered, with which status, and that it comes back."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import runcard
from tests.conftest import HANG_S, Made
from tests.servers import BIN, ROOT, Service, bentoml_serve, free_port, starting, wait_until_ready
from tests.serving.hostile import GOOD
from tests.waiting import wait_for


def explained(service: Service, row: object, times: int) -> Counter[int]:
    """How often each status came of so many requests at once."""
    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(lambda _: service.post(row, "/explain")[0], range(times)))


def test_one_request_too_many_is_sent_away(digits_made: Made) -> None:
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    limits = json.dumps({"max_concurrency": 2})
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=digits_made.bundle.tag, RUNCARD_SERVE=limits) as service:
        statuses = explained(service, row, 24)
        assert set(statuses) == {200, 429}
        assert statuses[200] >= 2
        assert service.ready
        assert explained(service, row, 1) == {200: 1}
        assert 'http_response_code="429"' in service.get("/metrics")[1]


def test_what_takes_too_long_is_given_up(digits_made: Made) -> None:
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    limits = json.dumps({"timeout_s": 0.001})
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=digits_made.bundle.tag, RUNCARD_SERVE=limits) as service:
        status, said = service.post(row, "/explain")
        assert (status, "took longer than 0.001 s" in said["error"]) == (503, True)
        assert service.post(row)[0] == 200


@pytest.mark.parametrize("signum", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_what_is_in_flight_is_answered_before_the_end(signum: signal.Signals, digits_made: Made, away: Path) -> None:
    row = runcard.tested_rows(digits_made.run.path)[0][0]
    port = free_port()
    words = [str(BIN / "runcard"), "serve", digits_made.bundle.tag, "--port", str(port)]
    with starting(words, away, port) as service:
        wait_until_ready(service)
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(service.post, row, "/explain") for _ in range(16)]
            wait_for(lambda: any(each.done() for each in asked))  # by now all of them have been taken up
            service.process.send_signal(signum)
            statuses = [each.result(HANG_S)[0] for each in asked]
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
COMMANDS = {
    "runcard": "from runcard.__main__ import main\nmain()",
    "bentoml": "from bentoml_cli.cli import cli\ncli()",
}


SLOW = [
    pytest.param(*case, marks=pytest.mark.slow) for case in (("runcard", signal.SIGINT), ("bentoml", signal.SIGTERM))
]


@pytest.mark.parametrize(("command", "signum"), [("runcard", signal.SIGTERM), ("bentoml", signal.SIGINT), *SLOW])
def test_who_is_stopped_while_it_starts_a_worker_ends(
    signum: signal.Signals, command: str, table_made: Made, away: Path
) -> None:
    port = free_port()
    code = STOPPED_WHILE_STARTING.format(signum=signum) + COMMANDS[command]
    what = {"runcard": [table_made.bundle.tag], "bentoml": [str(ROOT)]}[command]
    words = [sys.executable, "-c", code, "serve", *what, "--port", str(port)]
    with starting(words, away, port, RUNCARD_BUNDLE=table_made.bundle.tag) as service:
        assert service.process.wait(HANG_S) == 0, service.log.read_text()
        assert "Traceback" not in service.log.read_text()


def test_a_worker_that_is_killed_comes_back(table_made: Made, away: Path) -> None:
    port = free_port()
    words = [str(BIN / "runcard"), "serve", table_made.bundle.tag, "--port", str(port)]
    with starting(words, away, port) as service:
        wait_until_ready(service)
        (worker,) = psutil.Process(service.process.pid).children()
        worker.kill()
        worker.wait(HANG_S)
        wait_for(lambda: service.ready)
        assert service.post(GOOD)[1]["model_version"] == table_made.bundle.tag


def test_many_workers_answer_and_are_counted_together(table_made: Made, away: Path) -> None:
    port = free_port()
    words = [str(BIN / "runcard"), "serve", table_made.bundle.tag, "serve.workers=2", "--port", str(port)]
    with starting(words, away, port) as service:
        wait_until_ready(service)
        assert len(psutil.Process(service.process.pid).children()) == 2
        for _ in range(20):
            assert service.post(GOOD)[0] == 200
        wait_for(lambda: counted(service) == 20)


def counted(service: Service) -> float:
    """The rows that all workers have answered."""
    lines = service.get("/metrics")[1].splitlines()
    wanted = [line for line in lines if "request_total{" in line and '"/predict"' in line and '"200"' in line]
    return sum(float(line.split()[-1]) for line in wanted)
