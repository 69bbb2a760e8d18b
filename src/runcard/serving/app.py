"""The routes of the service: answers, the page, the description."""

from __future__ import annotations

import logging
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from runcard.serving.openapi import openapi
from runcard.serving.page import docs_page, page
from runcard.serving.predictor import Predictor
from runcard.serving.rows import RowsError

log = logging.getLogger("runcard.serving")

# A body of so many bytes holds so many rows that other requests should not wait for them.
LONG_BODY = 16 * 1024
# A longer one is refused: read, it takes many times its length in memory.
MAX_BODY = 16 << 20


def make_app() -> Starlette:
    """The application; it answers once ``ready`` has given it a predictor."""
    routes = [
        Route("/", _page),
        Route("/predict", _predict, methods=["POST"]),
        Route("/docs", _docs),
        Route("/openapi.json", _openapi),
        Route("/docs.json", _openapi),  # where BentoML would have its own, which knows nothing of the fields
    ]
    return Starlette(routes=routes)


def ready(app: Starlette, predictor: Predictor) -> None:
    """Give the application what answers, and make its pages, which are the same for everybody."""
    # Whole rows make good examples.
    rows = sorted(map(dict, predictor.bundle.rows), key=lambda row: sum(value is None for value in row.values()))
    app.state.predictor = predictor
    app.state.openapi = openapi(predictor, rows)
    app.state.page = page(predictor, rows)
    app.state.docs = docs_page(predictor)


async def _predict(request: Request) -> Response:
    predictor: Predictor = request.app.state.predictor
    try:
        body = await _body(request)
        if len(body) < LONG_BODY:
            return _answered(predictor, body)
        return await run_in_threadpool(_answered, predictor, body)
    except RowsError as error:
        return _refused(400, error.message, error.mistakes)
    except BodyError as error:
        return _refused(413, str(error), [])
    except ClientDisconnect:
        return Response(status_code=400)  # nobody listens any more
    except Exception:
        # Nothing of ours goes out, and BentoML would leave the client waiting for its timeout.
        log.exception("a fault in answering a request")
        return _refused(500, "a fault of the service; its log says more", [])


class BodyError(Exception):
    """A body that is too long."""


async def _body(request: Request) -> bytes:
    """The whole body.

    Raises:
        BodyError: If it is too long.
    """
    body, length = bytearray(), 0
    async for part in request.stream():
        length += len(part)
        if length <= MAX_BODY:
            body += part
        elif length > 2 * MAX_BODY:
            break
    # What is a little too long is read to its end: who is answered while he sends hears of a broken connection only.
    if length > MAX_BODY:
        raise BodyError(f"the body is longer than {MAX_BODY >> 20} MiB; send fewer rows at once")
    return bytes(body)


def _answered(predictor: Predictor, body: bytes) -> Response:
    return JSONResponse(predictor.predict(body))


async def _page(request: Request) -> Response:
    return HTMLResponse(request.app.state.page)


async def _docs(request: Request) -> Response:
    return HTMLResponse(request.app.state.docs)


async def _openapi(request: Request) -> Response:
    return JSONResponse(request.app.state.openapi)


def _refused(status: int, message: str, mistakes: list[dict[str, Any]]) -> Response:
    return JSONResponse({"error": message, "mistakes": mistakes}, status_code=status)
