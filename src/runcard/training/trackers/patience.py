"""How long a tracker may take, whoever asks it: no training waits for one that is out of reach."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

# MLflow would try for many minutes. What the user has set stays.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Bound how long a tracker waits; what Lightning's loggers leave behind in the environment goes too."""
    before = {name: os.environ.get(name) for name in (*PATIENCE, "WANDB_MODE")}
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in before:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})
