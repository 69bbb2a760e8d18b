"""What is measured of the service, each part with its table and the targets that it missed."""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
from bench.service.common import Found, digits, judged, others, ours, packed
from bench.service.load import Load, loaded
from bench.service.running import HANG_S


def race(arguments: argparse.Namespace) -> Found:
    """Requests of one row, against the least that answers and against BentoML's own way."""
    model = digits()
    body, seconds = json.dumps(model.rows[0]), 1 if arguments.quick else 5
    found: dict[str, dict[int, list[Load]]] = {}
    with ours(model.tag) as service, others(model) as them:
        services = {"ours": service, **them}
        for name, contender in services.items():
            loaded(contender.port, body, 32, 1)
            found[name] = {1: [], 32: []}
        for number in range(arguments.rounds):
            names = list(services)
            for name in names if number % 2 else names[::-1]:  # there and back
                for connections in (1, 32):
                    found[name][connections].append(loaded(services[name].port, body, connections, seconds))
    for name, loads in found.items():
        for connections, each in loads.items():
            rate = statistics.mean(load.per_second for load in each)
            times = [statistics.median(getattr(load, share) for load in each) for share in ("p50", "p99")]
            wrong = sum(load.wrong for load in each)
            said = f"{rate:8.0f}/s  p50 {times[0]:7.2f} ms  p99 {times[1]:7.2f} ms  {wrong} wrong"
            print(f"{name:6} {connections:3} connections: {said}")
    measured = {
        name: {str(connections): [vars(load) for load in each] for connections, each in loads.items()}
        for name, loads in found.items()
    }
    return {"loads": measured, **_judged(found)}


def _judged(found: dict[str, dict[int, list[Load]]]) -> Found:
    def mean(name: str, connections: int, what: str) -> float:
        return float(statistics.mean(getattr(load, what) for load in found[name][connections]))

    def middle(name: str, connections: int, what: str) -> float:
        return float(statistics.median(getattr(load, what) for load in found[name][connections]))

    wrong = sum(load.wrong for each in found["ours"].values() for load in each)
    ratios = {
        "rate at 32 : bare": (mean("ours", 32, "per_second") / mean("bare", 32, "per_second"), ">=", 0.4),
        "rate at 32 : stock": (mean("ours", 32, "per_second") / mean("stock", 32, "per_second"), ">=", 4.0),
        "p50 at 1 : bare": (middle("ours", 1, "p50") / middle("bare", 1, "p50"), "<=", 2.0),
        "p99 at 1 : own p50": (middle("ours", 1, "p99") / middle("ours", 1, "p50"), "<=", 5.0),
        "p99 at 32 : bare": (middle("ours", 32, "p99") / middle("bare", 32, "p99"), "<=", 3.0),
        "wrong answers": (float(wrong), "<=", 0.0),
    }
    return judged(ratios)


def start(arguments: argparse.Namespace) -> Found:
    """From the command to ready, and what a worker takes; then a minute of load."""
    model = digits()
    seconds = []
    for _ in range(2 if arguments.quick else 5):
        with ours(model.tag) as service:
            seconds.append(service.ready_s)
            resident = service.worker_mb
    with ours(model.tag) as service:
        loaded(service.port, json.dumps(model.rows[0]), 32, 5)
        before = service.worker_mb
        loaded(service.port, json.dumps(model.rows[0]), 32, 5 if arguments.quick else 60)
        grown = service.worker_mb - before
    values = {"seconds to ready": (statistics.median(seconds), "<=", 3.0), "MB a worker": (resident, "<=", 200.0)}
    return judged({**values, "MB grown in a minute of load": (grown, "<=", 20.0)})


def batch(arguments: argparse.Namespace) -> Found:
    """Rows of 20 numbers, as Arrow."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame({f"x{number}": rng.normal(size=20_000) for number in range(20)})
    path = Path(os.environ["BENTOML_HOME"]) / "numbers.csv"
    sums = table.sum_horizontal()
    table.with_columns(y=pl.when(sums > 0).then(pl.lit("up")).otherwise(pl.lit("down"))).write_csv(path)
    card = ["data=table", f"data.path={path}", "problem.target=y", "model=mlp", "trainer.max_epochs=2"]
    model = packed("numbers", *card)
    buffer = io.BytesIO()
    table.select(pl.all().clip(-3, 3)).write_ipc_stream(buffer)
    text = table.select(pl.all().clip(-3, 3)).write_csv().encode()
    with ours(model.tag) as service:
        rates = {
            kind: _rate(service.port, content, kind, len(table), 3 if arguments.quick else 20)
            for kind, content in (("application/vnd.apache.arrow.stream", buffer.getvalue()), ("text/csv", text))
        }
        print(f"text/csv: {rates['text/csv']:.0f} rows/s; a worker afterwards: {service.worker_mb:.0f} MB")
    return judged({"rows/s as Arrow": (rates["application/vnd.apache.arrow.stream"], ">=", 200_000.0)})


def _rate(port: int, content: bytes, kind: str, rows: int, rounds: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        connection.request("POST", "/predict/batch", content, {"content-type": kind})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.client.OK:
            sys.exit(f"{answer.status}: {said[:300]!r}")
        seconds.append(time.perf_counter() - began)
    return rows / statistics.median(seconds[1:])
