"""The contract of a study's storage: each trial is taken by one process at a time, and counts once."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from sqlalchemy import event, make_url

import runcard
from runcard.card.plan import Plan
from runcard.errors import CardError, RunError
from runcard.tuning import leases
from runcard.tuning.opening import opened
from runcard.tuning.storage import Storage
from runcard.tuning.task import outcome
from runcard.tuning.trials import Taken, Trials
from tests.postgres import Postgres, postgres

TOTAL = 6
DONE = outcome("COMPLETE", values=[0.5], seed_values=[[0.5]], epochs=3)
METRICS = ["val/accuracy"]


class TrialsContract:
    """What holds for every storage; a subclass says which with the fixture ``where``."""

    @pytest.fixture
    def plan(self, where: list[str], away: Path) -> Plan:
        words = ["sweep=random", "data=wine", "model=linear", f"sweep.n_trials={TOTAL}", "sweep.name=contract"]
        return runcard.load_sweep([*words, *where])

    @pytest.fixture
    def trials(self, plan: Plan) -> Iterator[Trials]:
        with opened(plan, METRICS) as (_, trials):
            yield trials

    def test_there_are_as_many_as_planned(self, trials: Trials) -> None:
        numbers = []
        while (taken := trials.take()) is not None:
            numbers.append(taken.number)
            assert trials.tell(taken, DONE)
        assert numbers == list(range(TOTAL))
        assert trials.over()

    def test_what_runs_counts_towards_the_total(self, trials: Trials) -> None:
        taken = [trials.take() for _ in range(TOTAL + 2)]
        assert [one is None for one in taken] == [False] * TOTAL + [True] * 2
        assert not trials.over()

    def test_one_that_was_given_back_is_taken_again(self, trials: Trials) -> None:
        first, second = trials.take(), trials.take()
        assert first is not None
        trials.give_back(first)
        again = trials.take()
        assert again is not None
        assert (again.number, again.point, again.new) == (first.number, first.point, False)
        assert second is not None
        assert second.number == 1

    def test_what_came_of_it_is_kept(self, trials: Trials) -> None:
        first, second, third = taken(trials), taken(trials), taken(trials)
        trials.note(first, worker="0", run="studies/contract/0")
        assert not trials.report(second, 0, 0.1)
        trials.report(second, 1, float("nan"))
        trials.tell(first, DONE)
        trials.tell(second, outcome("PRUNED", epochs=2))
        trials.tell(third, outcome("FAIL", error="it diverged"))
        kept = trials.all()
        assert [trial.state.name for trial in kept] == ["COMPLETE", "PRUNED", "FAIL"]
        assert kept[0].values == [0.5]
        assert {"worker": "0", "run": "studies/contract/0", "epochs": 3}.items() <= kept[0].user_attrs.items()
        assert list(kept[1].intermediate_values) == [0, 1]
        assert kept[2].user_attrs["error"] == "it diverged"
        fourth = taken(trials)
        trials.tell(fourth, outcome("COMPLETE", values=[0.5], seed_values=[[0.4], [0.6]], epochs=6))
        assert trials.all()[3].user_attrs["seed_values"] == [[0.4], [0.6]]

    def test_one_whose_holder_is_slow_counts_once(
        self, plan: Plan, trials: Trials, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(leases, "LEASE_S", -1.0)  # it has run out at once
        slow = taken(trials)
        other = another(trials, plan)
        monkeypatch.setattr(leases, "LEASE_S", 90.0)
        again = taken(other)
        assert (again.number, again.point, again.lease.fence) == (slow.number, slow.point, slow.lease.fence + 1)
        assert trials.renew() == [slow.number]
        assert not trials.tell(slow, outcome("FAIL", error="too late"))
        assert other.tell(again, DONE)
        assert not trials.tell(slow, outcome("FAIL", error="much too late"))
        assert [trial.state.name for trial in trials.all()] == ["COMPLETE"]

    def test_steps_of_one_that_someone_else_has_finished(
        self, plan: Plan, trials: Trials, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(leases, "LEASE_S", -1.0)
        slow = taken(trials)
        other = another(trials, plan)
        other.tell(taken(other), DONE)
        assert trials.report(slow, 0, 0.1)
        trials.note(slow, worker="0")
        (kept,) = trials.all()
        assert (kept.intermediate_values, kept.user_attrs.get("worker")) == ({}, None)

    def test_one_that_is_renewed_is_not_taken(self, plan: Plan, trials: Trials) -> None:
        if not trials.storage.shared:
            pytest.skip("a file has one process at a time")
        held = taken(trials)
        assert trials.renew() == []
        assert taken(another(trials, plan)).number == held.number + 1

    def test_one_of_a_process_that_is_gone_is_taken_at_once(self, plan: Plan, trials: Trials) -> None:
        trials.leases.owner = trials.leases.owner.replace(f":{leases._begun(os.getpid())}:", ":1:")
        gone = taken(trials)
        assert taken(another(trials, plan)).number == gone.number

    def test_one_whose_process_died_before_it_had_a_lease(self, trials: Trials) -> None:
        trials.study.ask()
        lost = taken(trials)
        assert (lost.number, lost.new) == (0, False)
        assert set(lost.point) == {"optimizer.lr", "optimizer.weight_decay"}

    def test_the_same_points_whoever_asks(self, plan: Plan, trials: Trials) -> None:
        points = []
        for _ in range(TOTAL):
            trials = another(trials, plan)
            one = taken(trials)
            points.append(one.point)
            trials.tell(one, DONE)
        with opened(replace(plan, settings=plan.settings.model_copy(update={"name": "whole"})), METRICS) as (_, whole):
            for point in points:
                one = taken(whole)
                assert one.point == point
                whole.tell(one, DONE)

    def test_a_study_is_gone_on_with(self, plan: Plan) -> None:
        for _ in range(2):
            with opened(plan, METRICS) as (_, trials):
                trials.tell(taken(trials), DONE)
        more = replace(plan, settings=plan.settings.model_copy(update={"n_trials": TOTAL + 1}))
        with opened(more, METRICS) as (_, trials):
            rest = []
            while (one := trials.take()) is not None:
                rest.append(one.number)
                trials.tell(one, DONE)
        assert rest == list(range(2, TOTAL + 1))

    def test_another_objective_is_refused(self, plan: Plan) -> None:
        with opened(plan, METRICS):
            pass
        with pytest.raises(CardError, match="was val/accuracy, is val/loss"), opened(plan, ["val/loss"]):
            pass

    def test_a_study_of_someone_else_is_refused(self, plan: Plan) -> None:
        with opened(plan, METRICS) as (_, trials):
            study = optuna.create_study(storage=trials.storage.optuna, study_name="theirs")
            study.tell(study.ask(), 1.0)
        theirs = plan.settings.model_copy(update={"name": "theirs"})
        if plan.settings.storage is None:
            Path("studies/contract").rename("studies/theirs")
            Path("studies/theirs/plan.json").unlink()
        with pytest.raises(CardError, match="that no sweep made"), opened(replace(plan, settings=theirs), METRICS):
            pass

    def test_if_it_exists(self, plan: Plan) -> None:
        with opened(plan, METRICS):
            pass
        refusing, another = (
            replace(plan, settings=plan.settings.model_copy(update={"if_exists": how})) for how in ("refuse", "new")
        )
        with pytest.raises(RunError, match=r"sweep.name=NAME"), opened(refusing, METRICS):
            pass
        with opened(another, METRICS) as (folder, _):
            assert folder.path.name == "contract-2"


class TestInAFile(TrialsContract):
    @pytest.fixture
    def where(self) -> list[str]:
        return []

    def test_one_process_at_a_time(self, plan: Plan, trials: Trials) -> None:
        with (
            pytest.raises(RunError, match=r"many can share one with sweep.storage=postgresql://"),
            opened(plan, METRICS),
        ):
            pass

    @pytest.mark.parametrize("keep", [0, 100, 5000])
    def test_a_file_that_was_cut(self, plan: Plan, keep: int) -> None:
        with opened(plan, METRICS) as (folder, trials):
            trials.tell(taken(trials), DONE)
        content = folder.database.read_bytes()
        folder.database.write_bytes(content[:keep])
        with pytest.raises(RunError, match=r"study\.db is damaged"), opened(plan, METRICS):
            pass

    def test_a_file_of_something_else(self, plan: Plan) -> None:
        with opened(plan, METRICS) as (folder, _):
            pass
        folder.database.write_bytes(b"what is this" * 1000)
        with pytest.raises(RunError, match=r"study\.db is damaged"), opened(plan, METRICS):
            pass

    def test_its_log_was_torn(self, plan: Plan) -> None:
        with opened(plan, METRICS) as (folder, trials):
            trials.tell(taken(trials), DONE)
            log = folder.database.with_name("study.db-wal")
            before = log.read_bytes()
            kept = folder.database.read_bytes()
        folder.database.write_bytes(kept)
        log.write_bytes(before[: len(before) - 100])  # as a power cut leaves it
        with opened(plan, METRICS) as (_, trials):
            assert len(trials.all()) <= 1


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.mark.slow
class TestOnAServer(TrialsContract):
    """Needs PostgreSQL: ``apt-get install postgresql``."""

    @pytest.fixture
    def where(self, server: Postgres, request: pytest.FixtureRequest) -> list[str]:
        name = "".join(letter for letter in request.node.name if letter.isalnum())[-40:].lower()
        return [f"sweep.storage={server.database(name)}"]

    def test_many_at_once_take_each_trial_once(self, plan: Plan) -> None:
        plan = replace(plan, settings=plan.settings.model_copy(update={"n_trials": 40}))

        def work(_: object) -> list[int]:
            numbers = []
            with opened(plan, METRICS) as (_, trials):
                while (one := trials.take()) is not None:
                    numbers.append(one.number)
                    assert trials.tell(one, DONE)
            return numbers

        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            found = [number for numbers in threads.map(work, range(6)) for number in numbers]
        assert sorted(found) == list(range(40))

    @pytest.mark.parametrize("where_lost", ["ask", "claim", "suggest", "tell", "give_back"])
    def test_an_answer_that_is_lost(self, trials: Trials, monkeypatch: pytest.MonkeyPatch, where_lost: str) -> None:
        monkeypatch.setattr(trials.storage, "pause", lambda: None)
        owner: Any = trials.leases if where_lost in ("claim", "give_back") else trials.study
        if where_lost == "suggest":
            lose_an_answer(monkeypatch, trials.study._storage, "set_trial_param")
        else:
            lose_an_answer(monkeypatch, owner, where_lost)
        numbers = []
        while (one := trials.take()) is not None:
            numbers.append(one.number)
            assert trials.tell(one, DONE)
            trials.give_back(one)
        assert numbers == list(range(TOTAL))
        assert trials.over()

    def test_connections_that_are_lost_before_any_statement(
        self, plan: Plan, server: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = replace(plan, settings=plan.settings.model_copy(update={"n_trials": 1000, "pruner": "median"}))
        until, database = 0, str(make_url(str(plan.settings.storage)).database)

        def count(*_: object) -> None:
            nonlocal until
            until -= 1
            if until == 0:
                server.lose_connections(database)

        with opened(plan, METRICS) as (_, trials):
            monkeypatch.setattr(trials.storage, "pause", lambda: None)
            event.listen(trials.storage.engine, "before_cursor_execute", count)
            for number in itertools.count():
                until = number + 1
                one = taken(trials)
                trials.note(one, worker="0")
                assert not trials.report(one, 0, 0.5)
                assert trials.renew() == []
                assert trials.tell(one, DONE)
                trials.give_back(one)
                assert one.number == number
                if until > 0:  # there are not that many
                    break
            assert number > 20
            assert [trial.state.name for trial in trials.all()] == ["COMPLETE"] * (number + 1)

    def test_a_server_that_is_away_for_a_while(self, plan: Plan, trials: Trials, server: Postgres) -> None:
        one = taken(trials)
        server.stop("immediate")
        back = threading.Timer(2.0, server.start)
        back.start()
        assert trials.tell(one, DONE)
        back.join()
        assert [trial.state.name for trial in trials.all()] == ["COMPLETE"]


def test_who_comes_second_leaves_the_folder_of_the_first(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = runcard.load_sweep(["sweep=random", "data=wine", "model=linear", "sweep.name=both", "sweep.n_trials=1"])
    exists = Path.exists
    with opened(plan, METRICS) as (folder, trials):
        # As the second saw it before the first had made it.
        monkeypatch.setattr(Path, "exists", lambda path: path != folder.path and exists(path))
        with pytest.raises(RunError, match="another process runs the study"), opened(plan, METRICS):
            pass
        assert trials.tell(taken(trials), DONE)
    assert folder.database.is_file()


def test_a_server_that_cannot_be_reached(away: Path) -> None:
    with pytest.raises(RunError, match=r"cannot reach the storage postgresql://me:\*\*\*@127.0.0.1:9/db"):
        Storage("postgresql://me:secret@127.0.0.1:9/db")


def lose_an_answer(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """The first call of a method is done, and its caller does not hear of it."""
    done, calls = getattr(owner, name), itertools.count()

    def call(*words: Any, **settings: Any) -> Any:
        answer = done(*words, **settings)
        if next(calls) == 0:
            raise sqlalchemy.exc.OperationalError("", None, Exception("the connection was lost"))
        return answer

    monkeypatch.setattr(owner, name, call)


def taken(trials: Trials) -> Taken:
    found = trials.take()
    assert found is not None
    return found


def another(trials: Trials, plan: Plan) -> Trials:
    """As another process sees the study."""
    name: Any = trials.study.study_name
    return Trials(optuna.load_study(study_name=name, storage=trials.storage.optuna), trials.storage, plan)


def test_tables_are_made_once(away: Path) -> None:
    storage = Storage(Path("study.db"))
    for _ in range(2):
        leases.Leases(storage.engine, 1, sole=True)
    assert "runcard_leases" in sqlalchemy.inspect(storage.engine).get_table_names()
    storage.close()
