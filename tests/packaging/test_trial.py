"""Bundles of strangers are tried out where memory and time are limited, before anything of theirs is loaded."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from runcard.errors import BundleError
from runcard.packaging import trial
from runcard.packaging.manifest import digest_of
from runcard.packaging.trial import Trial, try_out
from tests.conftest import Command, Made
from tests.packaging.hostile_bundles import ACTING, SEALED, UNSEALED, make
from tests.servers import free_port
from tests.waiting import wait_for

# Mebibytes that refusing one may add to the process that is asked.
LITTLE_MB = 100


def copied(made: Made, folder: Path, name: str) -> Path:
    shutil.copytree(made.bundle.path, folder / "bundle")
    make(folder / "bundle", name)
    return folder / "bundle"


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_sound_bundle(table_made: Made) -> None:
    assert try_out(table_made.bundle.path, threads=2) == digest_of(table_made.bundle.path)


def test_there_are_forty() -> None:
    assert len(SEALED | UNSEALED | ACTING) >= 40


@pytest.mark.parametrize("name", [*SEALED, *UNSEALED])
def test_whatever_is_wrong_is_refused_in_one_line(name: str, table_made: Made, away: Path) -> None:
    """In this process, which reading them must not fill either: where they are tried, they do no more than here."""
    folder, before = copied(table_made, away, name), peak_mb()
    with pytest.raises(BundleError) as caught:
        _open_as_a_service_does(folder)
    said = str(caught.value)
    assert said.isprintable(), said
    assert len(said) < 1000
    assert peak_mb() - before < LITTLE_MB


def _open_as_a_service_does(folder: Path) -> None:
    from runcard.packaging.bundle import CARD, open_bundle, verify
    from runcard.serving.settings import settle

    settle(verify(folder, CARD)[CARD], {}, "a:b")
    open_bundle(folder)


@pytest.mark.parametrize("name", ["a graph that unfolds", "a graph that unfolds with its rows"])
def test_what_takes_gigabytes_takes_none_here(name: str, table_made: Made, away: Path) -> None:
    folder, before = copied(table_made, away, name), peak_mb()
    with pytest.raises(BundleError) as caught:
        try_out(folder)
    assert "memory" in str(caught.value) or "alloc" in str(caught.value), caught.value
    assert "\n" not in str(caught.value)
    assert peak_mb() - before < LITTLE_MB
    taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert taken < 1200, "the 1.6 GB of the graph were there"


def test_what_never_ends_is_ended(table_made: Made, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TIMEOUT_S", 2.0)
    folder, started = copied(table_made, away, "a graph that never ends"), time.monotonic()
    with pytest.raises(BundleError, match="does not answer within 2 s"):
        try_out(folder)
    assert time.monotonic() - started < 30
    assert not [child for child in psutil.Process().children() if str(folder) in " ".join(child.cmdline())]


def test_one_that_dies_of_it(table_made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CHILD", "import os; os.abort()")
    with pytest.raises(BundleError, match="ended with -6") as caught:
        try_out(table_made.bundle.path)
    assert "\n" not in str(caught.value)


def test_it_ends_with_whoever_waits_for_it(table_made: Made, away: Path) -> None:
    folder = copied(table_made, away, "a graph that never ends")
    words = [
        sys.executable,
        "-c",
        "import sys, runcard.packaging.trial as t; t.try_out(__import__('pathlib').Path(sys.argv[1]))",
    ]
    process = subprocess.Popen([*words, str(folder)], stderr=subprocess.DEVNULL)
    try:
        children = psutil.Process(process.pid).children
        wait_for(lambda: bool(children()))
        (child,) = children()
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    finally:
        process.kill()
        process.wait()


def test_other_work_goes_on_meanwhile(table_made: Made) -> None:
    begun = Trial(table_made.bundle.path)
    begun.stop()
    assert begun._process.returncode is not None
    again = Trial(table_made.bundle.path)
    assert again.wait() == digest_of(table_made.bundle.path)


def test_what_it_writes_besides_is_passed_over(table_made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CHILD", f"print('a word'); {trial.CHILD}")
    assert try_out(table_made.bundle.path) == digest_of(table_made.bundle.path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SEALED, *UNSEALED, *ACTING])
@pytest.mark.parametrize("verb", ["serve", "predict"])
def test_no_command_does_more(
    verb: str, name: str, table_made: Made, away: Path, installed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = away / "home" / "models" / "evil" / "abc"
    shutil.copytree(table_made.bundle.path, folder)
    make(folder, name)
    monkeypatch.setenv("BENTOML_HOME", str(away / "home"))
    (away / "rows.csv").write_text("age,city,member,spent\n1,Ulm,true,2\n")
    tag = "evil:abc"
    words = ["--port", str(free_port())] if verb == "serve" else ["rows.csv", "-o", "answers.csv"]
    said = installed(verb, tag, *words)
    assert said.code == 2, said.err
    assert "Traceback" not in said.err
    assert not os.path.exists("answers.csv")
