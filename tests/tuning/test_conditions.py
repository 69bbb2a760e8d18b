"""Conditions of a space: ``key: VALUES if OTHER=VALUE``, read, refused, and met by each point once."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcard
from runcard.card import points
from runcard.card.conditions import ordered
from runcard.card.overrides import parse_sweep
from runcard.card.plan import Plan
from runcard.card.space import Dimension
from runcard.errors import CardError, Mistake

MODELS = "model=mlp,linear"
HIDDEN = "model.hidden=[64],[32] if model=mlp"


def in_file(lines: str, *words: str) -> Plan:
    """A sweep whose space stands in a file, from line 7 on."""
    Path("mine/sweep").mkdir(parents=True, exist_ok=True)
    space = "".join(f"    {line}\n" for line in lines.splitlines())
    head = "# @package _global_\nhydra:\n  mode: MULTIRUN\nsweep:\n  sampler: grid\n  space:\n"
    Path("mine/sweep/own.yaml").write_text(head + space)
    return runcard.load_sweep(["sweep=own", "data=wine", *words], "mine")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([MODELS, HIDDEN], [("mlp", [64]), ("mlp", [32]), ("linear",)]),
        ([HIDDEN, MODELS], [("mlp", [64]), ("mlp", [32]), ("linear",)]),
        ([MODELS, "model.hidden=choice([4])  if  model=mlp"], [("mlp", [4]), ("linear",)]),
        (["seed=1,2", "model=linear,mlp if seed=1"], [(1, "linear"), (1, "mlp"), (2,)]),
        (["debug=null,fast", "seed=1,2 if debug=null"], [(None, 1), (None, 2), ("fast",)]),
        (["seed=range(1,9,3)", "model.dropout=0.1,0.2 if seed=7,4"], [(1,), (4, 0.1), (4, 0.2), (7, 0.1), (7, 0.2)]),
        (["optimizer.fused=true,false", "seed=1,2 if optimizer.fused=true"], [(True, 1), (True, 2), (False,)]),
        (
            ["trainer.early_stopping={patience: 3},{patience: 4}", "seed=1,2 if trainer.early_stopping={patience: 3}"],
            [({"patience": 3}, 1), ({"patience": 3}, 2), ({"patience": 4},)],
        ),
        (
            [MODELS, HIDDEN, "model.dropout=0.1,0.2 if model.hidden=[64]"],
            [("mlp", [64], 0.1), ("mlp", [64], 0.2), ("mlp", [32]), ("linear",)],
        ),
        (
            [MODELS, "optimizer=sgd,adamw if model=mlp", "optimizer.momentum=0.1,0.2 if optimizer=sgd and model=mlp"],
            [("mlp", "sgd", 0.1), ("mlp", "sgd", 0.2), ("mlp", "adamw"), ("linear",)],
        ),
        (["seed=choice(7)"], [(7,)]),
    ],
)
def test_points_that_meet_their_conditions(words: list[str], expected: list[tuple[object, ...]]) -> None:
    plan = runcard.load_sweep(["data=wine", *words])
    found = list(plan.points())
    assert [tuple(point.values()) for point in found] == expected
    assert plan.size == len(expected)
    for point in found:
        flat = runcard.leaves.flatten(plan.card(point).to_dict())
        assert all(flat[key] == value for key, value in point.items() if key in flat)
        assert plan.applying(plan.whole(point)) == point


@pytest.mark.parametrize(
    "lines",
    [
        "model: mlp,linear\nmodel.hidden: choice([64],[32]) if model=mlp",
        "model.hidden: '[64],[32] if model=mlp'\nmodel: [mlp, linear]",
    ],
)
def test_a_file_says_the_same(lines: str) -> None:
    plan = in_file(lines)
    assert [tuple(point.values()) for point in plan.points()] == [("mlp", [64]), ("mlp", [32]), ("linear",)]
    assert plan.card({"model": "linear", "model.hidden": [64]}).model.arguments() == {}
    changed = in_file(lines, "model.hidden=[3],[4] if model=mlp")
    assert [point.get("model.hidden") for point in changed.points()] == [[3], [4], None]


def test_a_group_that_is_set_is_not_tried() -> None:
    plan = in_file("model: mlp,linear\nseed: [1, 2]", "model=linear")
    assert list(plan.points()) == [{"seed": 1}, {"seed": 2}]
    assert plan.name == "wine-linear"
    with pytest.raises(CardError, match="names model, which has one value here"):
        in_file("model: mlp,linear\nmodel.hidden: choice([64]) if model=mlp", "model=mlp")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([MODELS, "seed=1,2 if modle=mlp"], "names modle, which the sweep does not vary\n    Did you mean model?"),
        ([MODELS, "seed=1,2 if model=mpl"], 'asks for model="mpl", which is not tried\n    Did you mean mlp?'),
        (["model=mlp", "seed=1,2 if model=mlp"], "names model, which has one value here"),
        (["seed=1", "model.dropout=0.1,0.2 if seed=1"], "names seed, which has one value here"),
        (["seed=1,2", "model.dropout=0.1,0.2 if seed=true"], "asks for seed=true, which is not tried"),
        (["seed=1,2 if model=mlp", "model=mlp,linear if seed=1"], "conditions of seed and model wait for each other"),
        (["seed=1,2 if seed=1"], "conditions of seed wait for each other"),
        (["seed=1,2", "model.dropout=0.1,0.2 if seed=1 and seed=2"], "names seed twice in its condition"),
        (["seed=1,2", "model.dropout=choice(0.1,0.2) if seed==1"], "has a condition that cannot be read: seed==1"),
        (["seed=1,2", "model.dropout=choice(0.1) if seed=1 or seed=2"], "has a condition that cannot be read"),
        (["seed=1,2", "model.hidden=[64] if seed=1"], "A condition stands behind values to try"),
        (
            ["optimizer.lr=interval(0.1,0.2)", "seed=1,2 if optimizer.lr=0.1", "sweep=tpe"],
            "names optimizer.lr, which is an interval",
        ),
        (
            [MODELS, "optimizer=sgd,adamw if model=linear", "model.dropout=0.1,0.2 if model=mlp and optimizer=sgd"],
            "is never tried: its conditions are not met together",
        ),
        ([MODELS, "model.hidden=[64],[32]"], "model.hidden: there is no such key"),
        ([MODELS, "model.hidden=choice([8],[0]) if model=mlp"], "model.hidden.0: must be 1 or more, not 0"),
        ([MODELS, "model.hidden=choice([8],[0]) if model=mlp", "seed=range(0,5000)"], "must be 1 or more, not 0"),
    ],
)
def test_a_condition_that_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(CardError) as caught:
        runcard.load_sweep(["data=wine", *words])
    assert says in "\n".join(line.replace("      ", "    ") for line in str(caught.value).splitlines())
    assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("seed: 1,2\nmodel.dropout: choice(0.1,0.2) if sede=1", 8),
        ("seed: 1,2\nmodel.dropout: choice(0.1,0.2) if seed=3", 8),
        ("seed: 1,2\nmodel.dropout: choice(0.1,0.2) if seed==1", 8),
        ("seed: 1,2\nmodel.hidden: choice([0],[1]) if seed=2", 8),
        ("model: mlp,cnm\nseed: 1,2", 7),
        ("seed: 1,2\nmodle.hidden: [1, 2]", 8),
        ("model: mlp,linear\nseed: 1,2 if model=linear\nmodel.dropout: choice(0.1) if model=mlp and seed=1", 9),
    ],
)
def test_a_mistake_in_a_file_has_its_place(lines: str, line: int) -> None:
    with pytest.raises(CardError) as caught:
        in_file(lines)
    (mistake,) = caught.value.mistakes
    assert mistake.where.endswith(f"mine/sweep/own.yaml:{line}")


@pytest.mark.parametrize(
    "text",
    ["a if b=c", "'a, b if c=d'", "what if", "if x=y", "one if seed=range(1,3)", "a if b", "good (or not) if any"],
)
def test_texts_that_only_look_like_a_condition(text: str) -> None:
    mistakes: list[Mistake] = []
    (one,), many = parse_sweep([f"problem.goal={text}"], mistakes)
    assert (one.value, many, mistakes) == (text.strip("'"), [], [])


@st.composite
def spaces(draw: st.DrawFn) -> list[Dimension]:
    """Some keys with values, each with a condition on some of those before it, in any order."""
    space: list[Dimension] = []
    for place in range(draw(st.integers(1, 6))):
        values = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)))
        named = draw(st.lists(st.sampled_from(space), max_size=2, unique_by=lambda one: one.key)) if space else []
        chosen = [(one.key, tuple(draw(st.sets(st.sampled_from(one.values), min_size=1)))) for one in named]
        space.append(Dimension(f"k{place}", "", values, when=tuple(chosen)))
    return draw(st.permutations(space))


@given(spaces())
def test_points_are_those_of_a_search_by_brute_force(written: list[Dimension]) -> None:
    space = ordered(written)
    assert sorted(one.key for one in space) == sorted(one.key for one in written)
    found = list(points.combined(space, [one.values for one in space], {}))
    assert len(found) == points.count(space)
    wanted: list[dict[str, Any]] = []
    for values in itertools.product(*(one.values for one in space)):
        point = dict(zip((one.key for one in space), values, strict=True))
        while lost := [d for d in space if d.key in point and not all(point.get(k) in v for k, v in d.when)]:
            del point[lost[0].key]
        if point not in wanted:
            wanted.append(point)
    assert found == wanted
    for place, one in enumerate(space):
        met = list(points.meeting(space, place))
        assert bool(met) == any(one.key in point for point in found)
        assert {point[one.key] for point in met} <= set(one.values)
