"""The routes of the service: answers, the model, the page, the description."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from runcard.card.sections.serve import Serve
from runcard.serving.about import about
from runcard.serving.guard import Route
from runcard.serving.http import Answer, Asked, RefusedError, encoded
from runcard.serving.meter import Meter
from runcard.serving.openapi import openapi
from runcard.serving.page import docs_page, page, swagger
from runcard.serving.predictor import Predictor
from runcard.serving.reading import Requests

# A body of so many bytes holds so many rows that other requests should not wait for them; and so long an answer.
LONG_BODY, LONG_S = 16 * 1024, 0.002
# Beside the requests, not one after the other: NumPy and ONNX Runtime let others run while they compute.
LONG_AT_ONCE = 2
# Of bodies of so many bytes one at a time: as values they take four times their length, and Python's lock.
HEAVY_BODY = 2**19
METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class App:
    """The service's addresses.

    Args:
        predictor: What answers.
        settings: Limits.
        meter: What has been counted.
        seconds: How long the answer to one row takes.
        token: Whether requests have to bring one.
    """

    def __init__(self, predictor: Predictor, settings: Serve, meter: Meter, seconds: float, *, token: bool) -> None:
        self._requests = Requests(predictor)
        self._timeout_s = settings.timeout_s
        self._meter = meter
        self._long_body = LONG_BODY if seconds < LONG_S else 0
        self._pool = ThreadPoolExecutor(LONG_AT_ONCE)
        self._heavy = asyncio.Lock()
        # Whole rows make good examples.
        rows = sorted(
            map(dict, predictor.bundle.examples), key=lambda row: sum(value is None for value in row.values())
        )
        described = Answer(encoded(openapi(predictor, rows, token=token)))
        self._fixed = {
            "/": page(predictor, rows),
            "/docs": docs_page(predictor),
            "/openapi.json": described,
            "/docs.json": described,  # where BentoML would have its own, which knows nothing of the fields
            "/model": Answer(encoded(about(predictor))),
        } | swagger()

    def routes(self) -> Mapping[str, Mapping[str, Route]]:
        """Path → method → what answers."""
        fixed = {path: {"GET": _always(answer)} for path, answer in self._fixed.items()}
        asked = {path: {"POST": self._computed(path, compute)} for path, compute in self._requests.routes().items()}
        return {**fixed, **asked, "/metrics": {"GET": self._metrics}}

    def _computed(self, path: str, compute: Callable[[Asked], Answer]) -> Route:
        """At once if it is short; else beside the other requests, and not for ever."""
        at_once = 0 if path in Requests.LONG else self._long_body

        async def route(asked: Asked) -> Answer:
            if len(asked.body) < at_once:
                return compute(asked)
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._beside(compute, asked)
            except TimeoutError:
                message = f"this took longer than {self._timeout_s:g} s; send fewer rows at once, or try again"
                raise RefusedError(503, message, headers=((b"retry-after", b"1"),)) from None

        return route

    async def _beside(self, compute: Callable[[Asked], Answer], asked: Asked) -> Answer:
        """Compute in a thread; what is heavy when no other such thread computes any more, also for nobody."""
        heavy = len(asked.body) > HEAVY_BODY
        if heavy:
            await self._heavy.acquire()
        computed = asyncio.get_running_loop().run_in_executor(self._pool, compute, asked)
        if heavy:
            computed.add_done_callback(lambda _: self._heavy.release())
        try:
            return await asyncio.shield(computed)
        finally:
            # A refusal holds this frame, and the future holds the refusal: a circle, with the body in it.
            del computed

    async def _metrics(self, asked: Asked) -> Answer:
        return Answer(await asyncio.to_thread(self._meter.text), kind=METRICS_TYPE)


def _always(answer: Answer) -> Route:
    async def route(asked: Asked) -> Answer:
        return answer

    return route
