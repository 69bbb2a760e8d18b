"""What stands before every route: who may ask, how much, how many at once, for how long; and that each is counted.

One piece and not a row of middlewares, for each of those costs a request as much as the model does: BentoML's own take
0.3 ms, and its timeout keeps everything that a request made alive for as long as the timeout is.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

from runcard.card.sections.serve import Serve
from runcard.serving.access import Access
from runcard.serving.bodies import Bodies
from runcard.serving.http import Answer, App, Asked, Header, Receive, RefusedError, Scope, Send
from runcard.serving.meter import Meter
from runcard.serving.wire.connections import CONNECTIONS, raise_file_limit

log = logging.getLogger("runcard.serving")

Route = Callable[[Asked], Awaitable[Answer]]
Routes = Mapping[str, Mapping[str, Route]]
# Probes of whoever runs the service: BentoML answers them, and anybody may ask.
HEALTH = frozenset({"/livez", "/healthz", "/readyz"})
REQUEST_ID = b"x-request-id"
# What a client may call its request: it is written into the log.
OWN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SAFE: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """An ASGI application around the routes.

    Args:
        inner: BentoML's application: it starts and ends the service, and answers probes.
    """

    def __init__(self, inner: App) -> None:
        self._inner = inner
        self._running = 0
        self._sending = 0

    def open(self, routes: Routes, settings: Serve, access: Access, meter: Meter) -> None:
        """Answer from now on; BentoML lets requests in only after it has started the service, which does this.

        Args:
            routes: Path → method → what answers.
            settings: Limits.
            access: Who may ask.
            meter: What counts.
        """
        self._routes = routes
        self._most = settings.max_concurrency
        self._bodies = Bodies(settings.max_body_mb, settings.timeout_s)
        most = raise_file_limit(settings.max_connections)
        CONNECTIONS.limit(most, settings.max_per_address, settings.timeout_s)
        self._access = access
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] in HEALTH):
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # a web socket: there are none
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        asked = Asked(scope["method"], scope["path"], dict(scope["headers"]))
        own = asked.headers.get(REQUEST_ID, b"")
        request_id = own if OWN_ID.fullmatch(own) else secrets.token_hex(16).encode()
        self._meter.begun()
        try:
            answer = await self._guarded(asked, scope, receive)
        except RefusedError as refused:
            answer = refused.answer()
        except Exception:
            log.exception("request %s: a fault of the service", request_id.decode())
            answer = RefusedError(500, "a fault of the service; its log says more").answer()
        finally:
            self._meter.ended()
        if answer is not None:
            await self._send(send, answer, request_id, head=asked.method == "HEAD")
            known = asked.path if asked.path in self._routes else "other"
            self._meter.count(known, answer.status, time.perf_counter() - started)

    async def _guarded(self, asked: Asked, scope: Scope, receive: Receive) -> Answer | None:
        """The answer; None: the client is gone."""
        self._access.check(asked.headers, scope.get("client"))
        route = self._route(asked)
        try:
            body = await self._bodies.read(asked, receive)
            if body is None:
                return None
            asked.body = body
            return await self._computed(route, asked)
        finally:
            self._bodies.release(asked)

    async def _computed(self, route: Route, asked: Asked) -> Answer:
        if self._running + self._sending >= self._most:
            CONNECTIONS.end_stalled()
            raise _too_many()
        self._running += 1
        try:
            return await route(asked)
        finally:
            self._running -= 1

    async def _send(self, send: Send, answer: Answer, request_id: bytes, *, head: bool) -> None:
        """Send an answer, and wait until it is taken; or another, if too much has been sent that nobody takes."""
        if not CONNECTIONS.make_room(len(answer.body)):
            answer = _too_many().answer()
        headers = [
            (b"content-type", answer.kind),
            (b"content-length", b"%d" % len(answer.body)),
            (REQUEST_ID, request_id),
            *SAFE,
            *answer.headers,
        ]
        self._sending += 1
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if head else answer.body})
        finally:
            self._sending -= 1

    def _route(self, asked: Asked) -> Route:
        methods = self._routes.get(asked.path)
        if methods is None:
            raise RefusedError(404, "there is no such address; /docs lists those that there are")
        route = methods.get("GET" if asked.method == "HEAD" else asked.method)
        if route is None:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            raise RefusedError(405, f"this address takes {allowed}", headers=((b"allow", allowed.encode()),))
        return route


def _too_many() -> RefusedError:
    return RefusedError(429, "too many requests at once; try again", headers=((b"retry-after", b"1"),))
