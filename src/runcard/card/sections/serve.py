"""The section ``serve``: how the model answers over HTTP, and whom.

A card may say all of it. Of a bundle's card holds what lowers a limit, and ``provider``; all else holds only where
whoever starts the service chooses it (``runcard.serving.settings``), who may choose no more than ``MOST``. The service
reads it, so it imports pydantic and nothing else that a service would have to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from runcard.card.sections.parts import Place, Positive, Section
from runcard.card.spelling import nearest
from runcard.card.wording import expected, must_be

Examples = Literal["made", "real"]


class Serve(Section):
    """How the model answers over HTTP, and whom.

    What has a value here was not there when cards got this section: a file or a card of before needs not say it.
    """

    workers: Positive
    """Processes that answer, 1 to 256; each takes a core when busy, and holds the model once. Set at start."""
    threads: Positive
    """Processor threads of one answer, 1 to 256; more than 1 pays for large models that few ask. Set at start."""
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
    """File of the token that requests bring, absolute or from ~; null: RUNCARD_TOKEN, if set. Set at start."""
    open_to_all: bool
    """true: other machines are answered without a token too; false: then only this machine. Set at start."""
    public_key: Place | None
    """File of the key that the bundle has to be signed with, absolute or from ~; null: any bundle. Set at start."""
    examples: Examples = "made"
    """What page, description and bundle show: made rows, or real ones of the data. Settled when it is packaged."""


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
# Paths of the machine that serves.
FILES = ("token_file", "public_key")
# What a bundle's card may lower.
LIMITS = ("timeout_s", "max_body_mb", "max_rows", "max_concurrency", "max_connections", "max_per_address")
# The most that can be chosen: far above what a machine has use for, and below what one dies of.
MOST: Mapping[str, float] = {
    "workers": 256,
    "threads": 256,
    "timeout_s": 3600.0,
    "max_body_mb": 4096.0,
    "max_rows": 100_000_000,
    "max_concurrency": 10_000,
    "max_connections": 100_000,
    "max_per_address": 100_000,
}


class ChosenServe(Serve):
    """Settings that somebody has chosen, some or all."""

    @field_validator(*MOST)
    @classmethod
    def _check_most(cls, value: float | None, info: ValidationInfo) -> float | None:
        most = MOST[str(info.field_name)]
        if value is not None and value > most:
            raise PydanticCustomError("less_than_equal", "at most {le}", {"le": f"{most:g}"})
        return value


def find_wrong(chosen: Mapping[str, Any]) -> list[str]:
    """Find settings that cannot be chosen: unknown, of a wrong value, or above the most. One sentence each."""
    if not chosen:
        return []
    if "examples" in chosen:
        return ["serve.examples: is settled when a bundle is made, by the card of its run or by who packages it"]
    try:
        ChosenServe.model_validate({**DEFAULTS, **chosen})
    except ValidationError as error:
        return [_sentence(detail) for detail in error.errors(include_url=False)]
    return []


def _sentence(detail: ErrorDetails) -> str:
    key = f"serve.{'.'.join(map(str, detail['loc']))}"
    if detail["type"] != "extra_forbidden":
        return f"{key}: {must_be(expected(detail), detail['input'])}"
    near = nearest(str(detail["loc"][-1]), DEFAULTS)
    return f"{key}: there is no such key" + (f"; did you mean serve.{near[0]}?" if near else "")
