"""The section ``serve``: how the model answers over HTTP, and whom. The service reads it from the bundle's card.

So it imports pydantic and nothing else that a service would have to wait for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runcard.card.sections.parts import Place, Positive, Section


class Serve(Section):
    """How the model answers over HTTP, and whom.

    What has a value here was not there when cards got this section: a file or a card of before needs not say it.
    """

    workers: Positive
    """Processes that answer, 1 or more; each takes a core when busy, and holds the model once."""
    threads: Positive
    """Processor threads of one answer, 1 or more; more than 1 pays for large models that few ask."""
    provider: Literal["cpu", "cuda"]
    """What computes: the processor, or an NVIDIA GPU with the package onnxruntime-gpu."""
    timeout_s: Annotated[float, Field(gt=0)]
    """Seconds a body may take to come (408), and an answer to be computed (503), above 0."""
    max_body_mb: Annotated[float, Field(gt=0)]
    """Longest body, MiB, above 0 (413); read, it takes several times as much memory."""
    max_rows: Positive
    """Most rows of one request, 1 or more (413)."""
    max_concurrency: Positive
    """Requests that a worker takes up at once, 1 or more; one more is sent away (429)."""
    max_connections: Positive = 1000
    """Connections that a worker keeps, 1 or more; for one more, the one that is idle for longest is closed."""
    max_per_address: Positive | None = None
    """Of these from one address, 1 or more; null: as many as there are, for behind a proxy all come from one."""
    token_file: Place | None
    """File that holds the token which requests have to bring, absolute or from ~; null: RUNCARD_TOKEN, if it is set."""
    open_to_all: bool
    """true: other machines are answered without a token too; false: without a token only this machine is."""
    public_key: Place | None
    """File of the key that the bundle has to be signed with, absolute or from ~; null: it need not be signed."""


# Of cards and bundles from before there was this section.
DEFAULTS: dict[str, Any] = {
    "workers": 1,
    "threads": 1,
    "provider": "cpu",
    "timeout_s": 30.0,
    "max_body_mb": 16.0,
    "max_rows": 100_000,
    "max_concurrency": 64,
    "max_connections": 1000,
    "max_per_address": None,
    "token_file": None,
    "open_to_all": False,
    "public_key": None,
}
