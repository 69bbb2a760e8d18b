"""The judge: what is refused, with which words, and what passes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard.card.check import settled
from runcard.card.schema import Card
from runcard.errors import CardError, Mistake
from runcard.leaves import flatten

# What was typed → the key that is named, and a text that the message or its hint must hold.
WRONG = {
    "trainer.max_epoch=5": ("trainer.max_epoch", "Did you mean trainer.max_epochs?"),
    "optimzer.lr=3": ("optimzer", "Did you mean optimizer?"),
    "lr=3": ("lr", "Did you mean optimizer.lr?"),
    "+lr=3": ("lr", "Did you mean optimizer.lr?"),
    "model.hiden=[3]": ("model.hiden", "Did you mean model.hidden?"),
    "nonsense=1": ("nonsense", "There are: version, name"),
    "optimizer.lr=abc": ("optimizer.lr", 'must be a number or auto, not "abc"'),
    "optimizer.lr=true": ("optimizer.lr", "must be a number, not true"),
    "optimizer.lr=0": ("optimizer.lr", "must be above 0"),
    "optimizer.lr=nan": ("optimizer.lr", "must be a finite number"),
    "optimizer.lr=auto1": ("optimizer.lr", 'must be a number or auto, not "auto1"'),
    "data.batch_size=0": ("data.batch_size", "must be 1 or more"),
    "data.batch_size=many": ("data.batch_size", 'must be a whole number or auto, not "many"'),
    "trainer.threads=all": ("trainer.threads", 'must be a whole number or auto, not "all"'),
    "trainer.channels_last=7": ("trainer.channels_last", "must be true or false, not 7"),
    "optimizer.lr=null": ("optimizer.lr", "must be a number, not null"),
    "optimizer.betas=[0.9]": ("optimizer.betas.1", "is missing"),
    "seed=-1": ("seed", "must be 0 or more"),
    "seed=4294967296": ("seed", "must be below 4294967296"),
    "seed=1.5": ("seed", "must be a whole number"),
    "model.dropout=1": ("model.dropout", "must be below 1"),
    "model.hidden=64": ("model.hidden", "must be a list"),
    "model.hidden=[]": ("model.hidden", "a list of at least 1"),
    "model.hidden=[8,0]": ("model.hidden.1", "must be 1 or more"),
    "name=a/b": ("name", "letters, digits"),
    "name=../up": ("name", "letters, digits"),
    "trainer.accelerator=cpuu": ("trainer.accelerator", "Did you mean cpu?"),
    "trainer.precision=16": ("trainer.precision", "'16-mixed'"),
    "trainer.early_stopping=3": ("trainer.early_stopping", "a section with keys of its own"),
    "problem.metric=acuracy": ("problem.metric", "Did you mean accuracy"),
    "problem.metric=r2": ("problem.metric", "does not fit classification"),
    "trainer.monitor=val/r2": ("trainer.monitor", "nobody logs 'val/r2'"),
    "trainer.monitor=val/acuracy": ("trainer.monitor", "Did you mean val/accuracy"),
    "trainer.precision=16-mixed": ("trainer.precision", "needs a GPU"),
    "data.split.test=0.9": ("data.split.test", "no rows for training"),
    "data=dgits": ("data", "Did you mean digits"),
    "data=table": ("data.path", "Add data.path=VALUE"),
    "optimizer.lr=1,2": ("optimizer.lr=1,2", "one run takes one value"),
    "model=mlp,cnn": ("model=mlp,cnn", "one run takes one value"),
    "no value": ("no value", "An override is key=value"),
    "model._target_=os.system": ("model._target_", "the class 'os.system' is not allowed"),
    "model._target_=runcard.models.mlp.MLP": ("model._target_", "Did you mean runcard.models.mlp.Mlp"),
    "~model._target_": ("model._target_", "is missing"),
    "~logger": ("logger", "Choose one with logger=NAME. There are: csv, mlflow, none, tensorboard, wandb."),
    "logger=null": ("logger", "a card needs this section"),
    "model.hidden=[1": ("model.hidden=[1", "not closed"),
    "optimizer.lr=3 e": ("optimizer.lr", "must be a number"),
    "~seed": ("seed", "is missing"),
    "seed=${nowhere}": ("seed", "nowhere"),
    "hydra.searchpath=[pkg://evil]": ("hydra.searchpath", "nothing of Hydra's own"),
    "version=4": ("version", "must be 3"),
    "logger.project=x": ("logger.project", "there is no such key"),
}


def mistakes(*overrides: str) -> list[Mistake]:
    with pytest.raises(CardError) as caught:
        runcard.load_card(overrides)
    return caught.value.mistakes


@pytest.mark.parametrize("override", WRONG)
def test_wrong_card_is_refused(override: str) -> None:
    key, text = WRONG[override]
    found = [mistake for mistake in mistakes(override) if mistake.key == key]
    assert found, mistakes(override)
    assert text in str(found[0])


def test_all_mistakes_at_once_each_with_its_place() -> None:
    found = mistakes("data=dgits", "trainer.max_epoch=5", "optimizer.lr=abc", "model.hidden=[0,x]", "seed=-1")
    keys = {mistake.key for mistake in found}
    assert keys == {"data", "trainer.max_epoch", "optimizer.lr", "model.hidden.0", "model.hidden.1", "seed"}
    assert all(mistake.where.startswith("override ") for mistake in found)


def test_a_mistake_in_a_file_names_its_line(away: pytest.TempPathFactory) -> None:
    from pathlib import Path

    Path("conf/model").mkdir(parents=True)
    Path("conf/model/mine.yaml").write_text(
        "_target_: runcard.models.mlp.Mlp\nhidden: [8]\ndropuot: 0.1\ninput_dropout: 0.0\n"
    )
    with pytest.raises(CardError) as caught:
        runcard.load_card(["model=mine"], "conf")
    where = {mistake.key: mistake.where for mistake in caught.value.mistakes}
    assert where == {"model.dropuot": "conf/model/mine.yaml:3"}


@pytest.mark.parametrize("model", ["cnn", "resnet", "mobilenet", "pretrained", "lstm", "transformer"])
def test_network_for_images_or_sequences_is_refused_for_columns(model: str) -> None:
    (found,) = mistakes("data=wine", f"model={model}", *(["model.name=x"] if model == "pretrained" else []))
    assert (found.key, found.hint) == ("model", "Choose model=mlp.")
    assert "images, and this data has columns" in found.message


@pytest.mark.parametrize(
    ("words", "key", "text"),
    [
        (["model=transformer", "model.heads=5"], "model.heads", "5 heads do not divide a width of 64"),
        (["model=transformer", "model.positions=random"], "model.positions", "must be 'learned' or 'sinusoidal'"),
        (["model=resnet", "model.blocks=[1,2]"], "model.blocks", "2 numbers for the 3 stages of model.channels"),
        (["model=resnet", "model.stem_stride=3"], "model.stem_stride", "must be 1 or 2"),
        (["model=mobilenet", "model.output_stride=4"], "model.output_stride", "must be 8, 16 or 32"),
        (["model=pretrained"], "model.name", "must be given"),
        (["model=lstm", "model.layers=0"], "model.layers", "must be 1 or more"),
    ],
)
def test_keys_of_one_network_that_do_not_fit(words: list[str], key: str, text: str) -> None:
    (found,) = mistakes(*words)
    assert found.key == key
    assert text in found.message


@pytest.mark.parametrize(
    ("words", "key", "text", "hint"),
    [
        (["model=mlp"], "model", "Mlp cannot read text, and 'a' is text", "Choose model=pretrained"),
        (["augment=mixup"], "augment", "words cannot be blended", "Choose augment=none"),
        (["data.kinds={a: text, b: text}"], "data.kinds.b", "'a' is text, which is read alone", "Set it to ignore"),
        (["data.kinds={a: category}"], "model", "needs text or images", "'data.kinds={COLUMN: text}'"),
        (["data.kinds={a: texts}"], "data.kinds.a", "must be", "text"),
    ],
)
def test_text_is_read_alone_and_by_a_ready_made_network(words: list[str], key: str, text: str, hint: str) -> None:
    table = ["data=table", "data.path=x.csv", "problem.target=y", "data.kinds={a: text}", "model=pretrained"]
    given = [*table, *words] if words == ["model=mlp"] else [*table, "model.name=x", *words]
    (found,) = mistakes(*given)
    assert found.key == key
    assert text in found.message
    assert hint in f"{found.message} {found.hint}"


def test_what_contradicts_the_task_or_the_data_is_refused() -> None:
    smooth = mistakes("data=diabetes", "problem.task=regression", "trainer.label_smoothing=0.1")
    assert [mistake.key for mistake in smooth] == ["trainer.label_smoothing"]
    assert [mistake.key for mistake in mistakes("data=wine", "trainer.channels_last=true")] == ["trainer.channels_last"]


def test_card_cannot_be_changed() -> None:
    card = runcard.load_card()
    with pytest.raises(CardError, match="with seed among the overrides"):
        card.seed = 3
    with pytest.raises(CardError):
        card.model.hidden = (1,)  # type: ignore[union-attr]


def test_zero_is_a_seed() -> None:
    assert runcard.load_card(["seed=0"]).seed == 0


def test_data_path_is_absolute_in_the_card(away: object) -> None:
    from pathlib import Path

    card = runcard.load_card(["data=table", "data.path=rows.csv", "problem.target=y"])
    assert card.data.path == str(Path("rows.csv").absolute())  # type: ignore[union-attr]


def test_settled_values_must_fit_the_rest() -> None:
    card = runcard.load_card(["data=table", "data.path=x.csv", "problem.target=y", "problem.metric=r2"])
    with pytest.raises(CardError, match="does not fit classification"):
        settled(card, "problem", task="classification")
    regression = settled(card, "problem", task="regression", metric="rmse")
    assert regression.problem.task == "regression"
    assert regression.problem.metric == "r2", "what is not on auto stays"
    assert regression.origins["problem.metric"] == "override problem.metric=r2"


KEYS = sorted(flatten(runcard.load_card(["experiment=digits_mlp"]).to_dict()))


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(KEYS), st.integers(0, 40), st.sampled_from("abcdefghijklmnopqrstuvwxyz_"))
def test_no_misspelt_key_passes(key: str, place: int, letter: str) -> None:
    leaf = key.rpartition(".")[2]
    if leaf.startswith("_"):
        return
    at = place % len(leaf)
    wrong = f"{key.removesuffix(leaf)}{leaf[:at]}{letter}{leaf[at + 1 :]}"
    if wrong == key:
        return
    with pytest.raises(CardError) as caught:
        runcard.load_card([f"{wrong}=1"])
    assert wrong in [mistake.key for mistake in caught.value.mistakes]


def test_card_survives_its_file() -> None:
    card = runcard.load_card(["experiment=digits_cnn"])
    assert Card.model_validate_json(json.dumps(card.to_dict())) == card
