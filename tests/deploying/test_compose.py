"""The file for Docker Compose: right in form, as shut as the one for a cluster, and its health check works."""

from __future__ import annotations

import http.server
import json
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from bentoml._internal.container.generate import BENTO_UID_GID

from runcard.deploying.deploy import deploy
from tests.deploying.cluster import read

IMAGE = "team/digits:1"
# Of the Compose Specification, as far as it is used: key → what it may hold.
SERVICE: dict[str, type | tuple[type, ...]] = {
    "image": str,
    "restart": str,
    "ports": list,
    "environment": dict,
    "secrets": list,
    "user": str,
    "read_only": bool,
    "tmpfs": list,
    "cap_drop": list,
    "security_opt": list,
    "healthcheck": dict,
    "stop_grace_period": str,
    "deploy": dict,
    "logging": dict,
}
HEALTH = {"test", "interval", "timeout", "retries", "start_period"}


@pytest.fixture
def made(away: Path, no_bundle: None) -> Path:
    return deploy("compose", None, IMAGE, None, str(away / "here"), 2).path


@pytest.fixture
def service(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = read(made / "compose.yaml")["services"]["model"]
    return found


def test_keys_are_those_of_the_specification(made: Path, service: dict[str, Any]) -> None:
    whole = read(made / "compose.yaml")
    assert whole.keys() == {"name", "services", "secrets"}
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", whole["name"])
    assert all(isinstance(value, SERVICE[key]) for key, value in service.items())
    assert service["healthcheck"].keys() == HEALTH
    assert service["deploy"]["resources"]["limits"] == {"cpus": "2", "memory": "1300M", "pids": 320}
    assert all(isinstance(value, str) for value in service["environment"].values())
    assert all(isinstance(value, str) for value in service["logging"]["options"].values())


def test_it_is_shut(service: dict[str, Any]) -> None:
    assert service["user"] == f"{BENTO_UID_GID}:{BENTO_UID_GID}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [port.rpartition(":")[0] for port in service["ports"]] == ["127.0.0.1:3000"]
    assert Path(service["environment"]["BENTOML_HOME"]).is_relative_to(service["tmpfs"][0].partition(":")[0])


def test_the_token_reaches_the_service_and_nobody_else(made: Path, service: dict[str, Any]) -> None:
    (name,) = service["secrets"]
    said = json.loads(service["environment"]["RUNCARD_SERVE"])
    assert said["token_file"] == f"/run/secrets/{name}"
    file = made / read(made / "compose.yaml")["secrets"][name]["file"]
    assert len(file.read_text().strip()) >= 32
    # The container sees the file alone, and another user must be able to read it; here its folder is in the way.
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    subprocess.run(["git", "init", "--quiet", made], check=True)
    seen = subprocess.run(["git", "-C", made, "add", "--all", "--dry-run"], capture_output=True, text=True, check=True)
    assert "compose.yaml" in seen.stdout
    assert "secret" not in seen.stdout


def test_there_is_time_to_answer_what_was_asked(service: dict[str, Any]) -> None:
    timeout_s = json.loads(service["environment"]["RUNCARD_SERVE"])["timeout_s"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= timeout_s + 5


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells(service: dict[str, Any], status: int, healthy: bool) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    _, python, *words = service["healthcheck"]["test"]
    assert python == "python"
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        words[-1] = words[-1].replace(":3000/", f":{server.server_port}/")
        done = subprocess.run([sys.executable, *words], capture_output=True, timeout=60)
        thread.join(60)
    assert (done.returncode == 0) is healthy


def test_the_page_names_what_is_there(made: Path) -> None:
    page = (made / "README.md").read_text()
    assert "$" not in page.replace("$(cat", "")
    assert {"compose.yaml", "secret/token.txt"} <= set(re.findall(r"`([\w./]+)`", page))
    assert f"--image-tag {IMAGE}" in page
    assert (made / "compose.yaml").read_text().startswith("# ")
