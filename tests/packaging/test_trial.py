"""Bundles of strangers are tried out where memory and time are limited, before anything of theirs is loaded."""

from __future__ import annotations

import json
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
from tests.servers import HANG_S, free_port
from tests.waiting import wait_for

# Tries a bundle out; what is said of it, and the most memory of this process and of the one that tried, in MiB.
MEASURED = """
import json, resource, sys
from pathlib import Path
from runcard.errors import BundleError
from runcard.packaging.trial import try_out
try:
    said = try_out(Path(sys.argv[1]))
except BundleError as error:
    said = str(error)
most = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([said, *most]))
"""
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


@pytest.mark.parametrize(
    "name",
    [
        "a graph that unfolds",
        pytest.param("a graph that unfolds with its rows", marks=pytest.mark.slow),
        pytest.param("a file of holes", marks=pytest.mark.slow),
    ],
)
def test_what_takes_gigabytes_takes_none_here(name: str, table_made: Made, away: Path) -> None:
    folder = copied(table_made, away, name)
    # A process begins with the peak of the one that started it: a small one is between.
    words = ["bash", "-c", '"$@"; exit $?', "bash", sys.executable, "-c", MEASURED, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG_S)
    said, here, tried = json.loads(done.stdout)
    assert "memory" in said or "alloc" in said, said
    assert said.isprintable()
    assert here < 200
    assert tried < 1200, "the gigabytes were there"


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


HOSTILE = [*SEALED, *UNSEALED, *ACTING]


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_predicting_does_no_more(name: str, table_made: Made, away: Path, command: Command) -> None:
    folder = copied(table_made, away, name)
    (away / "rows.csv").write_text("age,city,member,spent\n1,Ulm,true,2\n")
    said = command("predict", str(folder), "rows.csv", "-o", "answers.csv")
    harmless = "limit" in name or "section" in name  # it asks nothing of the section serve
    assert said.code == (0 if harmless else 2), said.err
    assert "Traceback" not in said.err
    assert harmless or not (away / "answers.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE[::3])
def test_serving_does_no_more(
    name: str, table_made: Made, away: Path, installed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = away / "home" / "models" / "evil" / "abc"
    shutil.copytree(table_made.bundle.path, folder)
    make(folder, name)
    monkeypatch.setenv("BENTOML_HOME", str(away / "home"))
    said = installed("serve", "evil:abc", "--port", str(free_port()))
    assert (said.code, "Traceback" in said.err) == (2, False), said.err
