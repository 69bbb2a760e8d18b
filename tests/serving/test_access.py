"""Who is answered: with a token whoever sends it, without one this machine only."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from runcard.errors import BundleError
from runcard.serving.access import Access, Token, read_token
from runcard.serving.http import RefusedError
from tests.conftest import HANG_S, Command, Made
from tests.servers import BIN, ROOT, Service, free_port, starting, wait_until_ready
from tests.serving.conftest import TOKEN
from tests.serving.hostile import GOOD

ROUTES = ["/", "/docs", "/openapi.json", "/docs.json", "/model", "/metrics", "/predict", "/predict/batch", "/explain"]
ROUTES += ["/static_content/swagger-ui.css", "/nowhere", "/livez/x", "//livez", "/schema.json", "/predict?token=x"]
HERE = ("127.0.0.1", 1)
AWAY = ("203.0.113.7", 1)


def status(url: str, header: str | None = None, body: bytes | None = None) -> int:
    headers = {"content-type": "application/json"} | ({"authorization": header} if header else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=HANG_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_but_health_asks_for_the_token(path: str, token_service: Service) -> None:
    for header in (None, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Token {TOKEN}", "Basic !!"):
        assert status(token_service.url + path, header) == 401, header
        assert status(token_service.url + path, header, b"{}") == 401, header


def test_who_sends_it_is_answered(token_service: Service) -> None:
    basic = "Basic " + base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    for header in (f"Bearer {TOKEN}", f"bearer {TOKEN}", basic):
        assert status(token_service.url + "/", header) == 200
        assert status(token_service.url + "/predict", header, json.dumps(GOOD).encode()) == 200
    assert status(token_service.url + "/nowhere", basic) == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health_is_for_everybody(path: str, token_service: Service) -> None:
    assert status(token_service.url + path) == 200


def test_a_browser_is_told_to_ask_for_it(token_service: Service) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(token_service.url + "/", timeout=HANG_S)
    with caught.value as answer:
        assert 'Basic realm="runcard"' in str(answer.headers)


def refused(access: Access, headers: dict[bytes, bytes], client: tuple[str, int] | None) -> bool:
    try:
        access.check(headers, client)
    except RefusedError as error:
        return error.status == 401
    return False


@pytest.mark.parametrize(
    ("host", "client", "answered"),
    [
        (b"localhost:3000", HERE, True),
        (b"127.0.0.1:3000", HERE, True),
        (b"[::1]:3000", ("::1", 1), True),
        (b"192.0.2.1", HERE, True),
        (b"", HERE, True),
        (b"localhost", None, True),
        (b"localhost", ("", 0), True),
        (b"evil.example", HERE, False),
        (b"localhost.evil.example", HERE, False),
        (b"localhost", AWAY, False),
        (b"localhost", ("nonsense", 0), False),
    ],
)
def test_without_a_token_this_machine_is_answered(host: bytes, client: tuple[str, int], answered: bool) -> None:
    assert refused(Access(Token(None, {})), {b"host": host}, client) is not answered
    assert not refused(Access(Token(None, {}), open_to_all=True), {b"host": host}, client)


@pytest.mark.parametrize("text", ["short", "with a space in it ....", "ümläute-are-not-to-be-sent", ""])
def test_a_token_that_will_not_do(text: str, away: Path) -> None:
    (away / "token").write_text(text)
    for place, environment in ((str(away / "token"), {}), (None, {"RUNCARD_TOKEN": text})):
        with pytest.raises(BundleError, match="token"):
            read_token(place, environment)


def test_a_file_wins_and_its_line_end_is_no_part(away: Path) -> None:
    (away / "token").write_text(TOKEN + "\n")
    assert read_token(str(away / "token"), {"RUNCARD_TOKEN": "another-one-0123456789"}) == TOKEN
    assert read_token(None, {}) is None
    with pytest.raises(BundleError, match="No such file"):
        read_token(str(away / "nowhere"), {})


def test_a_token_changes_with_its_file(
    away: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    monkeypatch.setattr("runcard.serving.access.time.monotonic", lambda: now[0])
    file, other = away / "token", TOKEN[::-1]
    file.write_text(TOKEN)
    token = Token(str(file), {})
    steps: list[tuple[Callable[[], object], str]] = [
        (lambda: (away / "new").write_text(other), TOKEN),
        (lambda: (away / "new").replace(file), other),  # as Kubernetes does it
        (lambda: file.write_text("short"), other),
        (lambda: file.unlink(), other),
        (lambda: file.write_text(f"{TOKEN}\n"), TOKEN),
    ]
    for change, holds in steps:
        change()
        now[0] += 1.1
        assert token.current() == holds.encode()
    assert caplog.text.count("the one of before holds") == 2
    assert caplog.text.count("holds from now on") == 2
    file.write_text(other)
    now[0] += 0.5  # not looked at so soon again
    assert token.current() == TOKEN.encode()
    assert TOKEN not in caplog.text


@pytest.mark.usefixtures("tried_here")
def test_listening_to_all_makes_a_token_and_hands_it_on(
    table_made: Made, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to where BentoML's command takes over this process; ``token_service`` has its token in the same way."""
    handed_on: list[dict[str, str]] = []
    variables = dict(os.environ)

    def served(words: list[str], **_: object) -> None:
        handed_on.append(dict(variables))
        assert words[words.index("--host") + 1] == "0.0.0.0"

    with monkeypatch.context() as patch:
        patch.setattr("bentoml_cli.cli.cli.main", served)
        patch.setattr(os, "environ", variables)
        patch.setattr(os, "_exit", sys.exit)
        for name in ("os.dup2", "atexit._run_exitfuncs", "signal.signal"):
            patch.setattr(f"runcard.serving.launch.{name}", lambda *_: None)
        said = command("serve", table_made.bundle.tag, "--host", "0.0.0.0", "--port", str(free_port()), "--json")
    (line,) = [line for line in said.out.splitlines() if line.startswith("{")]
    token = json.loads(line)["token"]
    assert len(token) >= 32
    assert f"token   {token}" in said.err
    assert [found["RUNCARD_TOKEN"] for found in handed_on] == [token]


@pytest.mark.slow
def test_listening_to_all_asks_for_the_token_that_was_made(table_made: Made, away: Path) -> None:
    port = free_port()
    words = [str(BIN / "runcard"), "serve", table_made.bundle.tag, "--host", "0.0.0.0", "--port", str(port), "--json"]
    with starting(words, away, port) as service:
        wait_until_ready(service)
        (line,) = [line for line in service.log.read_text().splitlines() if line.startswith("{")]
        token = json.loads(line)["token"]
        assert f"token   {token}" in service.log.read_text()
        assert [status(service.url + "/", header) for header in (None, f"Bearer {token}")] == [401, 200]


def test_what_a_proxy_here_hands_on_comes_from_elsewhere(table_service: Service) -> None:
    handed_on = urllib.request.Request(table_service.url + "/model", headers={"x-forwarded-for": AWAY[0]})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(handed_on, timeout=HANG_S)
    with caught.value as answer:
        assert answer.code == 401
        assert "start it with RUNCARD_TOKEN set" in answer.read().decode()
    assert [status(table_service.url + path) for path in ("/model", "/readyz")] == [200, 200]


@pytest.mark.usefixtures("tried_here")
@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("serve.worker=2", "serve.worker: there is no such key; did you mean serve.workers?"),
        ("serve.workers=two", 'serve.workers: must be a whole number, not "two"'),
        ("serve.workers=0", "serve.workers: must be 1 or more, not 0"),
        ("serve.timeout_s=-1", "serve.timeout_s: must be above 0"),
        ("serve.provider=cuda", "serve.provider cuda: this ONNX Runtime has no CUDAExecutionProvider"),
        ("serve.provider=tpu", "serve.provider: must be 'cpu' or 'cuda', not \"tpu\""),
        ("serve.token_file=nowhere", "nowhere: the token cannot be read: No such file or directory"),
        ("workers=2", "workers=2: a change is written serve.KEY=VALUE, such as serve.workers=2"),
        ("serve.workers=[", "serve.workers=[: the value cannot be read"),
        ("other", "other: one bundle is served at a time"),
    ],
)
def test_a_change_that_is_wrong(word: str, says: str, table_made: Made, command: Command) -> None:
    said = command("serve", table_made.bundle.tag, word, "--port", str(free_port()))
    assert (said.code, says in said.err) == (2, True), said.err


WRONG = ["{", "[]", '{"worker": 2}', '{"workers": "two"}']


@pytest.mark.slow  # what is said of each, the test below reads within this process
@pytest.mark.parametrize(("text", "command"), [("{", "runcard"), ('{"workers": "two"}', "bentoml")])
def test_an_environment_that_is_wrong(text: str, command: str, table_made: Made) -> None:
    environment = {**os.environ, "RUNCARD_BUNDLE": table_made.bundle.tag, "RUNCARD_SERVE": text}
    done = subprocess.run(
        [BIN / command, "serve", "--port", str(free_port())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == (1 if command == "bentoml" else 2), done.stderr
    assert "RUNCARD_SERVE" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("text", WRONG)
def test_whatever_is_wrong_with_the_environment(
    text: str, table_made: Made, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNCARD_SERVE", text)
    said = command("serve", table_made.bundle.tag, "--port", str(free_port()))
    assert (said.code, "RUNCARD_SERVE" in said.err, "Traceback" in said.err) == (2, True, False), said.err
