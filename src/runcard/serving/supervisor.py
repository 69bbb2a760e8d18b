"""BentoML's supervisor, made to end also when it is asked to while it starts a worker."""

from __future__ import annotations

import sys
from typing import Any

# Seconds between two tries to end; starting a worker takes some ten milliseconds.
AGAIN_S = 0.02


def end_whenever_asked() -> None:
    """Let SIGTERM and Ctrl-C wait until a worker is started, instead of being lost.

    BentoML's supervisor, circus, does one thing at a time. What asks for another meanwhile is answered with a
    ``ConflictError``; for a signal nobody reads the answer and asks again (circus's ``Controller.dispatch``). Where a
    server is stopped in the moment in which it starts or replaces a worker, it would go on.

    To be called while BentoML's command looks for its service. Workers, which have no supervisor, do not import it.
    """
    if "bentoml_cli" in sys.modules:
        from circus.sighandler import SysHandler  # type: ignore[import-untyped]

        SysHandler.quit = _quit


def _quit(handler: Any) -> None:
    from circus.exc import ConflictError  # type: ignore[import-untyped]

    loop, arbiter = handler.controller.loop, handler.controller.arbiter

    def end() -> None:
        try:
            loop.add_future(arbiter.stop(), lambda stopped: stopped.result())  # so that what goes wrong is logged
        except ConflictError:
            loop.call_later(AGAIN_S, end)

    loop.asyncio_loop.call_soon_threadsafe(end)
