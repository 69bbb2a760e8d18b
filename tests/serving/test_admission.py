"""Who says how a bundle is served: whoever starts the service, and of the bundle's card only what lowers a limit."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

import runcard
from runcard.card.sections.serve import DEFAULTS, LIMITS, MOST
from runcard.errors import BundleError, CardError
from runcard.serving.settings import choose, settle
from tests.conftest import Command, Made
from tests.packaging.hostile_bundles import reseal
from tests.servers import BIN, HANG_S, ROOT, Service, bentoml_serve, free_port, starting, wait_until_ready
from tests.serving.test_steady import ends_when_all_are_answered

TOKEN, OTHER = "operator-token-0123456789", "another-token-0123456789"
EVIL = {"workers": 100_000, "threads": 500, "open_to_all": True, "token_file": "/etc/hostname", "public_key": "/etc/x"}

HELD = {**DEFAULTS, "examples": "made"}


def card(**serve: Any) -> bytes:
    return yaml.safe_dump({"name": "a", "serve": serve}).encode()


@pytest.mark.parametrize("key", LIMITS)
def test_a_card_lowers_a_limit(key: str) -> None:
    settled = settle(card(**{key: 1}), {}, "a:b")
    assert (getattr(settled.serve, key), settled.ignored) == (1, ())


@pytest.mark.parametrize("key", [key for key in LIMITS if DEFAULTS[key] is not None])
def test_a_card_raises_none(key: str) -> None:
    settled = settle(card(**{key: DEFAULTS[key] * 2}), {}, "a:b")
    assert getattr(settled.serve, key) == DEFAULTS[key]
    (said,) = settled.ignored
    assert choose(shlex.split(said.partition(": runcard serve a:b ")[2])) == {key: DEFAULTS[key] * 2}
    assert "may only lower" in said


@pytest.mark.parametrize("key", EVIL)
def test_a_card_says_nothing_of_access_files_and_workers(key: str) -> None:
    settled = settle(card(**{key: EVIL[key]}), {}, "a:b")
    assert settled.serve.model_dump() == HELD
    (said,) = settled.ignored
    # The hint is a command that works, where there is one: nobody may have so many processes.
    command = said.partition(": runcard serve a:b ")[2]
    assert bool(command) == (key not in ("workers", "threads"))
    if command:
        assert choose(shlex.split(command)) == {key: EVIL[key]}


@pytest.mark.parametrize("key", EVIL)
def test_what_is_no_value_of_theirs_is_ignored_too(key: str) -> None:
    settled = settle(card(**{key: ["z" * 1000, {"y": "\x1b[2J"}]}), {}, "a:b")
    assert settled.serve.model_dump() == HELD
    (said,) = settled.ignored
    assert said.isprintable()
    assert len(said) < 300


def test_what_is_chosen_wins_over_the_card() -> None:
    settled = settle(card(max_rows=5, workers=7, timeout_s=1.0), {"max_rows": 200_000, "workers": 2}, "a:b")
    assert (settled.serve.max_rows, settled.serve.workers, settled.serve.timeout_s) == (200_000, 2, 1.0)
    assert settled.ignored == ()


def test_what_computes_is_the_cards() -> None:
    assert settle(card(provider="cuda"), {}, "a:b").serve.provider == "cuda"
    assert settle(card(provider="cuda"), {"provider": "cpu"}, "a:b").serve.provider == "cpu"
    with pytest.raises(BundleError, match="'cpu' or 'cuda'"):
        settle(card(provider="tpu"), {}, "a:b")


@pytest.mark.parametrize("text", [b"", b"null", b"name: a", b"serve: {}", b"serve: {of_later: 1}"])
def test_a_card_that_says_nothing(text: bytes) -> None:
    assert settle(text, {}, "a:b").serve.model_dump() == HELD


@pytest.mark.parametrize("key", MOST)
def test_nobody_chooses_more_than_the_most(key: str) -> None:
    assert choose([f"serve.{key}={MOST[key]:g}".replace("1e+08", "100000000")])[key] == MOST[key]
    with pytest.raises(CardError, match=rf"serve\.{key}: must be .* or less, not"):
        choose([f"serve.{key}={int(MOST[key]) + 1}"])


def test_the_last_place_wins(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "pyproject.toml").write_text(
        "[tool.runcard.serve]\nworkers = 3\nmax_rows = 30\ntoken_file = 'secret/token'\npublic_key = '~/k.pub'\n"
    )
    monkeypatch.setenv("RUNCARD_SERVE", '{"workers": 2, "max_rows": 20}')
    chosen = choose(["serve.workers=1"])
    files = {"token_file": str(away / "secret/token"), "public_key": str(Path("~/k.pub").expanduser())}
    assert chosen == {"workers": 1, "max_rows": 20, **files}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("worker = 2", "serve.worker: there is no such key; did you mean serve.workers?"),
        ("workers = 'two'", 'serve.workers: must be a whole number, not "two"'),
        ("workers = 300", "serve.workers: must be 256 or less, not 300"),
        ("workers = 2.5", "serve.workers: must be a whole number, not 2.5"),
    ],
)
def test_a_project_that_chooses_wrongly(table: str, says: str, away: Path, command: Command) -> None:
    (away / "pyproject.toml").write_text(f"[tool.runcard.serve]\n{table}\n")
    for words in (["serve"], ["check", "data=wine"]):
        said = command(*words)
        assert (said.code, says in said.err, str(away / "pyproject.toml") in said.err) == (2, True, True), said.err


def bundle(made: Made, folder: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """A bundle with another card in a store of its own; its tag."""
    place = folder / "home" / "models" / "evil" / "abc"
    shutil.copytree(made.bundle.path, place)
    content = yaml.safe_load((place / "card.yaml").read_text())
    change(content)
    (place / "card.yaml").write_text(yaml.safe_dump(content))
    reseal(place)
    return "evil:abc"


def ask(service: Service, header: str | None, path: str = "/model", row: object = None) -> int:
    """The status of what is answered to somebody who sends such a header, and a row if there is one."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": header} if header else {})
    body = None if row is None else json.dumps(row).encode()
    request = urllib.request.Request(service.url + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["runcard", "bentoml"])
def test_a_bundle_cannot_replace_the_token_or_make_processes(verb: str, digits_made: Made, away: Path) -> None:
    """And, as it runs: what is in flight when it is told to end is answered before that."""
    theirs = away / "theirs"
    theirs.write_text(OTHER)
    evil = EVIL | {"token_file": str(theirs)}
    tag, port = bundle(digits_made, away, lambda content: content["serve"].update(evil)), free_port()
    variables = {"BENTOML_HOME": str(away / "home"), "RUNCARD_TOKEN": TOKEN, "RUNCARD_BUNDLE": tag}
    words = {
        "runcard": [str(BIN / "runcard"), "serve", tag, "--port", str(port), "--json"],
        "bentoml": [str(BIN / "bentoml"), "serve", str(ROOT), "--port", str(port)],
    }
    with starting(words[verb], away, port, **variables) as service:
        wait_until_ready(service)
        statuses = [ask(service, header) for header in (None, f"Bearer {OTHER}", f"Bearer {TOKEN}")]
        assert statuses == [401, 401, 200]
        assert len(psutil.Process(service.process.pid).children(recursive=True)) == 1
        said = service.log.read_text()
        for key in evil:
            assert f"the bundle's card says {key}: " in said, said
        assert "Traceback" not in said
        if verb == "runcard":
            (line,) = [line for line in said.splitlines() if line.startswith("{")]
            assert len(json.loads(line)["warnings"]) == len(evil)
            row = runcard.tested_rows(digits_made.run.path)[0][0]
            ends_when_all_are_answered(
                service, signal.SIGTERM, lambda: ask(service, f"Bearer {TOKEN}", "/explain", row)
            )


@pytest.mark.slow
def test_the_project_says_it_for_bentomls_commands(table_made: Made, away: Path) -> None:
    shutil.copytree(ROOT, away / "project", ignore=shutil.ignore_patterns(".*", "runs", "studies", "tests", "bench"))
    token = away / "project" / "token"
    token.write_text(TOKEN)
    file = away / "project" / "pyproject.toml"
    file.write_text(f"{file.read_text()}\n[tool.runcard.serve]\nmax_rows = 2\ntoken_file = 'token'\n")
    with bentoml_serve(away / "project", RUNCARD_BUNDLE=table_made.bundle.tag) as service:
        assert [ask(service, header) for header in (None, f"Bearer {TOKEN}")] == [401, 200]
        # The token changes without a restart: also by another file in its place, as Kubernetes does it.
        (away / "project" / "new").write_text(OTHER)
        (away / "project" / "new").replace(token)
        until = time.monotonic() + HANG_S
        while ask(service, f"Bearer {OTHER}") != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert ask(service, f"Bearer {TOKEN}") == 401
        token.write_text("short")
        time.sleep(1.5)  # one look and more
        assert [ask(service, f"Bearer {word}") for word in (OTHER, "short")] == [200, 401]
        assert "the one of before holds" in service.log.read_text()


@pytest.mark.slow  # circus looks after its workers every ten seconds
def test_a_change_of_what_was_tried_is_not_loaded(table_made: Made, away: Path) -> None:
    """Between the trial and the workers another bundle is put in its place."""
    tag = bundle(table_made, away, lambda content: content)
    folder = away / "home" / "models" / "evil" / "abc"
    script = (
        "import sys, pathlib, runcard.serving.launch as launch\n"
        f"start = launch.prepare(['{tag}'], '127.0.0.1', int(sys.argv[1]))\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "(folder / 'README.md').write_text('another')\n"
        "(folder / 'manifest.json').unlink(), (folder / 'manifest.sha256').unlink()\n"
        "from runcard.packaging.manifest import seal\n"
        "seal(folder)\n"
        "launch.become_server(start)\n"
    )
    done = subprocess.run(
        [str(BIN / "python"), "-c", script, str(free_port())],
        env={**os.environ, "BENTOML_HOME": str(away / "home")},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    # Three tries, one line each, and one line at the end.
    assert said.count("was replaced since it was looked at") == 3, said
    assert said.count("3 workers ended before they could answer") == 1, said
    assert "Traceback" not in said
