"""Many clients at once that mean harm: the worker's memory stays as it is, and others are answered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from bench.service.common import Packed, ours
from bench.service.crowd import CROWDS, coming, table, watching
from bench.service.running import Running

from tests.servers import Service

pytestmark = pytest.mark.slow

MOST_MB = 100
SECONDS = 4


@pytest.fixture(scope="module")
def packed() -> Packed:
    return table()


@pytest.fixture(scope="module")
def running(packed: Packed) -> Iterator[Running]:
    with ours(packed.tag) as service:
        yield service


@pytest.mark.parametrize("name", CROWDS)
def test_a_crowd(name: str, running: Running, packed: Packed) -> None:
    worker, before = running.worker, running.worker_mb
    asked = Service(f"http://127.0.0.1:{running.port}", None, running.process)  # type: ignore[arg-type]
    with coming(CROWDS[name], running.port), watching(worker, running.port) as seen:
        end, statuses = time.monotonic() + SECONDS, set()
        while time.monotonic() < end:
            statuses.add(asked.post(json.dumps(packed.rows[0]).encode())[0])
    # One more may be taken up than there is room for, and is sent away; it comes back.
    assert 200 in statuses
    assert statuses <= {200, 429}
    assert seen.peak_mb - before <= MOST_MB
    assert len(seen.probes) > 5
    assert running.worker == worker
