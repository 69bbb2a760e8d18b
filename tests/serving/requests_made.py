"""For Schemathesis: what no JSON Schema describes of the requests, so that it can make those too.

``RUNCARD_ROWS`` names a JSON file with rows that the service answers.
"""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import schemathesis
from hypothesis import strategies as st
from PIL import Image

ROWS: list[dict[str, Any]] = json.loads(Path(os.environ["RUNCARD_ROWS"]).read_text())
Rows = list[dict[str, Any]]


def table(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame({name: [row[name] for row in rows] for name in ROWS[0]})


def csv(rows: Rows) -> str:
    """A list as JSON: a CSV has none."""
    plain = [{name: json.dumps(at) if isinstance(at, list) else at for name, at in row.items()} for row in rows]
    return table(plain).write_csv()


def arrow(rows: Rows) -> bytes:
    buffer = io.BytesIO()
    table(rows).write_ipc_stream(buffer)
    return buffer.getvalue()


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), shade, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


some = st.lists(st.sampled_from(ROWS), min_size=1, max_size=len(ROWS))
schemathesis.openapi.media_type("application/vnd.apache.arrow.stream", some.map(arrow))
schemathesis.openapi.media_type("image/png", st.integers(0, 255).map(picture))


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """What may be sent is put right where the description cannot say what is: columns' lengths, and pictures."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, str) and case.media_type == "text/csv" and case.meta.phase.name.value != "examples":
        case.body = csv(ROWS[: 1 + len(case.body) % len(ROWS)])
    elif case.media_type == "application/json":
        body = with_pictures(case.body)
        if case.path == "/predict/batch":
            length = min(map(len, body.values()))
            body = {name: values[:length] for name, values in body.items()}
        case.body = body


def with_pictures(value: Any, name: str = "") -> Any:
    """Nested values with a picture in place of each text that stands for one."""
    if isinstance(value, dict):
        return {key: with_pictures(below, key) for key, below in value.items()}
    if isinstance(value, list):
        return [with_pictures(below, name) for below in value]
    return base64.b64encode(picture(0)).decode() if name == "image" and isinstance(value, str) else value
