"""A bundle proved where it will work: the real service is started with it, asked over HTTP, and ended."""

from __future__ import annotations

import http.client
import json
import logging
import math
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from runcard.advice import advise
from runcard.errors import BundleError, ParityError
from runcard.interrupts import started_here
from runcard.packaging.bundle import TOLERANCE, Bundle
from runcard.packaging.parity import Compared, differs

log = logging.getLogger("runcard")

HOST = "127.0.0.1"
# ``runcard serve``, which ends with this process, whatever ends it.
SERVE = (
    "import signal, runcard.interrupts, runcard.__main__\n"
    "runcard.interrupts.end_with_parent(signal.SIGTERM)\n"
    "runcard.__main__.main()"
)
TOKEN, SETTINGS = "RUNCARD_TOKEN", "RUNCARD_SERVE"
# Who may ask and how much is not in question here, but what is answered; the bundle may not be signed yet.
OPEN = {"token_file": None, "public_key": None, "workers": 1, "max_rows": 1000, "max_body_mb": 16.0, "timeout_s": 60.0}
READY_S, ANSWER_S, END_S = 120.0, 60.0, 60.0
LOOK_EVERY_S = 0.05
# In one request; the service takes longer ones too.
MAX_ROWS, MAX_BYTES = 256, 1 << 18
LOG_LINES = 15


def prove(folder: Path, tag: str, bundle: Bundle, compared: Compared) -> float:
    """Have the service answer rows one by one and in arrays, and compare with the run.

    Args:
        folder: The sealed bundle, which need not lie in BentoML's model store yet.
        tag: The one that it will have there.
        bundle: The same, as it was compared.
        compared: The rows, and how the run answered them.

    Returns:
        The largest difference, in the unit of ``TOLERANCE``.

    Raises:
        BundleError: If the service does not start or end as it should, or no port can be opened.
        ParityError: If it answers otherwise than the run did.
    """
    log.info("starting the service, to compare what it answers over HTTP")
    try:
        with _serving(folder, tag) as service:
            apart = _asked(service, tag, bundle, compared)
    except OSError as error:
        raise BundleError(
            f"the service cannot be tried out: {error.strerror or error}. "
            f"Nothing was packaged; with {advise('--no-http')} it is not tried out."
        ) from error
    return apart


class _Service:
    """The process, and one connection to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, token: str, written: Path) -> None:
        self.process, self.port, self._written = process, port, written
        self.connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def wait_until_ready(self) -> None:
        """Wait until it can answer.

        Raises:
            BundleError: If it ends instead, or takes too long.
        """
        until = time.monotonic() + READY_S
        while True:
            with suppress(OSError, http.client.HTTPException):
                if self._said("GET", "/readyz")[0] == http.client.OK:
                    return
            if self.process.poll() is not None:
                raise BundleError(self.failed(f"the service does not start; it ended with {self.process.returncode}"))
            if time.monotonic() > until:
                raise BundleError(self.failed(f"the service is not ready after {READY_S:g} s"))
            time.sleep(LOOK_EVERY_S)

    def predict(self, body: str) -> Any:
        """What it answers to a body.

        Raises:
            BundleError: If it does not answer.
            ParityError: If it refuses the body.
        """
        try:
            status, content = self._said("POST", "/predict", body.encode())
        except (OSError, http.client.HTTPException) as error:
            raise BundleError(self.failed(f"the service does not answer: {error!r}")) from error
        if status != http.client.OK:
            said = f"{status}: {content[:300].decode(errors='replace')}"
            raise ParityError(self.failed(f"the service refuses a row that the run answered, with {said}"))
        return json.loads(content)

    def failed(self, what: str) -> str:
        """A text that ends with the last lines of the log."""
        lines = self._written.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n  ".join([f"{what}. Nothing was packaged. Its log ends so:", *lines])

    def end(self) -> None:
        """End it as an operator would.

        Raises:
            BundleError: If it does not end well.
        """
        self.stop()
        if self.process.returncode != 0:
            raise BundleError(self.failed(f"the service ends with {self.process.returncode} after SIGTERM"))

    def stop(self) -> None:
        """End it in any case; asked first, for a server that is killed leaves its worker behind."""
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _said(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        try:
            self.connection.request(method, path, body, self._headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except BaseException:
            self.connection.close()  # the next request begins a new one
            raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serving(folder: Path, tag: str) -> Iterator[_Service]:
    """The service, ready, with the one bundle in a store of its own; ended however this goes."""
    with tempfile.TemporaryDirectory(prefix="runcard-proof-", ignore_cleanup_errors=True) as home:
        name, _, version = tag.partition(":")
        place = Path(home, "models", name, version)
        place.parent.mkdir(parents=True)
        place.symlink_to(folder)
        port, token, written = _free_port(), secrets.token_urlsafe(32), Path(home, "service.log")
        own = {"BENTOML_HOME": home, "PROMETHEUS_MULTIPROC_DIR": str(Path(home, "prometheus")), TOKEN: token}
        own |= {SETTINGS: json.dumps(OPEN)}
        words = [sys.executable, "-c", SERVE, "serve", tag, "--host", HOST, "--port", str(port)]
        with written.open("wb") as file:
            process = subprocess.Popen(
                words,
                env={**os.environ, **own, **started_here(), "PYTHONSAFEPATH": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # a Ctrl-C at the terminal reaches this process alone
            )
        service = _Service(process, port, token, written)
        try:
            service.wait_until_ready()
            yield service
            service.end()
        finally:
            service.stop()


def _asked(service: _Service, tag: str, bundle: Bundle, compared: Compared) -> float:
    """The largest difference over all requests.

    Raises:
        ParityError: If it is too large.
    """
    texts = [json.dumps(row) for row in compared.rows]
    one_by_one = [service.predict(text) for text in texts]
    in_arrays = [answer for some in _arrays(texts) for answer in service.predict(f"[{', '.join(some)}]")]
    largest = 0.0
    for how, answers in (("one by one", one_by_one), ("in arrays", in_arrays)):
        apart = _deviation(answers, tag, bundle, compared)
        if apart > TOLERANCE:
            what = f"the service, asked {how}, would not answer as the run did: {differs(apart)}"
            raise ParityError(service.failed(what))
        largest = max(largest, apart)
    return largest


def _arrays(texts: Sequence[str]) -> Iterator[list[str]]:
    """Rows, as many as go into one request."""
    some: list[str] = []
    for text in texts:
        if some and (len(some) == MAX_ROWS or sum(map(len, some)) + len(text) > MAX_BYTES):
            yield some
            some = []
        some.append(text)
    yield some


def _deviation(answers: list[Any], tag: str, bundle: Bundle, compared: Compared) -> float:
    """As ``Bundle.deviation``; infinite too if another bundle answered, or with a class that is not the likeliest."""
    classes = bundle.signature.target.classes
    try:
        if classes:
            given = np.array([[answer["probabilities"][name] for name in classes] for answer in answers])
            expected = [classes[place] for place in compared.answers.argmax(axis=1)]
            sound = [answer["class"] for answer in answers] == expected
        else:
            given, sound = np.array([answer["value"] for answer in answers]), len(answers) == len(compared.answers)
        sound = sound and {answer["model_version"] for answer in answers} == {tag}
        return bundle.deviation(given.astype(np.float64), compared.answers) if sound else math.inf
    except (KeyError, TypeError, ValueError):  # what is no answer at all
        return math.inf
