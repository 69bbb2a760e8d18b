"""A real service in a process of its own, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
HANG_S = 60


@dataclass
class Service:
    """A process that answers, or has ended."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        return _ask(urllib.request.Request(self.url + path))

    def post(self, body: Any, path: str = "/predict") -> tuple[int, Any]:
        """Status and JSON; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, text = _ask(urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}))
        return status, json.loads(text)

    @property
    def ready(self) -> bool:
        """Whether it says that it can answer."""
        with contextlib.suppress(OSError):
            return self.get("/readyz")[0] == 200
        return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def starting(words: Sequence[str], folder: Path, port: int, **variables: str) -> Iterator[Service]:
    """A command that becomes a service, stopped at the end."""
    # A server that starts clears the counts of those that write into the same folder.
    with tempfile.NamedTemporaryFile() as log, tempfile.TemporaryDirectory(prefix="runcard-prometheus-") as counts:
        own = {"PYTHONUNBUFFERED": "1", "PROMETHEUS_MULTIPROC_DIR": counts}
        environment: Mapping[str, str] = {**os.environ, **own, **variables}
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield Service(f"http://127.0.0.1:{port}", Path(log.name), process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(HANG_S)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # a worker that its parent left behind


@contextlib.contextmanager
def bentoml_serve(folder: Path, *, target: str = ".", host: str = "127.0.0.1", **variables: str) -> Iterator[Service]:
    """``bentoml serve`` in a folder, ready to answer."""
    port = free_port()
    words = [str(BIN / "bentoml"), "serve", target, "--host", host, "--port", str(port)]
    with starting(words, folder, port, **variables) as service:
        wait_until_ready(service)
        yield service


def wait_until_ready(service: Service) -> float:
    """Wait for ``/readyz``; seconds that it took."""
    started = time.monotonic()
    while not service.ready:
        ended = service.process.poll()
        assert ended is None, f"the service ended with {ended}:\n{service.log.read_text()}"
        assert time.monotonic() - started < HANG_S, f"the service is not ready:\n{service.log.read_text()}"
        time.sleep(0.02)
    return time.monotonic() - started


def _ask(request: urllib.request.Request) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
