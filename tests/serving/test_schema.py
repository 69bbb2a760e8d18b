"""The description of the service, held against the service: what may be sent is answered, as it says, and nothing else.

Schemathesis makes requests from the description, those that it allows and those that it does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import schemathesis
from schemathesis.config import SchemathesisWarning

from runcard.packaging.bundle import open_bundle
from runcard.serving.openapi import openapi
from runcard.serving.predictor import Predictor
from tests.conftest import HANG_S, Made
from tests.servers import ROOT, bentoml_serve
from tests.serving.conftest import TOKEN

MAX_ROWS = 20

SETTINGS = f"""
hooks = "tests.serving.requests_made"
[generation]
deterministic = true
[checks.negative_data_rejection]
expected-statuses = [400, 401, 405, 413, 415]
[warnings]
display = {[warning.value for warning in SchemathesisWarning]}
fail-on = true
"""
OPERATIONS = {"POST /predict", "POST /predict/batch", "POST /explain", "GET /model", "GET /", "GET /docs"}
OPERATIONS |= {"GET /openapi.json", "GET /metrics", "GET /livez", "GET /readyz", "GET /healthz"}
SENDS_IT = f"""
[auth.openapi]
bearer = {{ bearer = "{TOKEN}" }}
"""


@pytest.fixture(params=["table with a token", "table", "digits"])
def address(request: pytest.FixtureRequest, away: Path) -> Iterator[str]:
    """The address of a service, and beside this test what Schemathesis needs to ask it."""
    name, _, token = request.param.partition(" with a ")
    made: Made = request.getfixturevalue(f"{name}_made")
    rows = [dict(row) for row in open_bundle(made.bundle.path).rows]
    (away / "rows.json").write_text(json.dumps([*rows[: MAX_ROWS // 2], *rows[-MAX_ROWS // 2 :]]))  # the last have gaps
    (away / "schemathesis.toml").write_text(SETTINGS + (SENDS_IT if token else ""))
    with contextlib.ExitStack() as ended:
        variables = {"RUNCARD_SERVE": json.dumps({"max_rows": MAX_ROWS})} | ({"RUNCARD_TOKEN": TOKEN} if token else {})
        running = ended.enter_context(bentoml_serve(ROOT, RUNCARD_BUNDLE=made.bundle.tag, **variables))
        asked = urllib.request.Request(f"{running.url}/openapi.json", headers={"authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked, timeout=HANG_S) as answer:
            (away / "openapi.json").write_bytes(answer.read())
        yield running.url
        assert "Traceback" not in running.log.read_text()


def held(url: str, *words: str) -> None:
    """Hold a description against its service."""
    environment = {**os.environ, "RUNCARD_ROWS": "rows.json", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-W", "error", "-m", "schemathesis.cli", "run", "openapi.json", "--url", url, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10 * HANG_S)
    assert (done.returncode, "No issues found" in done.stdout) == (0, True), done.stdout[-5000:] + done.stderr


@pytest.mark.slow
def test_the_service_does_what_it_says(address: str) -> None:
    held(address, "--max-examples", "50")


@pytest.mark.parametrize("name", ["table", "digits"])
def test_the_description_is_one_of_openapi_and_whole(name: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(f"{name}_made")
    predictor = Predictor(open_bundle(made.bundle.path), made.bundle.tag)
    said = openapi(predictor, [dict(row) for row in predictor.bundle.rows[:2]])
    schemathesis.openapi.from_dict(said).validate()
    for part in said["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(part)
    found = {f"{method.upper()} {path}": part for path, each in said["paths"].items() for method, part in each.items()}
    assert set(found) == OPERATIONS
    for operation, part in found.items():
        health = "security" in part
        assert health == operation.endswith("z"), operation
        assert ("401" in part["responses"]) != health, operation
        assert {"200"} < set(part["responses"]) or health, operation
    uploads = {"image/png", "multipart/form-data"} if name == "digits" else set()
    assert set(found["POST /predict"]["requestBody"]["content"]) == {"application/json", *uploads}
    tables = {"application/json", "text/csv", "application/vnd.apache.arrow.stream"}
    assert set(found["POST /predict/batch"]["requestBody"]["content"]) == tables
    assert (said["security"], openapi(predictor, [{}, {}], token=False)["security"]) == (
        [{"bearer": []}, {"basic": []}],
        [],
    )
