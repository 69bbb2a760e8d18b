"""A plan as JSON and back, and where a new plan differs from that of a study."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runcard
from runcard.card.plan import Plan
from runcard.errors import CardError, RunError

BASE = ["data=wine", "sweep=tpe", "optimizer.weight_decay=0.0", "sweep.n_trials=5"]
RICH = [
    *BASE,
    "model=mlp,linear",
    "model.hidden=choice([64],[32,32]) if model=mlp",
    "trainer.early_stopping={patience: 3},{patience: null}",
    "sweep.first=[{model: mlp, model.hidden: [64]}]",
    "sweep.metric=[val/accuracy,val/loss]",
]
GRID = ["data=wine", "model=mlp,linear", "model.dropout=0.1,0.2 if model=mlp", "debug=null,fast", "seed=range(1,9,3)"]
CONTENT: dict[str, Any] = {}


def again(plan: Plan) -> Plan:
    return Plan.from_dict(json.loads(json.dumps(plan.to_dict())))


def content() -> dict[str, Any]:
    """A rich plan as JSON, composed once."""
    if not CONTENT:
        CONTENT.update(json.loads(json.dumps(runcard.load_sweep(RICH).to_dict())))
    copy: dict[str, Any] = json.loads(json.dumps(CONTENT))
    return copy


@pytest.mark.parametrize("words", [RICH, GRID, [*BASE, "seed=1,2"], ["seed=choice(7)"]])
def test_a_plan_comes_back_as_it_was(words: list[str]) -> None:
    plan = runcard.load_sweep(words)
    back = again(plan)
    assert (back.settings, back.space, back.own, back.first) == (plan.settings, plan.space, plan.own, plan.first)
    assert (back.name, back.trials, back.size) == (plan.name, plan.trials, plan.size)
    assert plan.differences(back) == back.differences(plan) == []
    points = list(plan.points()) if plan.size < 100 else [plan.whole({}), plan.whole({"model": "linear"})]
    for point in points:
        assert back.card(point).to_dict() == plan.card(point).to_dict()
    if plan.size < 100:
        assert list(back.points()) == points


@pytest.mark.parametrize("key", ["settings", "space", "templates", "fixed", "own"])
@pytest.mark.parametrize("value", [None, 3, "text", [3], [{}], [None], {"sampler": 1}])
def test_a_damaged_plan(key: str, value: object) -> None:
    with pytest.raises(RunError, match="the plan of the study is damaged"):
        Plan.from_dict({**content(), key: value})
    without = content()
    del without[key]
    with pytest.raises(RunError, match=f"the plan of the study is damaged: '{key}' is missing"):
        Plan.from_dict(without)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_plan_damaged_anywhere_is_no_traceback(data: st.DataObject) -> None:
    read_damaged(data)


@pytest.mark.slow
@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_plans_damaged_in_many_places(data: st.DataObject) -> None:
    read_damaged(data)


def read_damaged(data: st.DataObject) -> None:
    damaged = content()
    *above, last = data.draw(st.sampled_from([path for path in places(damaged) if path]))
    inner: Any = damaged
    for key in above:
        inner = inner[key]
    if data.draw(st.booleans()):
        del inner[last]
    else:
        inner[last] = data.draw(JSON)
    try:
        plan = Plan.from_dict(damaged)
    except (RunError, CardError):
        return
    plan.differences(plan)


PLAIN = [*BASE, "optimizer.lr=0.1,0.2", "model=mlp,linear", "seed=1,2"]


@functools.cache
def plain() -> Plan:
    return runcard.load_sweep(PLAIN)


def changed(*words: str) -> list[str]:
    """What differs from ``PLAIN`` with some words in the place of those with the same key."""
    keys = [word.partition("=")[0] for word in words]
    others = [word for word in PLAIN if word.partition("=")[0] not in keys]
    return plain().differences(runcard.load_sweep([*others, *words]))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["seed=1,2,3"], "sweep.space.seed: was 1,2, is 1,2,3"),
        (["seed=1,2 if model=mlp"], "sweep.space.seed: was 1,2, is 1,2 if model=mlp"),
        (["model.dropout=0.1,0.2 if model=mlp"], "sweep.space.model.dropout: was not varied, is 0.1,0.2 if model=mlp"),
        (["sweep.metric=val/loss"], "sweep.metric: was null, is val/loss"),
        (["sweep.metric=[val/loss,val/accuracy]"], 'sweep.metric: was null, is ["val/loss", "val/accuracy"]'),
        (["trainer.max_epochs=7"], "trainer.max_epochs: was 30, is 7"),
        (["data=diabetes"], "data.name: was wine, is diabetes"),
        (["seed=3"], "sweep.space.seed: was 1,2, is not varied"),
    ],
)
def test_each_difference_is_named(words: list[str], line: str) -> None:
    found = changed(*words)
    assert line in found, found
    assert len(found) <= 12


@pytest.mark.parametrize(
    "word",
    [
        "n_trials=9",
        "workers=3",
        "timeout_s=5",
        "target_value=0.9",
        "max_failure_rate=1",
        "retries=0",
        "sampler=random",
        "seed=3",
        "pruner=median",
        "storage=postgresql://h/d",
        "name=other",
        "studies_dir=other",
        "if_exists=new",
    ],
)
def test_how_it_is_gone_about_may_change(word: str) -> None:
    name = [] if word.startswith("name") else ["sweep.name=mine"]
    assert changed(f"sweep.{word}", *name) == []


@pytest.mark.parametrize("word", ["runs_dir=other", "logger=csv", "report=true", "name=other"])
def test_where_things_go_may_change(word: str) -> None:
    assert changed(word) == []
