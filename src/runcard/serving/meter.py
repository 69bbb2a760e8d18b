"""Counts and times of requests, under the names that BentoML gives them, for Prometheus."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer

NAMESPACE = "bentoml_service"
# Counts lie in files that all workers share; writing them at each request would cost it a tenth of its time, and many
# at once would be felt by whoever asks then.
WRITTEN_EVERY_S = 0.01


class Meter:
    """Counts what is answered; all workers write into one folder, and any of them tells the sum.

    Args:
        name: Of the service.
        version: Of what answers.
    """

    def __init__(self, name: str, version: str) -> None:
        self._client = BentoMLContainer.metrics_client.get()
        self._labels = {"service_name": name, "service_version": version, "runner_name": name}
        each = ["endpoint", "http_response_code", *self._labels]
        self._total = self._client.Counter("request_total", "Requests answered", each, namespace=NAMESPACE)
        self._seconds = self._client.Histogram(
            "request_duration_seconds",
            "Seconds from a request's headers to its answer",
            each,
            namespace=NAMESPACE,
            buckets=BentoMLContainer.duration_buckets.get(),
        )
        self._now = self._gauge("request_in_progress", "Requests being answered", "livesum")
        self._last = self._gauge("last_request_timestamp_seconds", "When the last request was answered", "max")
        self._running = 0
        self._each: dict[tuple[str, int], tuple[Any, Any]] = {}
        self._answered: list[tuple[str, int, float]] = []

    def begun(self) -> None:
        """A request has come."""
        self._running += 1

    def ended(self) -> None:
        """It is answered, or nobody waits for it any more."""
        self._running -= 1

    def count(self, endpoint: str, status: int, seconds: float) -> None:
        """A request has been answered.

        Args:
            endpoint: One of the service's own paths, or ``other``: what anybody may ask for would fill the memory.
            status: Of HTTP.
            seconds: How long it took.
        """
        if not self._answered:
            asyncio.get_running_loop().call_later(WRITTEN_EVERY_S, self._write)
        self._answered.append((endpoint, status, seconds))

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        self._write()
        found: bytes = self._client.generate_latest()  # type: ignore[no-untyped-call]
        return found

    def _write(self) -> None:
        answered, self._answered = self._answered, []
        for endpoint, status, seconds in answered:
            total, times = self._counted(endpoint, status)
            total.inc()
            times.observe(seconds)
        self._now.set(self._running)
        if answered:
            self._last.set(time.time())

    def _counted(self, endpoint: str, status: int) -> tuple[Any, Any]:
        """The counter and the histogram of such answers: looking them up takes longer than counting."""
        found = self._each.get((endpoint, status))
        if found is None:
            labels = {"endpoint": endpoint, "http_response_code": str(status), **self._labels}
            found = self._each[endpoint, status] = (self._total.labels(**labels), self._seconds.labels(**labels))
        return found

    def _gauge(self, name: str, about: str, mode: str) -> Any:
        gauge = self._client.Gauge(name, about, [*self._labels], namespace=NAMESPACE, multiprocess_mode=mode)
        return gauge.labels(**self._labels)
