"""What an editor is told: a JSON Schema for each kind of file, which agrees with the judge."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import runcard
from runcard.card.groups import GROUPS, SCHEMAS, shipped_conf
from runcard.card.help.described import TARGET, described, field_texts, partial
from runcard.card.help.editor import schemas, text
from runcard.card.schema import Card
from runcard.card.sections.parts import Part, Section
from runcard.leaves import flatten
from runcard.yamltext import parse_yaml
from tests.conftest import Command

CONF = shipped_conf()
FILES = sorted(CONF.rglob("*.yaml"))
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")
SHIPPED = schemas([CONF])
# A choice of a group, a change to its file, and the key that the complaint must be about.
WRONG: dict[str, tuple[Any, ...]] = {
    "problem": ("digits", {"taks": "auto"}, {"metric": "acuracy"}, {"limits": {"latency_ms": 0, "size_mb": None}}),
    "data": ("table", {"pth": "x"}, {"separator": ";;"}, {"batch_size": 0}, {"kinds": {"zip": "categry"}}),
    "augment": ("mixup", {"alhpa": 1.0}, {"alpha": "much"}, {"alpha": 0}),
    "model": ("mlp", {"hiden": [3]}, {"hidden": 64}, {"hidden": [8, 0]}, {"channels": [3]}, {"dropout": 1.0}),
    "optimizer": ("adamw", {"rate": 1}, {"lr": "atuo"}, {"lr": 0}, {"betas": [0.9]}, {"fused": 1}),
    "scheduler": ("cosine", {"warmup": 0.1}, {"warmup_fraction": "0.1"}, {"final_fraction": 1.5}),
    "trainer": ("cpu", {"max_epoch": 5}, {"max_epochs": 1.5}, {"threads": 0}, {"precision": 16}, {"average": None}),
    "logger": ("wandb", {"projct": "x"}, {"offline": "yes"}, {"project": ""}),
    "serve": ("cpu", {"worker": 1}, {"workers": 0}, {"provider": "tpu"}, {"token_file": "token.txt"}, {"timeout_s": 0}),
    "sweep": ("tpe", {"swep": {}}, {"hydra": {"mode": "MANY"}}, {"sweep": {"sampler": "tep", "space": {}}}),
    "experiment": (
        "wine",
        {"modle": {}},
        {"model": {"hiden": [3]}},
        {"seed": -1},
        {"defaults": [{"override /x": "y"}]},
    ),
    "debug": ("fast", {"tainer": {}}, {"trainer": {"max_epochs": 0}}, {"defaults": [{"override /data": "wien"}]}),
}


def read(group: str, choice: str) -> Any:
    return parse_yaml((CONF / group / f"{choice}.yaml").read_text(encoding="utf-8"))


@functools.cache
def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(SHIPPED[kind])


def complaints(kind: str, content: Any) -> list[str]:
    return [error.message for error in validator(kind).iter_errors(content)]


def test_there_is_one_for_each_group_and_they_are_schemas() -> None:
    assert set(SHIPPED) == {*GROUPS, "config", "card"} == {*WRONG, "config", "card"}
    for schema in SHIPPED.values():
        Draft202012Validator.check_schema(schema)


def test_those_that_travel_are_those_that_would_be_written() -> None:
    found = {path.stem: path.read_text(encoding="utf-8") for path in (CONF / SCHEMAS).iterdir()}
    stale = [kind for kind, schema in SHIPPED.items() if found.get(kind) != text(schema)]
    assert not stale, "write them again: runcard check --schema conf/.schemas"
    assert set(found) == set(SHIPPED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_shipped_file_names_the_schema_that_it_keeps_to(path: Path) -> None:
    head = path.read_text(encoding="utf-8").splitlines()[:2]
    (named,) = [found[1] for line in head if (found := MODELINE.fullmatch(line))]
    kind = "config" if path.parent == CONF else path.parent.name
    assert (path.parent / named).resolve() == CONF / SCHEMAS / f"{kind}.json"
    assert complaints(kind, parse_yaml(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("group", "change"), [(group, change) for group, (_, *changes) in WRONG.items() for change in changes]
)
def test_a_mistake_is_refused(group: str, change: dict[str, Any]) -> None:
    content = read(group, str(WRONG[group][0]))
    assert complaints(group, content) == []
    assert complaints(group, content | change)


# What files from before it was there need not say.
LATER = {
    "logger": {"entity", "name", "artifacts"},
    "serve": {"max_connections", "max_per_address", "examples"},
    "data": {
        "last_batch",
        "encoding",
        "ragged",
        "decimal",
        "formats",
        "null_values_of",
        "missing_target",
        "rare_classes",
        "min_rows",
    },
}


@pytest.mark.parametrize("group", [group for group in GROUPS if group in Card.model_fields])
def test_a_key_is_missed(group: str) -> None:
    whole = read(group, str(WRONG[group][0]))
    for key in whole.keys() - LATER.get(group, set()):
        assert complaints(group, {name: value for name, value in whole.items() if name != key}), key
    assert complaints(group, {"defaults": ["_self_"], **({TARGET: whole[TARGET]} if TARGET in whole else {})}) == []


def test_only_the_chosen_class_is_spoken_of() -> None:
    said = complaints("model", read("model", "mlp") | {"hiden": [3]})
    assert said == ["Additional properties are not allowed ('hiden' was unexpected)"]
    (said_of_class,) = complaints("model", {TARGET: "runcard.models.mlp.MLP"})
    assert "runcard.models.mlp.MLP" in said_of_class
    (missing,) = complaints("model", {"hidden": [3]})
    assert missing == "'_target_' is a required property"


def test_an_experiment_knows_the_class_that_it_chooses() -> None:
    chosen = {"defaults": [{"override /model": "cnn"}, "_self_"]}
    assert complaints("experiment", chosen | {"model": {"channels": [8]}}) == []
    assert complaints("experiment", chosen | {"model": {"input_dropout": 0.1}})
    assert complaints("experiment", {"model": {"input_dropout": 0.1, "what": "a class of my own may take"}}) == []


def test_a_class_of_the_users_own_takes_any_keys_beside_those_of_its_section() -> None:
    assert complaints("model", {TARGET: "mine.Net", "width": {"deep": [1]}}) == []
    data = read("data", "wine")
    del data["name"]
    assert complaints("data", data | {TARGET: "mine.Rows", "where": "x", "kinds": {"zip": "category"}}) == []
    assert complaints("data", data | {TARGET: "mine.Rows", "batch_size": 0})
    assert complaints("data", {TARGET: "mine.Rows", "where": "x"})
    callbacks = {"mine": {TARGET: "mine.Callback", "every": 3}}
    assert complaints("trainer", read("trainer", "cpu") | {"callbacks": callbacks}) == []
    assert complaints("trainer", read("trainer", "cpu") | {"callbacks": {"mine": {"every": 3}}})


@pytest.mark.parametrize("value", ["???", "${seed}", "${data.split.seed}"])
def test_a_value_may_be_left_open_in_a_group_and_not_in_a_card(value: str) -> None:
    changed = read("optimizer", "adamw") | {"lr": value, "fused": value, "betas": [value, 0.9]}
    assert complaints("optimizer", changed) == []
    assert complaints("trainer", read("trainer", "cpu") | {"early_stopping": value}) == []
    assert complaints("experiment", {"seed": value, "model": {"hidden": value}}) == []
    card = runcard.load_card().to_dict()
    assert complaints("card", card) == []
    assert complaints("card", card | {"seed": value})
    assert complaints("card", card | {"seed": "${oc.env:SEED}", "data": card["data"] | {"name": "${oc.env:A}"}}) == []


def test_a_file_that_begins_with_another_choice_holds_what_differs() -> None:
    assert complaints("model", {"defaults": ["mlp", "_self_"], "hidden": [512]}) == []
    assert complaints("model", {"defaults": ["mpl"], "hidden": [512]})
    assert complaints("model", {"defaults": ["mlp"], "hidden": "many"})
    assert complaints("trainer", {"defaults": ["cpu"], "max_epoch": 5})
    assert complaints("sweep", {"defaults": ["tpe"], "sweep": {"n_trials": 5}}) == []
    assert complaints("sweep", {"sweep": {"n_trials": 5}})


def test_every_key_says_what_it_means() -> None:
    def silent(schema: Any, place: str) -> Iterator[str]:
        for name, part in schema.get("properties", {}).items():
            here = f"{place}.{name}"
            if name != TARGET and not part.get("description") and not name.startswith("override /"):
                yield here
            yield from silent(part, here)

    found = described(Card)
    wanting = [key for name, schema in found["$defs"].items() for key in silent(schema, name)]
    assert [*wanting, *silent(found, "card")] == []


class Above(Section):
    size: int
    """Above."""
    both: int
    """Above, both."""


class Below(Above):
    both: int
    """Below, both."""
    told: int = Field(description="Told.")
    bare: int


def test_texts_stand_under_the_fields() -> None:
    assert field_texts(Below) == {"size": "Above.", "both": "Below, both."}
    keys = described(Below)["properties"]
    assert {key: part.get("description") for key, part in keys.items()} == {
        "size": "Above.",
        "both": "Below, both.",
        "told": "Told.",
        "bare": None,
    }


class Free(Part):
    model_config = ConfigDict(extra="allow")


class Fixed(Part):
    target_class: Literal["a.Fixed"] = Field(alias="_target_")
    size: int


class Holder(BaseModel):
    part: Fixed | Free
    many: dict[str, Fixed | Free]


def test_a_class_that_takes_any_keys_lets_them_pass() -> None:
    check = Draft202012Validator(described(Holder))
    assert check.is_valid({"part": {TARGET: "b.Other", "anything": [1]}, "many": {}})
    assert check.is_valid({"part": {TARGET: "a.Fixed", "size": 1}, "many": {"x": {TARGET: "b.Other", "y": 1}}})
    assert not check.is_valid({"part": {TARGET: "a.Fixed", "siez": 1}, "many": {}})
    assert not check.is_valid({"part": {TARGET: "b.Other"}, "many": {"x": {TARGET: "a.Fixed", "size": "1"}}})
    assert not check.is_valid({"part": {"anything": 1}, "many": {}})
    changes = partial(described(Holder), described(Holder)["$defs"])
    assert Draft202012Validator(changes).is_valid({"part": {"size": 1, "anything": 1}})


# 1.0 is left out: to JSON Schema it is a whole number, and to the judge it is none. So is true in place of a 1 that is
# the only choice: to Python the two are equal.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70),
    st.sampled_from([2**31, 2**32, -(2**40), 0.5, 1.5, -0.5, 1e-3]),
    st.sampled_from(["", "auto", "ema", "cpu", "x", "a/b", "val/loss", "learned", "digits", "???", "${seed}", "32"]),
    st.lists(st.sampled_from([0, 1, 0.5, "x", 64]), max_size=3),
    st.dictionaries(st.sampled_from(["seed", "zip"]), st.sampled_from(["number", "nmber", 1]), max_size=2),
)
CARDS = [
    ["data=wine", "model=mlp", "optimizer=sgd", "augment=mixup"],
    ["data=table", "data.path=x.csv", "problem.target=y", "logger=mlflow", "scheduler=constant"],
    ["data=arrays", "data.inputs=x.npy", "data.targets=y.npy", "model=transformer", "logger=wandb"],
    ["model=pretrained", "model.name=vit", "trainer=auto"],
    ["model=mobilenet"],
    ["model=resnet"],
    ["model=lstm"],
    ["model=cnn"],
]


def judged(content: Any) -> bool:
    try:
        Card.model_validate_json(json.dumps(content))
    except ValidationError:
        return False
    return True


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_schema_agrees_with_the_judge(data: st.DataObject) -> None:
    agrees(data)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_the_schema_agrees_with_the_judge_of_many_cards(data: st.DataObject) -> None:
    agrees(data)


def agrees(data: st.DataObject) -> None:
    content = copy.deepcopy(whole_card(data.draw(st.sampled_from(range(len(CARDS))))))
    *above, leaf = data.draw(st.sampled_from(sorted(flatten(content)))).split(".")
    section = content
    for name in above:
        section = section[name]
    what = data.draw(st.sampled_from(["change", "change", "change", "delete", "add"]))
    if what == "delete":
        del section[leaf]
    else:
        value = data.draw(VALUES)
        assume(value is not True or leaf not in ("version", "stem_stride"))
        # No schema knows the encodings that Python does.
        assume(leaf != "encoding" or not isinstance(value, str) or value == "auto")
        section[leaf if what == "change" else f"{leaf}x"] = value
    assert (complaints("card", content) == []) == judged(content)


@functools.cache
def whole_card(number: int) -> dict[str, Any]:
    return runcard.load_card(CARDS[number]).to_dict()


def test_they_are_written_with_choices_of_ones_own(command: Command) -> None:
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/wide.yaml").write_text("defaults: [mlp]\nhidden: [512]\n")
    said = command("check", "--schema", "mine/.schemas", "--config-dir", "mine", "--json")
    assert said.json["files"] == [f"mine/.schemas/{kind}.json" for kind in SHIPPED]
    made = json.loads(Path("mine/.schemas/experiment.json").read_text())
    content: dict[str, Any] = {"defaults": [{"override /model": "wide"}]}
    assert Draft202012Validator(made).is_valid(content)
    assert complaints("experiment", content)
    assert runcard.load_card(["model=wide"], "mine").model.hidden == (512,)  # type: ignore[union-attr]


def test_where_they_cannot_be_written(command: Command) -> None:
    Path("file").write_text("")
    assert "cannot make this folder" in command("check", "--schema", "file").err
    said = command("check", "--schema", "there", "data=wine")
    assert (said.code, Path("there").exists()) == (2, False)
    assert "data=wine" in said.err
