"""A sweep's plan: conditions, points tried first, what does not go together, and a study's plan made again."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard.card import points
from runcard.card.conditions import ordered
from runcard.card.overrides import parse_sweep
from runcard.card.plan import Plan
from runcard.card.space import Dimension
from runcard.errors import CardError, Mistake
from tests.conftest import Command

NETS = ["model=mlp,cnn", "model.channels=choice([16,32],[32,64]) if model=cnn"]
LR = "sweep.space.optimizer.lr: was tag(log, interval(1e-4, 1e-1))"
URL = "postgresql://me:geheim99@db/studies"


def refused(*words: str) -> str:
    with pytest.raises(CardError) as caught:
        runcard.load_sweep(words)
    return str(caught.value)


def again(plan: Plan) -> Plan:
    return Plan.from_dict(json.loads(json.dumps(plan.to_dict())))


def test_a_key_with_a_condition_is_tried_where_it_holds() -> None:
    plan = runcard.load_sweep([*NETS, "seed=1,2"])
    assert list(plan.points()) == [
        *({"model": "mlp", "seed": seed} for seed in (1, 2)),
        *({"model": "cnn", "model.channels": kind, "seed": seed} for kind in ([16, 32], [32, 64]) for seed in (1, 2)),
    ]
    assert plan.size == plan.trials == 6
    assert plan.card({"model": "mlp", "model.channels": [16, 32], "seed": 1}).model.arguments().get("channels") is None


def test_a_condition_may_stand_before_the_key_that_it_names_and_in_a_file() -> None:
    Path("mine/sweep").mkdir(parents=True)
    space = {"model.channels": "choice([16,32]) if model=cnn", "model": "mlp,cnn", "seed": "1,2 if model=mlp,cnn"}
    content = {"hydra": {"mode": "MULTIRUN"}, "sweep": {"sampler": "grid", "space": space}}
    Path("mine/sweep/own.yaml").write_text("# @package _global_\n" + yaml.safe_dump(content, sort_keys=False))
    plan = runcard.load_sweep(["sweep=own"], "mine")
    assert [dimension.key for dimension in plan.space] == ["model", "model.channels", "seed"]
    assert plan.size == 4


def test_a_group_with_a_condition_is_else_the_cards_own() -> None:
    plan = runcard.load_sweep(["data=wine", "model=linear,mlp", "optimizer=choice(sgd) if model=mlp"])
    cards = [plan.card(point) for point in plan.points()]
    assert [card.optimizer.target_class.rpartition(".")[2] for card in cards] == ["AdamW", "SGD"]


@pytest.mark.parametrize(
    "text", ["problem.goal=cats,dogs if needed", "problem.goal=a,b (if x == 1)", "problem.goal='a,b if c=1'"]
)
def test_texts_with_if_are_texts(text: str) -> None:
    mistakes: list[Mistake] = []
    one, many = parse_sweep([text], mistakes)
    assert not mistakes
    assert not any(dimension.when for dimension in many)
    assert len(one) + len(many) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([NETS[0], "model.channels=choice([16]) if modl=cnn"], "Did you mean model?"),
        (["model=cnn", "seed=1,2 if model=cnn"], "names model, which has one value here"),
        (["seed=1,2 if model=cnn"], "names model, which has one value here"),
        ([NETS[0], "model.channels=choice([16]) if model=cnm"], 'asks for model="cnm", which is not tried'),
        ([NETS[0], "model.channels=choice([16]) if model==cnn"], "has a condition that cannot be read: model==cnn"),
        ([NETS[0], "model.channels=[16] if model=cnn"], "A condition stands behind values to try"),
        ([NETS[0], "model.channels=choice([16],[0]) if model=cnn"], "model.channels.0: must be 1 or more"),
        ([NETS[0], "seed=1,2 if model=cnn and model=mlp"], "names model twice"),
        (["seed=1,2 if model=cnn", "model=mlp,cnn if seed=1"], "wait for each other"),
        (["sweep=tpe", "seed=1,2 if optimizer.lr=0.01"], "which is an interval"),
        ([NETS[0], "seed=1,2 if model=cnn", "data.batch_size=8,16 if model=mlp and seed=1"], "is never tried"),
        (["sweep=tpe", "sweep.metric=3"], "sweep.metric: must be a list"),
        (["sweep=tpe", "sweep.metric=[val/loss,val/loss]"], "sweep.metric: names one twice"),
        (["sweep=tpe", "sweep.metric=[val/lss,latency_ms]"], "nobody logs 'val/lss'"),
        (["sweep=tpe", "sweep.window=5"], "sweep.window: is not used by tpe"),
        (["sweep=random", "sweep.startup_trials=5"], "sweep.startup_trials: is not used by random"),
        (["sweep=tpe", "sweep.pruner=median", "sweep.pruning.lower=1"], "it is for threshold"),
        (["sweep=tpe", "sweep.pruner=medain"], "Did you mean median?"),
        (["sweep=tpe", "sweep.pruner=threshold"], "has no bound"),
        (["sweep=tpe", "sweep.pruner=threshold", "sweep.pruning={lower: 2, upper: 1}"], "above sweep.pruning.upper"),
        (["sweep=tpe", "sweep.pruner=wilcoxon"], "compares trials seed by seed"),
        (["sweep=tpe", "sweep.spread_weight=1"], "weighs the spread over seeds"),
        (["sweep=tpe", "sweep.seeds=3", "sweep.space.seed=[1,2]"], "seed: is varied, and sweep.seeds=3"),
        (["sweep=nsga2", "sweep.pruner=median"], "'median' takes one metric"),
        (["sweep=nsga2", "sweep.target_value=1"], "sweep.target_value: is for one metric"),
        (["sweep=cmaes", "sweep.metric=[val/loss,size_mb]"], "'cmaes' takes one metric"),
        (["sweep=cmaes", "optimizer.lr=0.1"], "guides two numbers or more, and the space has 1"),
        (["sweep=brute_force", "optimizer.lr=interval(0,1)"], "an interval has no end of values, and brute_force"),
        (["sweep=gp", "sweep.n_trials=null"], "must be a number for sweep=gp"),
        (["sweep=tpe", "sweep.storage=sqlite:///a.db"], "sqlite:// is not offered"),
        (["sweep=tpe", "sweep.storage=study.db"], "is no URL"),
        (["sweep=tpe", "sweep.storage=postgresql://db:x/a"], "cannot be read"),
        (["sweep=tpe", "sweep.storage=${oc.env:NOT_THERE}"], "NOT_THERE is not set"),
        (["sweep=grid", "sweep.first=[{optimizer.lr: 1e-3}]"], "is not for grid"),
        (["sweep=tpe", "sweep.first=[{optimizer.lrr: 1e-3}]"], "Did you mean optimizer.lr?"),
        (["sweep=tpe", "sweep.first=[{optimizer.lr: 5}]"], "names optimizer.lr=5, which is not among"),
        (["sweep=tpe", "sweep.first=[{}]"], "sweep.first.0: names no value"),
        (["sweep=tpe", *NETS, "sweep.first=[{model.channels: [16,32]}]"], "is tried only if model=cnn"),
        (["sweep=tpe", "sweep.first=3"], "sweep.first: must be a list"),
        (["sweep=tpe", "sweep.workers=0"], "sweep.workers: must be 1 or more"),
    ],
)
def test_what_does_not_go_together(words: list[str], says: str, command: Command) -> None:
    done = command("check", "-m", *words)
    assert done.code == 2
    assert says in done.err


def test_all_at_once() -> None:
    said = refused("sweep=tpe", "sweep.window=4", "sweep.spread_weight=1", "sweep.pruning.lower=1")
    assert "3 mistakes" in said


@pytest.mark.parametrize(
    ("package", "words"), [("cmaes", ["sweep=cmaes"]), ("psycopg", ["sweep=tpe", "sweep.storage=postgresql://db/a"])]
)
def test_a_package_that_is_not_there(package: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    assert "pip install 'runcard[" in refused(*words)


def test_points_that_are_tried_first() -> None:
    words = ["sweep=tpe", *NETS]
    assert runcard.load_sweep(words).first == [{"optimizer.lr": 0.003, "optimizer.weight_decay": 0.01, "model": "mlp"}]
    assert runcard.load_sweep([*words, "sweep.first=[]"]).first == []
    given = "sweep.first=[{optimizer: {lr: 0.01}}, {model: cnn, model.channels: [32,64]}]"
    plan = runcard.load_sweep([*words, given])
    assert plan.first == [{"optimizer.lr": 0.01}, {"model": "cnn", "model.channels": [32, 64]}]
    assert again(plan).first == plan.first
    assert runcard.load_sweep(["sweep=grid"]).first == runcard.load_sweep(["sweep=brute_force"]).first == []


def test_options_of_the_pruner_with_what_null_stands_for() -> None:
    plan = runcard.load_sweep(["sweep=tpe", "sweep.pruner=percentile", "sweep.pruning.warmup_epochs=2"])
    usual = {"percentile": 25.0, "startup_trials": 5, "warmup_epochs": 2, "every_epochs": 1}
    assert plan.settings.pruning_options == usual


@pytest.mark.parametrize("storage", ["${oc.env:STUDY_URL}", URL])
def test_no_password_is_printed_or_kept(storage: str, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setenv("STUDY_URL", URL)
    words = ["sweep=tpe", "sweep.name=mine", f"sweep.storage={storage}"]
    plan = runcard.load_sweep(words)
    assert plan.settings.storage == URL
    kept = plan.to_dict()["settings"]["storage"]
    assert kept == (storage if storage != URL else "postgresql://me@db/studies")
    assert again(plan).settings.storage == (URL if storage != URL else kept)
    for more in ([], ["sweep.window=3"]):
        done = command("check", *words, *more, "--json")
        assert "geheim99" not in json.dumps(plan.to_dict()) + done.out + done.err


def test_a_reference_that_is_gone_when_a_study_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_URL", URL)
    content = runcard.load_sweep(["sweep=tpe", "sweep.name=mine", "sweep.storage=${oc.env:STUDY_URL}"]).to_dict()
    monkeypatch.delenv("STUDY_URL")
    with pytest.raises(CardError, match="STUDY_URL is not set"):
        Plan.from_dict(content)


@pytest.mark.parametrize(
    "words",
    [
        ["seed=1,2"],
        [*NETS, "debug=null,fast", "name=mine"],
        ["sweep=tpe", "trainer.early_stopping=choice({patience: 5},{patience: null})"],
        ["seed=range(1,9,3)", "optimizer.lr=range(0.1,0.4,0.1)", "problem.goal='${data.name}','a,b'"],
        ["sweep=gp", "sweep.window=9", "seed=int(interval(1,9))"],
        ["sweep=nsga2", "data=wine", "optimizer=sgd,adamw", "optimizer.momentum=choice(0.8,0.9) if optimizer=sgd"],
    ],
)
def test_a_plan_is_made_again_from_what_was_kept(words: list[str]) -> None:
    plan = runcard.load_sweep(words)
    other = again(plan)
    assert (other, plan.differences(other)) == (plan, [])
    ends = points.combined(plan.space, points.corners(plan.space), {})
    assert all(plan.card(point) == other.card(point) for point in ends)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["sweep.n_trials=99", "sweep.workers=2", "sweep.pruner=median", "sweep.seed=4", "name=other"], []),
        (["logger=none", "runs_dir=other", "sweep.name=x", "sweep.first=[]"], []),
        (["sweep.metric=val/loss"], ["sweep.metric: was null, is val/loss"]),
        (["sweep.seeds=3"], ["sweep.seeds: was 1, is 3"]),
        (["seed=5"], ["seed: was 0, is 5"]),
        (["model.dropout=0.3"], ["model.dropout: was 0.1, is 0.3"]),
        (["optimizer.lr=interval(0.1,0.2)"], [f"{LR}, is interval(0.1,0.2)"]),
        (["optimizer.lr=0.1"], [f"{LR}, is not varied"]),
        (["optimizer.lr=tag(log,interval(0.0001,0.1))"], []),
    ],
)
def test_what_may_not_change_while_a_study_goes_on(words: list[str], lines: list[str]) -> None:
    was = runcard.load_sweep(["sweep=tpe"])
    found = was.differences(runcard.load_sweep(["sweep=tpe", *words]))
    assert found[: len(lines)] == lines
    assert bool(found) == bool(lines)


def test_many_differences_are_cut_short() -> None:
    was, now = (
        runcard.load_sweep(["sweep=tpe"]),
        runcard.load_sweep(["sweep=tpe", "experiment=digits_cnn", "data=wine", "model=linear"]),
    )
    found = was.differences(now)
    assert found[-1].startswith("and ")
    assert len(found) <= 11


@st.composite
def spaces(draw: st.DrawFn) -> tuple[Dimension, ...]:
    """A space whose conditions name keys before them."""
    made: list[Dimension] = []
    for number in range(draw(st.integers(1, 6))):
        values = tuple(range(draw(st.integers(1, 4))))
        named = draw(st.lists(st.sampled_from(made), unique_by=lambda one: one.key, max_size=2)) if made else []
        when = tuple((one.key, tuple(draw(st.sets(st.sampled_from(one.values), min_size=1)))) for one in named)
        made.append(Dimension(f"k{number}", f"k{number}=...", values, when=when))
    return ordered(draw(st.permutations(made)))


@settings(deadline=None)
@given(spaces())
def test_points_are_counted_as_they_are_listed(space: tuple[Dimension, ...]) -> None:
    listed = list(points.combined(space, [dimension.values for dimension in space], {}))
    assert points.count(space) == len(listed) == len({json.dumps(point) for point in listed})
    for point in listed:
        assert [dimension.key for dimension in space if dimension.applies(point)] == list(point)
    for place, dimension in enumerate(space):
        met = {point[dimension.key] for point in points.meeting(space, place)}
        tried = any(dimension.key in point for point in listed)
        assert met == ({min(dimension.values), max(dimension.values)} | met if tried else set())


def test_a_large_space_is_counted_and_judged_without_listing_it() -> None:
    many = [f"seed={','.join(map(str, range(900)))}", f"data.batch_size={','.join(map(str, range(8, 500)))}"]
    assert runcard.load_sweep([*many, *NETS]).size == 900 * 492 * 3
    assert "model.channels.0: must be 1" in refused(*many, NETS[0], "model.channels=choice([16],[0]) if model=cnn")
    assert "model.channels.0: must be 1" in refused(*many, NETS[0], "model.channels=choice([16],[0]) if seed=450")


def test_check_shows_how_it_goes_about(command: Command) -> None:
    words = ["check", *NETS, "sweep=tpe", "sweep.workers=2", "sweep.pruner=median", "sweep.seeds=3"]
    said = command(*words).out
    assert "sampler tpe, pruner median, 2 workers, 3 seeds each" in said
    assert "model.channels: choice([16,32],[32,64]) if model=cnn" in said
    assert "first: optimizer.lr=0.003" in said
    data = command(*words, "--json").json
    assert (data["sweep"]["workers"], data["first"][0]["model"], data["metric"]) == (2, "mlp", "val/accuracy")
