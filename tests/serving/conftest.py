"""Running services, one for each kind, for all tests that only ask them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcard.packaging.bundle import open_bundle
from runcard.packaging.manifest import digest_of
from runcard.serving import admission
from tests.conftest import Made
from tests.servers import BIN, ROOT, Service, bentoml_serve, free_port, starting, wait_until_ready

TOKEN = "a-token-of-32-letters-0123456789"
TIMEOUT_S = 2.0
MAX_ROWS, MAX_CONNECTIONS = 20_000, 150
# On SIGUSR1 a process writes down which modules it has loaded and from where.
WITNESS = """
import json, os, signal, sys
def write(*_):
    loaded = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    path = os.path.join(os.environ["WITNESS"], str(os.getpid()))
    with open(path + ".part", "w") as file:
        json.dump({"words": sys.orig_argv, "modules": loaded}, file)
    os.rename(path + ".part", path + ".json")
signal.signal(signal.SIGUSR1, write)
"""


class TriedHere:
    """Tries a bundle out in this process."""

    def __init__(self, path: Path, *, threads: int = 1, provider: str = "cpu", **_: object) -> None:
        self.path, self.threads, self.provider = path, threads, provider

    def wait(self) -> str:
        digest = digest_of(self.path)
        open_bundle(self.path, threads=self.threads, provider=self.provider, digest=digest)
        return digest

    def stop(self) -> None: ...


@pytest.fixture
def tried_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the process that a bundle is tried in: test_trial.py has it, and each service that is started."""
    monkeypatch.setattr(admission, "Trial", TriedHere)


@pytest.fixture(scope="session")
def witnessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of ``table_service`` write down what they have loaded; see ``WITNESS``."""
    folder = tmp_path_factory.mktemp("witnessed")
    (folder / "sitecustomize.py").write_text(WITNESS)
    return folder


@pytest.fixture(scope="session")
def table_service(table_made: Made, witnessed: Path) -> Iterator[Service]:
    """The table's bundle, served from the project's folder by ``bentofile.yaml``."""
    path = os.pathsep.join([str(witnessed), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    variables = {"PYTHONPATH": path, "WITNESS": str(witnessed), "RUNCARD_BUNDLE": table_made.bundle.tag}
    with bentoml_serve(ROOT, **variables) as service:
        yield service


@pytest.fixture(scope="session")
def token_service(table_made: Made) -> Iterator[Service]:
    """The same for who sends ``TOKEN``, within limits that a test can reach."""
    limits = json.dumps({"timeout_s": TIMEOUT_S, "max_connections": MAX_CONNECTIONS, "max_rows": MAX_ROWS})
    with bentoml_serve(
        ROOT, RUNCARD_BUNDLE=table_made.bundle.tag, RUNCARD_SERVE=limits, RUNCARD_TOKEN=TOKEN
    ) as service:
        yield service


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which ``digits_service`` is started: with modules of others, and what it has written to stdout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("jinja2", "select", "files", "onnxruntime"):
        (folder / f"{name}.py").write_text("raise SystemExit('not this one')")
    return folder


@pytest.fixture(scope="session")
def digits_service(digits_made: Made, elsewhere: Path) -> Iterator[Service]:
    """The images' bundle, served by ``runcard serve --json``."""
    port = free_port()
    words = [str(BIN / "runcard"), "serve", digits_made.bundle.tag, "--port", str(port), "--json"]
    with starting(["bash", "-c", 'exec "$@" >stdout', "bash", *words], elsewhere, port) as service:
        wait_until_ready(service)
        yield service
