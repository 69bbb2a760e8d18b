"""Services in processes of their own, ready to be asked, and what they take."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

HANG_S = 120.0


@dataclass
class Running:
    """A service.

    Attributes:
        port: Where it listens.
        process: What was started.
        ready_s: Seconds from its start to when it could answer.
    """

    port: int
    process: subprocess.Popen[bytes]
    ready_s: float

    @property
    def worker(self) -> psutil.Process:
        """The process that answers."""
        children = psutil.Process(self.process.pid).children()
        return children[0] if children else psutil.Process(self.process.pid)

    @property
    def worker_mb(self) -> float:
        """Resident memory of the process that answers."""
        return float(self.worker.memory_info().rss / 2**20)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    """Whether a service says that it can answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def running(words: Sequence[str], port: int, **variables: str) -> Iterator[Running]:
    """A service, ready; ended afterwards."""
    began = time.perf_counter()
    silent = subprocess.DEVNULL
    process = subprocess.Popen(words, env={**os.environ, **variables}, stdout=silent, stderr=silent)
    try:
        while not is_ready(port):
            if process.poll() is not None or time.perf_counter() - began > HANG_S:
                sys.exit(f"{' '.join(words)} is not ready")
            time.sleep(0.01)
        yield Running(port, process, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(HANG_S)
