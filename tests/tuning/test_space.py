"""What a sweep may vary: read, checked, and turned into trials."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import runcard
from runcard.card.overrides import parse_sweep
from runcard.card.space import Dimension
from runcard.errors import CardError, Mistake
from runcard.tuning.points import decoded, distributions, encoded


def read(text: str) -> Dimension:
    mistakes: list[Mistake] = []
    _, (dimension,) = parse_sweep([text], mistakes)
    assert not mistakes
    return dimension


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=1,2,3", (1, 2, 3)),
        ("model.hidden=choice([64],[128,64])", ([64], [128, 64])),
        ("problem.goal='a,b','c d'", ("a,b", "c d")),
        ("seed=range(1,10,3)", (1, 4, 7)),
        ("optimizer.lr=range(0.1,0.4,0.1)", (0.1, 0.2, 0.3)),
        ("seed=range(3,0,-1)", (3, 2, 1)),
        ("trainer.gradient_clip_norm=null,1.0", (None, 1.0)),
        ("seed=choice(7)", (7,)),
        ("trainer.early_stopping=choice({patience:5},{patience:null})", ({"patience": 5}, {"patience": None})),
    ],
)
def test_values_are_listed_in_the_order_written(text: str, values: tuple[object, ...]) -> None:
    dimension = read(text)
    assert dimension.finite
    assert dimension.values == values


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("optimizer.lr=interval(0.1,0.5)", FloatDistribution(0.1, 0.5)),
        ("optimizer.lr=tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("seed=int(interval(1,9))", IntDistribution(1, 9)),
        ("model.hidden=tag(log,int(interval(16,512)))", IntDistribution(16, 512, log=True)),
        ("seed=range(1,10,3)", IntDistribution(1, 7, step=3)),
        ("model.hidden=[64],[128,64]", CategoricalDistribution(["[64]", "[128, 64]"])),
        ("optimizer.fused=true,false", CategoricalDistribution([True, False])),
    ],
)
def test_optuna_is_told_the_same(text: str, distribution: object) -> None:
    dimension = read(text)
    assert distributions([dimension]) == {dimension.key: distribution}


@given(st.lists(st.recursive(st.integers() | st.text() | st.booleans() | st.none(), st.lists, max_leaves=5)))
def test_values_come_back_as_they_were(values: list[object]) -> None:
    for value in values:
        dimension = Dimension("key", "key=...", (value,))
        assert decoded([dimension], encoded({"key": value})) == {"key": value}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "sweep.space: is empty"),
        (["sweep=tpe", "sweep.space={}"], "sweep.space: is empty"),
        (["sweep=tpe", "optimizer.lr=1e-3", "optimizer.weight_decay=0"], "sweep.space: is empty"),
        (["sweep=grid", "optimizer.lr=interval(0,1)"], "optimizer.lr: an interval has no end"),
        (["optimizer.lr=interval(1,0)"], "ends at 0.0, below its beginning 1.0"),
        (["optimizer.lr=tag(log,interval(0,1))"], "must begin above 0"),
        (["optimizer.lr=tag(cube,interval(0,1))"], "has the tag cube"),
        (["optimizer.lr=interval(0,.inf)", "sweep=tpe"], "optimizer.lr"),
        (["seed=range(3,1)"], "names no value to try"),
        (["seed=range(0,1000000)"], "names more than 10000 values"),
        (["seed=" + ",".join(map(str, range(10_001)))], "names more than 10000 values"),
        (["seed=range(0,5,0)"], "a step that is not 0"),
        (["seed=range(nan,1)"], "must have finite ends"),
        (["seed=range(0,1,nan)"], "must have finite ends"),
        (["optimizer.lr=range(inf,inf)"], "must have finite ends"),
        (["optimizer.lr=interval(-1e308,1e308)"], "a finite way between them"),
        (["seed=int(interval(1.5,3.5))"], "must hold whole numbers"),
        (["seed=int(interval(start=1,end=3.5))"], "must hold whole numbers"),
        (["seed=int(interval (1,3.9))"], "must hold whole numbers"),
        (["seed=int(choice(1.5,2.7))"], "must hold whole numbers"),
        (["seed=int(range(0.5,3))"], "must hold whole numbers"),
        (["seed=tag(log,int(interval(1.5,3)))"], "must hold whole numbers"),
        (["optimizer.lr=choice(interval(1e-3,1e-2),0.1)"], "Values are named by choice(a,b)"),
        (["optimizer.lr=interval(a,b)"], "Values are named by choice(a,b)"),
        (["optimizer.lr= intervall (1,2)"], "Did you mean interval"),
        (["optimizer.lr=[1e-3,1e-2]"], "What was typed names one value each: optimizer.lr=[1e-3,1e-2]"),
        (
            ["trainer.early_stopping={patience: 3},{patience: 4}", "trainer.early_stopping.patience=5,6"],
            "trainer.early_stopping.patience is given twice",
        ),
        (
            ["trainer.early_stopping={patience: 3},{patience: 4}", "trainer.early_stopping.patience=5"],
            "trainer.early_stopping.patience is given twice",
        ),
        (["optimizer.lr=interval(1e-3,1e-2),1"], "holds a range or an interval among its values"),
        (["optimizer.lr=interval(1e-3,1e-2"], "a bracket that is not closed"),
        (["trainer.gradient_clip_norm=choice(null,1.0)"], "as in KEY=null,1"),
        (["optimizer.lr=intervall(1,2)"], "Did you mean interval"),
        (["seed=glob(*)"], "seed is no group"),
        (["optimizer={lr: 0.1},{lr: 0.2}"], "a group has choices by name"),
        (["seed=1,2", "seed=3"], "seed is given twice"),
        (["seed=1,2", "seed=3,4"], "seed is given twice"),
        (["model=mlp,linear", "model=mlp"], "model is given twice"),
        (["sweep=tpe", "sweep.space={model.dropout: 0.1}"], "names one value, 0.1, and nothing to try"),
        (["optimizer.lr=0,0.0"], "names a value twice"),
        (["seed=1,true"], "names a value twice"),
        (["seed=1,1"], "names a value twice: 1"),
        (["seed=shuffle(1,2)"], "shuffle has no meaning here"),
        (["model=mlp,cnm"], "there is no model=cnm"),
        (["model=glob(x*)"], "fits none of the group's choices"),
        (["model=interval(0,1)"], "a group has choices by name"),
        (["sweep=tpe,random"], "a sweep is gone about in one way"),
        (["seed=1,2", "sweep.seed=1,2"], "a sweep is gone about in one way"),
        (["seed=1,2", "sweep.n_trails=3"], "Did you mean sweep.n_trials?"),
        (["seed=1,2", "sweep.n_trials=0"], "sweep.n_trials: must be 1 or more"),
        (["sweep=tpe", "sweep.n_trials=null"], "must be a number for sweep=tpe"),
        (["seed=1,2", "sweep.name=a/b"], "sweep.name: must be letters"),
        (["sweep=tpe", "sweep.space.seed=3"], "sweep.space.seed"),
        (["sweep=tpee"], "Did you mean tpe?"),
        (["trainer.max_epoch=1,2"], "Did you mean trainer.max_epochs?"),
        (["model.hidden=[0],[64]"], "model.hidden.0: must be 1 or more, not 0"),
        (["optimizer.lr=interval(-1,1)", "sweep=random"], "optimizer.lr: must be above 0.0, not -1.0"),
        (["data=wine", "model=mlp,cnn"], "a convolutional network needs images"),
        (["problem.metric=fame", "seed=1,2"], "problem.metric: must be"),
        (["trainer.monitor=val/fame", "seed=1,2"], "nobody logs 'val/fame'"),
        (["sede=1,2"], "Did you mean seed?"),
    ],
)
def test_a_space_that_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(CardError) as caught:
        runcard.load_sweep(words)
    assert says in str(caught.value)


def test_what_was_typed_beside_a_files_space_is_not_said_to_stand_in_the_file() -> None:
    with pytest.raises(CardError) as caught:
        runcard.load_sweep(["sweep=tpe", "data=wine", "model=linear", "model=linear,mlp"])
    (mistake,) = caught.value.mistakes
    assert (mistake.key, mistake.where) == ("model=linear,mlp", "")


@pytest.mark.parametrize(
    "text",
    [
        "data.path=tag(1).csv",
        "data.path=range(1)_x.csv",
        "data.path=int(old)/a.csv",
        "data.path=rows (1).csv",
        "problem.goal=sort(a) of things",
        "problem.goal=count(x)",
        "problem.goal=range(s) of things: nice",
    ],
)
def test_texts_with_brackets_are_texts(text: str) -> None:
    mistakes: list[Mistake] = []
    (one,), many = parse_sweep([text], mistakes)
    assert (one.value, many, mistakes) == (text.partition("=")[2], [], [])


def test_all_mistakes_at_once_and_each_once() -> None:
    with pytest.raises(CardError) as caught:
        runcard.load_sweep(["seed=1,2,3", "model.hidden=[0],[64]", "trainer.max_epoch=1,2", "sweep.name=x"])
    assert sorted(mistake.key for mistake in caught.value.mistakes) == ["model.hidden.0", "trainer.max_epoch"]


def test_corners_of_a_large_space_are_judged() -> None:
    values = ",".join(str(number) for number in range(1, 400))
    with pytest.raises(CardError, match="below 1"):
        runcard.load_sweep([f"seed={values}", f"data.batch_size={values}", "model.dropout=0.1,0.2,1.5"])


def test_the_files_space_is_narrowed_key_by_key() -> None:
    plan = runcard.load_sweep(["sweep=tpe", "optimizer.weight_decay=0.1", "sweep.space.seed=[1,2]"])
    assert list(plan.written_space) == ["optimizer.lr", "seed"]
    assert plan.card({"optimizer.lr": 0.1, "seed": 2}).values()["optimizer"]["weight_decay"] == 0.1


def test_a_mapping_on_the_command_line_fixes_what_is_in_it() -> None:
    plan = runcard.load_sweep(["sweep=tpe", "optimizer={lr: 0.1}"])
    assert list(plan.written_space) == ["optimizer.weight_decay"]
    assert plan.card({"optimizer.weight_decay": 0.1}).optimizer.lr == 0.1


def test_a_sweep_that_was_chosen_may_be_taken_back() -> None:
    assert runcard.load_sweep(["sweep=tpe", "~sweep", "seed=1,2"]).settings.sampler == "grid"


def test_an_optional_group_may_be_left_out_in_some_trials() -> None:
    plan = runcard.load_sweep(["data=wine", "debug=null,fast"])
    limits = [plan.card(point).trainer.limit_batches for point in plan.points()]
    assert limits[0] is None
    assert limits[1] is not None
    assert [name for name, _ in plan.composed()] == ["null", "fast"]


def test_more_groups_than_can_be_composed() -> None:
    words = ["model=glob(*)", "optimizer=glob(*)", "data=glob(*)", "trainer=glob(*)", "logger=glob(*)"]
    with pytest.raises(CardError, match="combinations of groups"):
        runcard.load_sweep(words)


def test_a_long_list_of_numbers_is_judged_by_its_ends() -> None:
    seeds = ",".join(map(str, range(3000)))
    assert runcard.load_sweep([f"seed={seeds}"]).size == 3000
    for wrong in ("-1", "2.5"):
        with pytest.raises(CardError, match=f"not {wrong}"):
            runcard.load_sweep([f"seed={seeds},{wrong},7000"])


def test_a_file_of_ones_own_needs_only_what_differs() -> None:
    Path("mine/sweep").mkdir(parents=True)
    Path("mine/sweep/own.yaml").write_text(
        "# @package _global_\nhydra:\n  mode: MULTIRUN\nsweep:\n  sampler: grid\n  space:\n    seed: 1,2\n"
    )
    plan = runcard.load_sweep(["sweep=own"], "mine")
    assert (plan.trials, plan.settings.studies_dir) == (2, "studies")


def test_m_alone_takes_the_sampler_that_fits() -> None:
    assert runcard.load_sweep(["seed=1,2"]).settings.sampler == "grid"
    assert runcard.load_sweep(["seed=1,2", "optimizer.lr=interval(0.1,0.2)"]).settings.sampler == "tpe"


def test_the_cards_own_values_that_the_space_holds() -> None:
    plan = runcard.load_sweep(["model.hidden=[64],[128,128]", "optimizer.lr=interval(1,2)", "seed=0,1"])
    assert plan.own == {"model.hidden": [128, 128], "seed": 0}
    plan = runcard.load_sweep(["model=cnn,mlp", "optimizer=sgd", "optimizer.lr=interval(0.01,0.1)", "debug=fast,limit"])
    assert plan.own == {"model": "mlp", "optimizer.lr": 0.05}


def test_groups_are_composed_once_and_later_edits_change_nothing(away: Path) -> None:
    Path("mine/model").mkdir(parents=True)
    file = Path("mine/model/own.yaml")
    lines = "_target_: runcard.models.mlp.Mlp\nhidden: [7]\ndropout: 0.1\ninput_dropout: 0.0\n"
    file.write_text(lines)
    plan = runcard.load_sweep(["data=wine", "model=linear,own", "seed=1,2"], "mine")
    file.write_text(lines.replace("[7]", "[9]"))
    cards = [plan.card(point) for point in plan.points()]
    assert [card.model.arguments().get("hidden") for card in cards] == [None, None, (7,), (7,)]
    assert [card.name for card in cards] == ["wine-linear"] * 2 + ["wine-own"] * 2


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["data=wine", "seed=1,2"], "wine-mlp"),
        (["data=wine", "model=linear,mlp"], "wine"),
        (["data=wine,diabetes", "model=linear"], "sweep"),
        (["name=mine", "model=linear,mlp"], "mine"),
        (["name=a-x,a-y"], "a"),
    ],
)
def test_a_study_is_called_by_what_its_cards_share(words: list[str], name: str) -> None:
    assert runcard.load_sweep(words).name == name


def test_a_saved_card_can_be_swept() -> None:
    saved = runcard.load_card(["data=wine", "seed=5"])
    Path("card.yaml").write_text(yaml.safe_dump(saved.to_dict()))
    plan = runcard.load_sweep(["card.yaml", "optimizer.lr=0.1,0.2"])
    assert plan.card({"optimizer.lr": 0.2}).seed == 5
    with pytest.raises(CardError, match="no groups"):
        runcard.load_sweep(["card.yaml", "model=mlp,linear"])


def test_an_experiment_may_choose_the_sweep() -> None:
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/experiment/own.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /data: wine\n  - override /sweep: random\nseed: 3\n"
        "sweep:\n  n_trials: 2\n"
    )
    plan = runcard.load_sweep(["experiment=own"], "mine")
    assert (plan.settings.sampler, plan.settings.n_trials) == ("random", 2)
    assert plan.card({"optimizer.lr": 0.1, "optimizer.weight_decay": 0.1}).seed == 3


def test_one_card_is_not_a_sweep() -> None:
    with pytest.raises(CardError, match="Add -m to try them all"):
        runcard.load_card(["seed=1,2"])
    with pytest.raises(CardError, match="one card is wanted"):
        runcard.load_card(["sweep=tpe"])
    with pytest.raises(CardError, match="It belongs to a sweep"):
        runcard.load_card(["sweep.n_trials=3"])
