"""The contract of a sampler: within the space, the same again, and the same when another process goes on."""

from __future__ import annotations

import functools
import math
import random
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

import runcard
from runcard.card.plan import Plan
from runcard.card.sections.sweep import Sweep
from runcard.tuning.opening import opened
from runcard.tuning.samplers import _Window, make_sampler
from runcard.tuning.storage import quietly
from runcard.tuning.summary import Summary
from runcard.tuning.task import outcome

NUMBERS = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "optimizer.weight_decay=interval(0.0,1.0)"]
MIXED = [*NUMBERS, "model.hidden=choice([16],[32,16])", "data.batch_size=range(16,65,16)", "seed=int(interval(0,9))"]
CONDITIONAL = [
    "model=linear,mlp",
    "model.dropout=interval(0.0,0.9) if model=mlp",
    "optimizer.lr=tag(log,interval(1e-4,1e-1))",
]
FINITE = ["seed=1,2,3,4", "data.batch_size=16,32"]
TRIALS = 8


def goodness(point: dict[str, Any]) -> float:
    """Best, 0, at a learning rate of 0.01 and a weight decay of 0.3."""
    lr, decay = point.get("optimizer.lr", 0.01), point.get("optimizer.weight_decay", 0.3)
    return -float((math.log10(lr) + 2) ** 2) - float((decay - 0.3) ** 2)


@functools.cache
def planned(*words: str, seed: int = 0, trials: int = TRIALS) -> Plan:
    return runcard.load_sweep(["data=wine", f"sweep.n_trials={trials}", f"sweep.seed={seed}", *words])


def tried(plan: Plan, name: str, *, until: int | None = None) -> list[dict[str, Any]]:
    """The points of a study, up to a number; the next one has been begun by then, and its process has died."""
    named = replace(plan, settings=plan.settings.model_copy(update={"name": name}))
    found = []
    objectives = plan.settings.metrics or ["val/accuracy"]
    with opened(named, objectives) as (_, trials):
        while (one := trials.take()) is not None and one.number != until:
            found.append(one.point)
            values = [goodness(one.point), 1.0][: len(objectives)]
            trials.tell(one, outcome("COMPLETE", values=values))
    return found


@functools.cache
def whole(*words: str, seed: int = 0, trials: int = TRIALS) -> list[dict[str, Any]]:
    """The points of a study that nothing happened to, tried once for all tests that compare with them."""
    plan = planned(*words, seed=seed, trials=trials)
    return tried(plan, f"whole-{plan.settings.sampler}")


class SamplerContract:
    """What holds for every sampler; a subclass names one."""

    sampler: str
    space = MIXED
    trials = TRIALS

    @pytest.fixture(autouse=True)
    def somewhere(self, away: Path) -> None:
        pass

    @property
    def words(self) -> list[str]:
        return [f"sweep={self.sampler}", "sweep.metric=null", "sweep.space={}", *self.space]

    def plan(self, seed: int = 0) -> Plan:
        return planned(*self.words, seed=seed, trials=self.trials)

    def whole(self) -> list[dict[str, Any]]:
        return whole(*self.words, trials=self.trials)

    @pytest.mark.slow  # by default one that learns, and one that draws by itself
    def test_one_that_was_killed_tries_the_same(self) -> None:
        first = tried(self.plan(), "parts", until=5)
        assert len(first) == 5
        assert first + tried(self.plan(), "parts") == self.whole()

    @pytest.mark.slow  # by default the one that most use
    def test_another_seed_tries_others(self) -> None:
        assert tried(self.plan(seed=1), "other", until=4)[1:] != self.whole()[1:4]

    def test_points_are_of_the_space(self) -> None:
        plan, points = self.plan(), self.whole()
        assert len(points) == plan.trials
        for point in points:
            assert all(dimension.holds(point[dimension.key]) for dimension in plan.space)
        assert len({str(point) for point in points}) > len(points) // 2


class Guided(SamplerContract):
    """One that learns does better than chance."""

    def test_it_learns(self) -> None:
        points = tried(planned(f"sweep={self.sampler}", "sweep.space={}", "sweep.first=[]", *NUMBERS, trials=24), "one")
        late = [goodness(point) for point in points[12:]]
        assert statistics.median(late) > statistics.median(goodness(drawn()) for _ in range(1000))


CHANCE = random.Random(0)


def drawn() -> dict[str, Any]:
    """A point of ``NUMBERS`` that nobody has chosen."""
    return {"optimizer.lr": 10 ** CHANCE.uniform(-4, -1), "optimizer.weight_decay": CHANCE.random()}


class TestRandom(SamplerContract):
    sampler = "random"


class TestTpe(Guided):
    sampler = "tpe"

    @pytest.mark.slow
    def test_it_learns(self) -> None:
        super().test_it_learns()

    def test_another_seed_tries_others(self) -> None:
        super().test_another_seed_tries_others()

    def test_one_that_was_killed_tries_the_same(self) -> None:
        super().test_one_that_was_killed_tries_the_same()


class TestGp(Guided):
    sampler = "gp"  # each trial takes it half a second

    @pytest.mark.slow
    def test_points_are_of_the_space(self) -> None:
        super().test_points_are_of_the_space()

    @pytest.mark.slow
    def test_it_learns(self) -> None:
        super().test_it_learns()


class TestCmaes(Guided):
    sampler = "cmaes"
    space = NUMBERS

    def test_one_that_was_killed_tries_the_same(self) -> None:
        super().test_one_that_was_killed_tries_the_same()

    @pytest.mark.slow
    def test_it_learns(self) -> None:
        super().test_it_learns()


class TestQmc(SamplerContract):
    sampler = "qmc"

    @pytest.mark.slow
    def test_points_are_of_the_space(self) -> None:
        super().test_points_are_of_the_space()


class TestNsga2(SamplerContract):
    sampler = "nsga2"


class TestNsga3(SamplerContract):
    sampler = "nsga3"

    @pytest.mark.slow
    def test_points_are_of_the_space(self) -> None:
        super().test_points_are_of_the_space()


class TestBruteForce(SamplerContract):
    sampler = "brute_force"
    space = FINITE

    @pytest.mark.slow
    def test_points_are_of_the_space(self) -> None:
        super().test_points_are_of_the_space()

    def test_each_point_once(self) -> None:
        assert len({str(point) for point in self.whole()}) == 8


class TestGrid(SamplerContract):
    sampler = "grid"
    space = FINITE

    def test_another_seed_tries_others(self) -> None:
        assert self.whole() == tried(self.plan(seed=1), "other") == list(self.plan().points())


@pytest.mark.parametrize(
    "sampler",
    ["random", "tpe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gp", "cmaes", "qmc", "nsga2"))],
)
def test_a_key_that_applies_to_some(sampler: str) -> None:
    points = tried(planned(f"sweep={sampler}", "sweep.metric=null", "sweep.space={}", *CONDITIONAL, NUMBERS[1]), "one")
    assert {point["model"] for point in points} == {"linear", "mlp"}
    assert all(("model.dropout" in point) == (point["model"] == "mlp") for point in points)


@pytest.mark.parametrize(
    "sampler",
    ["tpe", "nsga2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gp", "qmc", "random", "nsga3"))],
)
def test_several_objectives(sampler: str) -> None:
    words = [f"sweep={sampler}", "sweep.metric=[val/accuracy,latency_ms]", "sweep.space={}", *NUMBERS]
    assert len(tried(planned(*words, trials=4), "one")) == 4


def test_values_of_a_range_are_those_that_were_written() -> None:
    words = ["sweep=random", "sweep.name=written", "sweep.space={}", "model.dropout=range(0.1,0.9,0.1)"]
    plan = planned(*words, trials=8)
    values = {point["model.dropout"] for point in tried(plan, "written")}
    assert len(values) > 2
    assert values <= {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8}
    with opened(plan, ["val/accuracy"]) as (folder, trials):
        told = Summary(plan, ["val/accuracy"], folder).of(trials.study, seconds=1.0)["trials"]
    assert {trial["params"]["model.dropout"] for trial in told} == values
    assert {trial["value"] for trial in told} == {goodness({})}


def test_those_that_run_at_once_differ() -> None:
    plan = planned("sweep=tpe", "sweep.space={}", "sweep.workers=4", *NUMBERS, trials=12)
    named = replace(plan, settings=plan.settings.model_copy(update={"name": "at-once"}))
    with opened(named, ["val/accuracy"]) as (_, trials):
        for _ in range(8):
            one = trials.take()
            assert one is not None
            trials.tell(one, outcome("COMPLETE", values=[goodness(one.point)]))
        at_once = [trials.take() for _ in range(4)]
    rates = [math.log10(one.point["optimizer.lr"]) for one in at_once if one is not None]
    assert len(rates) == 4
    assert min(abs(a - b) for place, a in enumerate(rates) for b in rates[:place]) > 1e-6


def test_a_window_holds_the_newest_and_the_best() -> None:
    with quietly():
        study = optuna.create_study(direction="maximize")
        for value in (1.0, 9.0, 2.0, 3.0, 4.0):
            study.tell(study.ask(), value)
        study.ask()
        seen = _Window(study, 2)._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING))
    assert [trial.number for trial in seen] == [1, 3, 4, 5]


def test_a_quasi_random_trial_has_its_own_place_and_draws_the_rest_for_itself() -> None:
    """Four at once take four places, and a key that the first trial did not have is not the same for all."""
    with quietly():
        study = optuna.create_study()
        asked = []
        for number in range(8):
            settings = Sweep(sampler="qmc", workers=4, space={})
            study.sampler = make_sampler(settings, number=number, trials=8, objectives=1, conditional=True)
            asked.append(study.ask())
            found = asked[-1].suggest_float("x", 0, 1), asked[-1].suggest_float("y", 0, 1)
            assert found not in [(one.params["x"], one.params["y"]) for one in asked[:-1]]
            if number:
                asked[-1].suggest_float("z", 0, 1)
    assert len({one.params["z"] for one in asked[1:]}) == 7
