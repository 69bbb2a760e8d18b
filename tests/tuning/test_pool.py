"""Trials in processes of their own: what they share, what they do not, and what happens when one of them dies."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import runcard
from runcard import files
from runcard.data.dataset import Datasets
from runcard.runs import RunFolder
from runcard.tuning.events import Died, Ended, Event, Report
from runcard.tuning.forkserver import MALLOC, Forkserver
from runcard.tuning.pool import Pool
from runcard.tuning.task import Task
from tests.conftest import HANG_S, TINY
from tests.waiting import wait_for

# Long enough that whatever is done to it comes in the midst of it.
LONG = ["trainer.max_epochs=100000", "trainer.early_stopping.patience=null"]


def task(number: int, *words: str, **settings: Any) -> Task:
    card = runcard.load_card(["data=wine", "model=linear", "report=false", *words])
    folder = str(Path(f"study/{number}").absolute())
    return Task(number, folder, card.saved(), card.origins, ["val/accuracy"], **settings)


@pytest.fixture
def pool(away: Path) -> Iterator[Pool]:
    made = Pool(2)
    Path("study").mkdir()
    made.outputs = Path("study/output")
    try:
        yield made
    finally:
        made.close()


def events(pool: Pool, enough: Callable[[list[Event]], bool]) -> list[Event]:
    heard: list[Event] = []
    until = time.monotonic() + HANG_S
    while not enough(heard):
        assert time.monotonic() < until, heard
        heard += pool.wait(0.1)
    return heard


def workers(parent: int) -> list[psutil.Process]:
    """The processes that a parent's server has forked."""
    return [worker for server in psutil.Process(parent).children() for worker in server.children()]


def process_of(pool: Pool, number: int) -> int:
    """The process of a trial that has begun its run."""
    wait_for(lambda: Path(f"study/{number}/run.log").is_file())
    while not pool._workers[number].pid:
        assert not pool.wait(0.1)
    return pool._workers[number].pid


def test_a_trial_is_a_run_in_its_place(pool: Pool) -> None:
    pool.start(task(0, *TINY))
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    run = runcard.load_run("study/0")
    assert ended.outcome["state"] == "COMPLETE"
    assert ended.outcome["values"] == [run.metrics["val/accuracy"]]
    assert not list(Path("study/output").iterdir())  # it printed nothing


def test_trials_do_not_wait_for_each_other(pool: Pool) -> None:
    pool.start(task(0, *LONG))
    for number in range(1, 4):
        pool.start(task(number, *TINY))
        (ended,) = events(pool, bool)
        assert isinstance(ended, Ended)
        assert ended.number == number
    pool.stop(0)
    (stopped,) = events(pool, bool)
    assert isinstance(stopped, Ended)
    assert stopped.outcome["state"] == "STOPPED"
    assert RunFolder(Path("study/0")).last.is_file()


def test_what_goes_wrong_in_a_trial_is_told(pool: Pool) -> None:
    pool.start(task(0, "optimizer.lr=1e9"))
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    assert ended.outcome["state"] == "FAIL"
    assert "Lower optimizer.lr" in ended.outcome["error"]


def test_a_process_that_is_killed_costs_its_trial_only(pool: Pool) -> None:
    pool.start(task(0, *LONG))
    pool.start(task(1, *LONG))
    os.kill(process_of(pool, 0), signal.SIGKILL)
    (died,) = events(pool, bool)
    assert isinstance(died, Died)
    assert (died.number, "SIGKILL" in died.reason) == (0, True)
    pool.stop(1)
    assert isinstance(events(pool, bool)[0], Ended)


def test_a_trial_that_was_killed_is_gone_on_with(pool: Pool) -> None:
    words = ["trainer.max_epochs=40", "trainer.early_stopping.patience=null", "checkpoint.every_s=0"]
    pool.start(task(0, *words))
    wait_for(lambda: RunFolder(Path("study/0")).last.is_file())
    os.kill(process_of(pool, 0), signal.SIGKILL)
    assert isinstance(events(pool, bool)[0], Died)
    pool.start(task(0, *words))
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    assert (ended.outcome["state"], ended.outcome["epochs"]) == ("COMPLETE", 40)
    assert "going on from epoch" in Path("study/0/run.log").read_text()


@pytest.mark.slow
def test_the_server_dies_and_trials_go_on(pool: Pool) -> None:
    pool.start(task(0, *LONG))
    process_of(pool, 0)
    pool._server._process.kill()
    pool._server._process.wait()
    pool.start(task(1, *TINY))
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    assert ended.number == 1
    pool.stop(0)
    (stopped,) = events(pool, bool)
    assert isinstance(stopped, Ended)
    assert stopped.outcome["state"] == "STOPPED"


@pytest.mark.slow
def test_the_server_dies_while_nobody_asks_for_a_trial(pool: Pool) -> None:
    pool.start(task(0, *LONG))
    process_of(pool, 0)
    pool._server._process.kill()
    pool._server._process.wait()
    assert not pool.wait(0.5)
    pool.start(task(1, *TINY))
    assert isinstance(events(pool, bool)[0], Ended)


def test_steps_are_told_and_answered(pool: Pool) -> None:
    pool.start(task(0, *LONG, reports="epoch"))
    steps = []
    for _ in range(3):
        (heard,) = events(pool, bool)
        assert isinstance(heard, Report)
        steps.append(heard.step)
        pool.answer(0, stop=len(steps) == 3)
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    assert (steps, ended.outcome["state"], ended.outcome["epochs"]) == ([0, 1, 2], "PRUNED", 3)


def test_one_that_ends_while_its_step_waits_for_an_answer(pool: Pool) -> None:
    pool.start(task(0, *TINY, seeds=2, reports="seed"))
    process = psutil.Process(process_of(pool, 0))
    wait_for(lambda: bool(select.select([pool._workers[0].conversation], [], [], 0)[0]))
    process.terminate()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    step, ended = events(pool, lambda heard: len(heard) > 1)
    assert isinstance(step, Report)
    pool.answer(0, stop=False)  # to nobody
    assert isinstance(ended, Ended)
    assert ended.outcome["state"] == "STOPPED"


def test_several_seeds_make_one_value(pool: Pool) -> None:
    pool.start(task(0, *TINY, "seed=5", seeds=3, spread_weight=1.0))
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    runs = [runcard.load_run(f"study/{name}") for name in ("0", "0.seed-1", "0.seed-2")]
    assert [run.card.seed for run in runs] == [5, 6, 7]
    values = [run.metrics["val/accuracy"] for run in runs]
    mean = sum(values) / 3
    spread = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    assert ended.outcome["values"] == [pytest.approx(mean - spread)]
    assert ended.outcome["seed_values"] == [[value] for value in values]


def test_cores_are_divided(pool: Pool) -> None:
    pool.start(task(0, *TINY, "trainer.threads=auto", "model=mlp", "model.hidden=[2048,2048]"))
    assert isinstance(events(pool, bool)[0], Ended)
    described = files.read_json(Path("study/0/environment.json"))
    assert described["threads"] <= max(1, len(os.sched_getaffinity(0)) // 2)


def test_rows_are_read_once(pool: Pool, table: Path) -> None:
    words = ["data=table", f"data.path={table}", "problem.target=churned", *TINY]
    card = runcard.load_card([*words, "report=false"])
    pool.share(Datasets.key(card), Datasets().of(card), card)
    table.unlink()
    pool.start(task(0, *words, data_key=Datasets.key(card)))
    (ended,) = events(pool, bool)
    assert isinstance(ended, Ended)
    assert ended.outcome["state"] == "COMPLETE", ended.outcome


def test_the_server_has_computed_nothing_when_it_has_rehearsed(pool: Pool) -> None:
    pool.warm_up()
    server = psutil.Process(pool._server._process.pid)
    before = server.num_threads()
    card = runcard.load_card(["data=digits", "model=cnn", *TINY])
    pool.share(Datasets.key(card), Datasets().of(card), card)
    pool.start(task(0, "data=digits", "model=cnn", *TINY, "trainer.threads=2", data_key=Datasets.key(card)))
    (ended,) = events(pool, bool)  # it hangs if the server has computed with two
    assert isinstance(ended, Ended)
    assert ended.outcome["state"] == "COMPLETE", ended.outcome
    assert server.num_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize("own", [None, "glibc.malloc.arena_max=2"])
def test_memory_settings_are_the_servers_and_the_users_go_first(
    monkeypatch: pytest.MonkeyPatch, own: str | None
) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if own is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", own)
    server = Forkserver()
    try:
        server.wait_until_up()
        found = psutil.Process(server._process.pid).environ()["GLIBC_TUNABLES"].split(":")
        assert found[0] == (own or MALLOC).split(":")[0]  # glibc cuts off the rest when it has read it
    finally:
        server.close()


def test_what_a_trial_prints_is_kept(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    pool.start(task(0, *LONG))
    os.kill(process_of(pool, 0), signal.SIGSEGV)
    (died,) = events(pool, bool)
    assert isinstance(died, Died)
    assert "SIGSEGV" in died.reason
    assert "Segmentation fault" in Path("study/output/0.txt").read_text()


def test_a_server_is_used_again(away: Path) -> None:
    first = Pool(1)
    first.warm_up()
    pid = first._server._process.pid
    first.close()
    second = Pool(2)
    assert second._server._process.pid == pid
    second.close()


DRIVER = """
import sys, time
from pathlib import Path
from runcard.tuning.pool import Pool
from runcard.tuning.task import Task
import json
pool = Pool(2)
pool.start(Task.from_dict(json.loads(Path("task.json").read_text())))
while True:
    pool.wait(0.1)
"""


@pytest.mark.slow
def test_a_trial_ends_after_its_driver(away: Path) -> None:
    Path("study").mkdir()
    files.write_json(Path("task.json"), task(0, *LONG).to_dict())
    with subprocess.Popen([sys.executable, "-c", DRIVER]) as driver:
        history = RunFolder(Path("study/0")).history
        wait_for(lambda: history.is_file() and "\n1," in history.read_text())
        (worker,) = workers(driver.pid)
        driver.kill()
        wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert RunFolder(Path("study/0")).last.is_file()  # it saved what it had
    assert not RunFolder(Path("study/0")).finished
