"""The service: from the command to ready, and one row after another over one connection.

python bench/serving.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REQUESTS = 2000
HANG_S = 60


def bundle(folder: str) -> tuple[str, list[dict[str, object]]]:
    """Fit and package a small model; its tag and rows to ask."""
    os.environ["BENTOML_HOME"] = folder  # before BentoML is imported
    import runcard

    card = runcard.load_card(["experiment=digits_mlp", "trainer.max_epochs=3", "report=false", f"runs_dir={folder}"])
    run = runcard.fit(card)
    rows, _ = runcard.tested_rows(run.path)
    return runcard.package(run.path, http=False).tag, rows


def started(tag: str, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """The service, and the seconds until ``/readyz`` says 200."""
    begin = time.perf_counter()
    words = [str(Path(sys.executable).with_name("runcard")), "serve", tag, "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while time.perf_counter() - begin < HANG_S:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return process, time.perf_counter() - begin
        except OSError:
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(0.01)
    process.kill()
    raise SystemExit("the service is not ready")


def latencies(port: int, rows: list[dict[str, object]]) -> list[float]:
    """Milliseconds of each request, one row each, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    bodies = [json.dumps(row) for row in rows]
    taken = []
    for number in range(REQUESTS):
        begin = time.perf_counter()
        connection.request("POST", "/predict", bodies[number % len(bodies)])
        connection.getresponse().read()
        taken.append(1000 * (time.perf_counter() - begin))
    return taken


def main() -> None:
    """Print seconds to ready, and the median and the 99th percentile of a request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tag, rows = bundle(folder)
        seconds: list[float] = []
        times: list[float] = []
        for _ in range(arguments.rounds):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            process, taken = started(tag, port)
            seconds.append(taken)
            try:
                times += latencies(port, rows)
            finally:
                process.terminate()
                process.wait(HANG_S)
        times.sort()
        print(f"ready after {statistics.median(seconds):.2f} s  ({min(seconds):.2f} to {max(seconds):.2f})")
        late = times[int(0.99 * len(times))]
        print(f"one row: median {statistics.median(times):.2f} ms, 99th percentile {late:.2f} ms")


if __name__ == "__main__":
    main()
