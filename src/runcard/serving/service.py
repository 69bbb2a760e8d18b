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
from bentoml.exceptions import BentoMLException

from runcard.errors import BundleError
from runcard.packaging.bundle import open_bundle, verify
from runcard.serving.app import make_app, ready
from runcard.serving.predictor import Predictor

TIMEOUT_S = 30


def _chosen() -> str:
    """The tag of the bundle that is asked for, else of the newest; whole, or the service does not start.

    Raises:
        BentoMLException: If there is none, or it is damaged; BentoML then says so in one line and ends.
    """
    try:
        tag, path = store.find(os.environ.get(store.BUNDLE))
        verify(path)
    except BundleError as error:
        raise BentoMLException(str(error)) from None
    os.environ[store.BUNDLE] = tag
    return tag


app = make_app()


@bentoml.service(name="runcard", traffic={"timeout": TIMEOUT_S})
@bentoml.asgi_app(app, path="/")
class Service:
    """Answers rows with the bundle."""

    # At class scope, so that a Bento takes the bundle in.
    bundle = bentoml.models.BentoModel(_chosen())

    def __init__(self) -> None:
        tag, path = self._stored()
        ready(app, Predictor(open_bundle(path), tag))

    def _stored(self) -> tuple[str, Path]:
        """The bundle that the Bento was built with; outside of a Bento, the one chosen at start."""
        decorated: Any = Service  # by now BentoML's object, which knows its Bento
        bento = decorated.bento
        built_with = bento.info.all_models if bento is not None else []
        return store.find(str(built_with[0].tag) if built_with else os.environ[store.BUNDLE])
