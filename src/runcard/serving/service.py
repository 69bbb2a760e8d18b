"""The BentoML service: ``bentoml serve`` in the project's folder, ``runcard serve`` anywhere, or inside a Bento.

One service and no other behind it: BentoML unpickles what services send each other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# First of all, for it says that BentoML reports nothing.
from runcard.packaging import store  # isort: skip

import bentoml
import yaml
from bentoml.exceptions import BentoMLException

from runcard.errors import BundleError
from runcard.packaging.bundle import open_bundle, verify
from runcard.serving.app import make_app, ready
from runcard.serving.predictor import Predictor

TIMEOUT_S = 30


def _chosen() -> str:
    """The tag of the bundle to serve; whole, or the service does not start.

    Raises:
        BentoMLException: If there is none, or it is damaged; BentoML then says so in one line and ends.
    """
    try:
        tag, path = store.find(_packed() or os.environ.get(store.BUNDLE) or None)
        verify(path)
    except BundleError as error:
        raise BentoMLException(str(error)) from None
    os.environ[store.BUNDLE] = tag
    return tag


def _packed() -> str | None:
    """Inside a Bento, where this file is three folders below its description: the tag of the bundle packed in it."""
    description = Path(__file__).parents[3] / "bento.yaml"
    if not description.is_file():
        return None
    content: dict[str, Any] = yaml.safe_load(description.read_text(encoding="utf-8"))
    return str(content["services"][0]["models"][0]["tag"])


app = make_app()


# Not the package's name: BentoML would take `runcard:latest` for the installed module and leave the Bento's code aside.
@bentoml.service(name="runcard-service", traffic={"timeout": TIMEOUT_S})
@bentoml.asgi_app(app, path="/")
class Service:
    """Answers rows with the bundle."""

    # At class scope, so that a Bento takes the bundle in.
    bundle = bentoml.models.BentoModel(_chosen())

    def __init__(self) -> None:
        tag, path = store.find(os.environ[store.BUNDLE])
        ready(app, Predictor(open_bundle(path), tag))
