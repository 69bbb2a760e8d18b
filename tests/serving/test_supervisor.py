"""The process that starts workers: it takes commands from nobody, gives up in time, and leaves none behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from bentoml.exceptions import BentoMLException

from runcard.serving import supervisor
from runcard.serving.supervisor import TRIES, _Tries
from tests.conftest import Made
from tests.servers import BIN, Service, free_port, starting, wait_until_ready
from tests.serving.hostile import GOOD
from tests.serving.test_steady import counted
from tests.waiting import wait_for


def served(made: Made, folder: Path, *words: str) -> Any:
    port = free_port()
    return starting([str(BIN / "runcard"), "serve", made.bundle.tag, "--port", str(port), *words], folder, port)


def processes(service: Service) -> list[psutil.Process]:
    main = psutil.Process(service.process.pid)
    return [main, *main.children(recursive=True)]


def test_it_listens_for_requests_only_and_ends_with_its_workers(table_made: Made, away: Path) -> None:
    with served(table_made, away, "serve.workers=2") as service:
        wait_until_ready(service)
        port = int(service.url.rpartition(":")[2])
        wait_for(lambda: len(processes(service)) == 3)
        found = processes(service)
        listening = {
            one.laddr.port
            for process in found
            for one in process.net_connections("inet")
            if one.status == psutil.CONN_LISTEN or one.type == socket.SOCK_DGRAM
        }
        assert listening == {port}
        # Its sockets lie where nobody else may go.
        names = [str(one.laddr) for one in found[0].net_connections("unix")]
        (folder,) = {Path(name).parent for name in names if "runcard-serve-" in name}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for _ in range(20):
            assert service.post(GOOD)[0] == 200
        wait_for(lambda: counted(service, "/predict", 200) == 20)  # whichever of the two answered
        found[0].kill()
        wait_for(lambda: not any(process.is_running() for process in found[1:]), within_s=5)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


@pytest.mark.slow
def test_its_folder_goes_with_it(table_made: Made, away: Path) -> None:
    (away / "tmp").mkdir()
    port = free_port()
    words = [str(BIN / "runcard"), "serve", table_made.bundle.tag, "--port", str(port)]
    with starting(words, away, port, TMPDIR=str(away / "tmp")) as service:
        wait_until_ready(service)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
    assert not [path for path in (away / "tmp").iterdir() if path.name.startswith("runcard-serve-")]


@pytest.fixture
def watcher() -> SimpleNamespace:
    stopped: list[str] = []
    arbiter = SimpleNamespace(_exception=None, stopped=stopped, ctrl=SimpleNamespace(loop=None))
    return SimpleNamespace(arbiter=arbiter, is_stopping=lambda: False, is_stopped=lambda: False)


def test_workers_that_never_get_ready(away: Path, watcher: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_stop", lambda loop, arbiter: arbiter.stopped.append("stop"))
    told: list[str] = []
    announce = _Tries(away).counting(lambda watcher, topic, message: told.append(topic))
    for pid in (1, 2):
        announce(watcher, "reap", {"process_pid": pid})
    (away / "3").touch()  # one that was ready: whatever ended it, its bundle can be loaded
    announce(watcher, "reap", {"process_pid": 3})
    assert not (away / "3").exists()
    for pid in range(4, 4 + TRIES - 1):
        announce(watcher, "reap", {"process_pid": pid})
        announce(watcher, "spawn", {"process_pid": pid})
    assert (watcher.arbiter._exception, watcher.arbiter.stopped) == (None, [])
    announce(watcher, "reap", {"process_pid": 9})
    assert isinstance(watcher.arbiter._exception, BentoMLException)
    assert watcher.arbiter.stopped == ["stop"]
    assert told.count("reap") == 3 + TRIES


def test_workers_that_are_asked_to_end_are_not_counted(away: Path, watcher: SimpleNamespace) -> None:
    watcher.is_stopping = lambda: True
    announce = _Tries(away).counting(lambda *_: None)
    for pid in range(2 * TRIES):
        announce(watcher, "reap", {"process_pid": pid})
    assert watcher.arbiter._exception is None


def test_a_long_name_for_temporary_files(monkeypatch: pytest.MonkeyPatch, away: Path) -> None:
    long = away / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = supervisor._make_folder()
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(f"{folder}/commands")
    os.unlink(folder / "commands")
    folder.rmdir()
