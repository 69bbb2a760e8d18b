"""The BentoML service: ``runcard serve``, ``bentoml serve runcard.serving.service:Service``, or inside a Bento.

One service and no other behind it: BentoML unpickles what services send each other.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

# For the workers that are started after this: what long bodies took goes back when they are answered.
os.environ.setdefault("MALLOC_ARENA_MAX", "2")
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**20))

import bentoml
import yaml
from _bentoml_sdk import Service as BentomlService
from bentoml.exceptions import BentoMLException

from runcard.errors import CardError
from runcard.packaging import store
from runcard.packaging.bundle import Bundle, open_bundle
from runcard.serving.access import Access, Token
from runcard.serving.admission import Admitted, admit, handed_on
from runcard.serving.guard import Guard
from runcard.serving.http import App as AsgiApp
from runcard.serving.idle import say_idle
from runcard.serving.settings import choose
from runcard.serving.supervisor import end_with_supervisor, is_supervisor, say_ready, supervise

# Not the package's: BentoML would take `runcard:latest` for the installed module and leave the Bento's code aside. With
# no dash: BENTOML_CONFIG_OPTIONS could not name it, and BentoML would die of it. bentofile.yaml names Bentos otherwise.
NAME = "runcard_service"
# Seconds after which a long request lets a short one in; Python's own 0.005, a few times for each, would be felt.
SWITCH_S = 0.0005


def _admitted() -> Admitted:
    """What to serve and how; whole, or the service does not start.

    Raises:
        BentoMLException: If there is none, or it cannot be served; BentoML then says so in one line and ends.
    """
    before = handed_on()
    if before is not None:
        return before
    try:
        admitted = admit(_packed() or os.environ.get(store.BUNDLE) or None, choose())
    except CardError as error:
        raise BentoMLException(str(error)) from None
    for sentence in admitted.warnings:
        sys.stderr.write(f"warning: {sentence}\n")
    os.environ.update(admitted.hand_on())
    return admitted


def _packed() -> str | None:
    """Inside a Bento, where this file is three folders below its description: the tag of the bundle packed in it."""
    description = Path(__file__).parents[3] / "bento.yaml"
    if not description.is_file():
        return None
    content: dict[str, Any] = yaml.safe_load(description.read_text(encoding="utf-8"))
    return str(content["services"][0]["models"][0]["tag"])


def _open(admitted: Admitted) -> Bundle:
    """The bundle, loaded; a worker that cannot says why in one line and ends, and after a few the service does."""
    try:
        serve = admitted.serve
        return open_bundle(admitted.path, threads=serve.threads, provider=serve.provider, digest=admitted.digest)
    except CardError as error:
        sys.stderr.write(f"runcard: {error}\n")
        os._exit(error.exit_code)


class Guarded(BentomlService):  # type: ignore[misc]  # BentoML says no types there
    """A service whose own addresses are answered before a request has gone through BentoML's middlewares."""

    guard: Guard

    def to_asgi(self, is_main: bool = True) -> AsgiApp:
        """BentoML's application within the guard."""
        from runcard.serving.wire.protocol import install

        install()
        Guarded.guard = Guard(super().to_asgi(is_main=is_main))
        return Guarded.guard


end_with_supervisor()
if is_supervisor():
    for sentence in say_idle(NAME):
        sys.stderr.write(f"warning: {sentence}\n")
ADMITTED = _admitted()
SETTINGS = ADMITTED.serve
supervise()


@bentoml.service(
    name=NAME,
    service_class=Guarded,
    workers=SETTINGS.workers,
    metrics={"enabled": False},  # counted by the guard, under the same names
    logging={"access": {"enabled": False}},
)
class Service:
    """Answers rows with the bundle."""

    # At class scope, so that a Bento takes the bundle in.
    bundle = bentoml.models.BentoModel(ADMITTED.tag)

    def __init__(self) -> None:
        # Only here: the process that watches over those that answer needs none of it.
        from runcard.serving.app import App
        from runcard.serving.meter import Meter
        from runcard.serving.predictor import Predictor
        from runcard.serving.warm import warm

        bundle = _open(ADMITTED)
        predictor = Predictor(bundle, ADMITTED.tag, SETTINGS.max_rows)
        meter = Meter(NAME, ADMITTED.tag)
        token = Token(SETTINGS.token_file)
        app = App(predictor, SETTINGS, meter, warm(predictor), token=token.is_asked_for)
        Guarded.guard.open(app.routes(), SETTINGS, Access(token, open_to_all=SETTINGS.open_to_all), meter)
        say_ready()
        sys.setswitchinterval(SWITCH_S)
        # All that is there now stays: a look for garbage need not walk it.
        gc.collect()
        gc.freeze()
