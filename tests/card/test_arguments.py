"""The judge of arguments: what is refused, with which words, and what passes."""

from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from runcard.card.naming import targets, thirdparty
from runcard.card.naming.arguments import accepts, converted, defaults_of, judge_arguments

if TYPE_CHECKING:
    from nowhere import Unseen  # type: ignore[import-not-found]

NAMES = thirdparty.names()


def said(target: Any, values: dict[str, Any], given: Sequence[str] = ()) -> dict[str, str]:
    """Key → message and hint."""
    found = judge_arguments("model", target, values, given, USERS.get)
    return {key: f"{message}; {hint}" for key, message, hint in found}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_saved_card_holds_is_right_again(name: str) -> None:
    required = {key: item for key, item in thirdparty.entry(name)["arguments"].items() if "required" in item}
    closed = [key for key, item in required.items() if item["type"] is None]
    missing = said(name, defaults_of(name), closed)
    assert set(missing) == {f"model.{key}" for key in required if key not in closed}


def test_nothing_is_imported_to_judge() -> None:
    script = (
        "import sys\nfrom runcard.card.naming.arguments import judge_arguments\n"
        "list(judge_arguments('model', 'torch.nn.Sequential', {'_args_': [{'_target_': 'torch.nn.ReLU'}]}))\n"
        "print(sorted({'torch', 'torchmetrics', 'pytorch_lightning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("target", "values", "key", "text"),
    [
        (
            "nn.Linear",
            {"in_feature": 3},
            "in_feature",
            "Linear has no such argument; Did you mean in_features",
        ),
        ("nn.Linear", {"out_features": 3}, "in_features", "is missing; torch.nn.Linear needs it."),
        ("nn.Linear", {"in_features": "3"}, "in_features", 'must be a whole number, not "3"'),
        ("nn.Linear", {"in_features": 3.0}, "in_features", "must be a whole number, not 3.0"),
        ("nn.Linear", {"in_features": True}, "in_features", "must be a whole number, not true"),
        ("nn.Linear", {"in_features": 0}, "in_features", "must be 1 or more, not 0"),
        ("nn.Linear", {"bias": 1}, "bias", "must be true or false, not 1"),
        ("nn.Linear", {"bias": None}, "bias", "must be true or false, not null"),
        ("nn.Linear", {"device": "cuda"}, "device", "cannot be written in a card; Leave it out."),
        ("nn.Linear", {"_args_": [3]}, "_args_", "no such argument; Give each argument by its name."),
        ("nn.Linear", {"_partial_": True}, "_partial_", "no such argument"),
        ("nn.Tanh", {"inplace": True}, "inplace", "torch.nn.Tanh has no such argument; It has none."),
        ("nn.Conv2d", {"kernel_size": [3]}, "kernel_size", "must be a whole number or a list of 2, not [3]"),
        ("nn.Conv2d", {"kernel_size": [3, "x"]}, "kernel_size.1", 'must be a whole number, not "x"'),
        ("nn.Conv2d", {"padding": "sme"}, "padding", "Did you mean same?"),
        ("nn.Conv2d", {"padding_mode": "zero"}, "padding_mode", "or 'circular', not \"zero\"; Did you mean zeros?"),
        ("nn.Dropout", {"p": 1.5}, "p", "must be 1.0 or less"),
        ("nn.CrossEntropyLoss", {"reduction": "men"}, "reduction", "must be 'none', 'mean' or 'sum'"),
        ("nn.CrossEntropyLoss", {"weight": [1.0]}, "weight", "cannot be written in a card"),
        ("nn.GRU", {"proj_size": 3}, "proj_size", "torch.nn.GRU has no such argument"),
        ("nn.RNN", {"nonlinearity": "relo"}, "nonlinearity", "Did you mean relu?"),
        ("nn.Sequential", {"layers": []}, "layers", "no such argument; List what it takes in _args_."),
        ("nn.Sequential", {"_args_": 3}, "_args_", "must be a list, not 3"),
        (
            "nn.Sequential",
            {"_args_": [3]},
            "_args_.0",
            "a mapping with a _target_ of class torch.nn.Module, not 3",
        ),
        ("nn.Sequential", {"_args_": [{"_target_": 3}]}, "_args_.0._target_", "must be a text, not 3"),
        ("nn.ModuleDict", {"modules": [3]}, "modules", "must be a mapping or null, not [3]"),
        ("optim.Adam", {"lr": "fast"}, "lr", 'must be a number, not "fast"'),
        ("optim.Adam", {"lr": 0}, "lr", "must be above 0"),
        ("optim.Adam", {"lr": float("nan")}, "lr", "must be"),
        ("optim.Adam", {"betas": [0.9, 1.0]}, "betas.1", "must be below 1"),
        ("optim.Adam", {"betas": 0.9}, "betas", "must be a list, not 0.9"),
        ("optim.Adam", {}, "params", "is missing, and cannot be written in a card"),
        ("optim.lr_scheduler.StepLR", {}, "step_size", "is missing"),
        ("optim.lr_scheduler.MultiStepLR", {"milestones": [1, "x"]}, "milestones.1", "must be a whole number"),
    ],
)
def test_wrong_argument_of_a_third_party_class(target: str, values: dict[str, Any], key: str, text: str) -> None:
    assert text in said(f"torch.{target}", values)[f"model.{key}"]


@pytest.mark.parametrize(
    ("target", "values"),
    [
        ("torch.nn.Conv2d", {"in_channels": 1, "out_channels": 2, "kernel_size": [3, 3], "padding": "same"}),
        ("torch.nn.LSTM", {"input_size": 3, "hidden_size": 4, "proj_size": 2, "dropout": 1}),
        ("torch.nn.MultiheadAttention", {"embed_dim": 4, "num_heads": 2, "kdim": None}),
        ("torch.nn.ModuleDict", {"modules": {"a": {"_target_": "torch.nn.ReLU"}}}),
        ("torch.nn.Sequential", {}),
        ("torch.nn.Sequential", {"_args_": []}),
        ("torchmetrics.classification.BinaryAccuracy", {"sync_on_compute": False, "zero_division": 0.5}),
        ("torchmetrics.regression.CosineSimilarity", {"reduction": None}),
        ("pytorch_lightning.callbacks.GradientAccumulationScheduler", {"scheduling": {4: 2}}),
        ("pytorch_lightning.callbacks.GradientAccumulationScheduler", {"scheduling": {"4": 2}}),
        ("pytorch_lightning.callbacks.RichModelSummary", {"max_depth": -1, "header_style": "bold"}),
        ("pytorch_lightning.loggers.MLFlowLogger", {"log_model": "all", "tags": {"a": {"b": [1, None]}}}),
        ("pytorch_lightning.loggers.WandbLogger", {"tags": ["a"], "entity": "b"}),
        ("pytorch_lightning.loggers.TensorBoardLogger", {"save_dir": ".", "flush_secs": 3}),
    ],
)
def test_right_arguments_of_a_third_party_class(target: str, values: dict[str, Any]) -> None:
    assert said(target, values) == {}


def test_what_runcard_gives_is_not_missing_and_not_to_be_set() -> None:
    assert said("torch.optim.SGD", {"momentum": 0.9}, ["params"]) == {}
    assert said("torch.optim.SGD", {"params": []}, ["params"]) == {"model.params": "is set by Runcard; Leave it out."}


def test_mistakes_at_any_depth_all_at_once() -> None:
    inner = {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "torch.nn.Linear", "in_features": "x"}]}
    wrong = [{"_target_": "torch.nn.ReLU", "inplac": True}, inner, {"_target_": "torch.optim.SGD"}, 5]
    found = said("torch.nn.Sequential", {"_args_": wrong})
    assert set(found) == {
        "model._args_.0.inplac",
        "model._args_.1._args_.0.in_features",
        "model._args_.1._args_.0.out_features",
        "model._args_.2._target_",
        "model._args_.3",
    }
    assert found["model._args_.2._target_"] == "torch.optim.SGD is no torch.nn.Module; "


class Block(nn.Module):
    """A user's class without a constructor of its own."""


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Options(BaseModel):
    model_config = ConfigDict(extra="allow")

    rate: Annotated[float, Field(gt=0)]
    name: str = "x"


class Net(nn.Module):
    """What users write, with every kind of annotation."""

    def __init__(  # type: ignore[no-untyped-def]
        self,
        width: Annotated[int, Field(gt=0)],
        layers: list[nn.Module],
        norm: nn.LayerNorm | None = None,
        act: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
        colour: Colour = Colour.RED,
        path: Path = Path("a"),
        sizes: tuple[int, ...] = (1, 2),
        mode: Literal["fast", "slow"] = "fast",
        options: Options | None = None,
        level: float = None,  # type: ignore[assignment]  # noqa: RUF013
        parts: dict[str, nn.Module] | None = None,
        few: Annotated[list[int], Field(max_length=2)] = [],  # noqa: B006
        unseen: Unseen = 3,
        free=None,
        *,
        pad: int = 0,
    ) -> None:
        super().__init__()


RELU = {"_target_": "torch.nn.ReLU"}
RIGHT = {"width": 3, "layers": [RELU]}


@pytest.mark.parametrize(
    ("values", "key", "text"),
    [
        ({"width": 0}, "width", "must be above 0, not 0"),
        ({"wdth": 0}, "wdth", "Net has no such argument; Did you mean width?"),
        ({"layers": [RELU, {**RELU, "x": 1}]}, "layers.1.x", "torch.nn.ReLU has no such argument"),
        ({"layers": RELU}, "layers", "must be a list, not"),
        ({"layers": ["torch.nn.ReLU"]}, "layers.0", "must be a mapping with a _target_ of class Module"),
        ({"norm": RELU}, "norm._target_", "torch.nn.ReLU is no LayerNorm"),
        ({"norm": 3}, "norm", "must be a mapping with a _target_ of class LayerNorm or null, not 3"),
        ({"norm": {"_target_": "torch.nn.LayerNorm"}}, "norm.normalized_shape", "is missing"),
        ({"act": "relu"}, "act", "must be a mapping with the _target_ of what can be called"),
        ({"colour": "rad"}, "colour", "must be 'red' or 'blue', not \"rad\"; Did you mean red?"),
        ({"path": 3}, "path", "not 3"),
        ({"sizes": [1, 2.5]}, "sizes.1", "must be a whole number, not 2.5"),
        ({"sizes": 3}, "sizes", "must be a list, not 3"),
        ({"mode": "fats"}, "mode", "must be 'fast' or 'slow', not \"fats\"; Did you mean fast?"),
        ({"options": {"rate": 0}}, "options.rate", "must be above 0"),
        ({"options": {"rate": 1, "nme": "x"}}, "options.nme", "Options has no such argument; Did you mean name?"),
        ({"options": {}}, "options.rate", "is missing; Options needs it."),
        ({"level": "high"}, "level", "must be a number"),
        ({"level": float("inf")}, "level", "must be a finite number"),
        ({"parts": {"a": RELU, "b": {"_target_": "torch.optim.SGD"}}}, "parts.b._target_", "is no Module"),
        ({"few": [1, 2, 3]}, "few", "must be a list of at most 2"),
        ({"free": {"deep": [{**RELU, "inplace": 3}]}}, "free.deep.0.inplace", "must be true or false"),
        ({"width": RELU}, "width", "must be a whole number, not"),
        ({"sizes": RELU}, "sizes", "must be a list, not"),
        ({"pad": 3}, "pad", "is set by Runcard"),
        ({"_args_": [3]}, "_args_", "no such argument"),
    ],
)
def test_wrong_argument_of_a_users_class(values: dict[str, Any], key: str, text: str) -> None:
    found = said(Net, {**RIGHT, **values}, ["pad"])
    assert text in found[f"model.{key}"]
    assert len(found) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"act": RELU, "norm": {"_target_": "torch.nn.LayerNorm", "normalized_shape": 3}},
        {"colour": "blue", "path": "b", "sizes": [], "mode": "slow", "options": {"rate": 1}},
        {"level": None},  # the default, though the annotation lacks it
        {"unseen": 3, "free": {"a": [1, RELU]}},  # the default of what cannot be judged
        {"parts": {"a": RELU}, "few": [1]},
        {"width": "???"},  # reported as not given
    ],
)
def test_right_arguments_of_a_users_class(values: dict[str, Any]) -> None:
    assert said(Net, {**RIGHT, **values}) == {}


def test_defaults_of_a_users_class() -> None:
    held: dict[str, Any] = {"norm": None, "colour": "red", "path": "a", "sizes": [1, 2], "mode": "fast"}
    held["options"] = None
    held |= {"level": None, "parts": None, "few": [], "unseen": 3, "free": None}
    assert defaults_of(Net, ["pad"]) == held
    assert said(Net, {**RIGHT, **held}, ["pad"]) == {}
    assert {"width", "act", "pad"} <= accepts(Net)


def test_values_become_what_the_annotations_say() -> None:
    conv = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": [3, 3]}
    values: dict[str, Any] = {
        "layers": [conv],
        "colour": "blue",
        "path": "b",
        "sizes": [3],
        "options": {"rate": 1},
        "level": 1,
    }
    found = converted(Net, {**RIGHT, **values})
    assert found["layers"][0]["kernel_size"] == (3, 3)
    assert (found["colour"], found["path"], found["sizes"]) == (Colour.BLUE, Path("b"), (3,))
    assert found["options"] == Options(rate=1.0)
    assert type(found["level"]) is float
    scheduling = "pytorch_lightning.callbacks.GradientAccumulationScheduler"
    assert converted(scheduling, {"scheduling": {"4": 2}}) == {"scheduling": {4: 2}}


class Swallows(nn.Module):
    def __init__(self, width: int, **rest: Any) -> None:
        super().__init__()


class Describes(Swallows):
    class Arguments(BaseModel):
        model_config = ConfigDict(extra="allow", strict=False)

        depth: int = Field(alias="layers", ge=1)
        rate: float = 0.5
        heads: int = 1

        @model_validator(mode="after")
        def divisible(self) -> Describes.Arguments:
            if self.heads > 9:
                raise LookupError("too many heads")
            if self.depth % self.heads:
                raise ValueError(f"{self.heads} heads do not divide {self.depth}")
            return self

    def __init__(self, width: int, **rest: Any) -> None:
        super().__init__(width, **rest)


def test_kwargs_are_refused_unless_a_model_describes_them() -> None:
    (found,) = judge_arguments("model", Swallows, {"width": 3})
    assert found[0] == "model._target_"
    assert "takes **rest" in found[1]
    assert "a pydantic model named Arguments" in found[2]
    assert said(Describes, {"width": 3, "depth": 2}) == {}
    assert defaults_of(Describes) == {"rate": 0.5, "heads": 1}


@pytest.mark.parametrize(
    ("values", "key", "text"),
    [
        ({"depth": 2, "dpth": 1}, "model.dpth", "Did you mean depth"),
        ({"layers": 2}, "model.layers", "no such argument"),
        ({"depth": "2"}, "model.depth", "must be a whole number"),
        ({"depth": 0}, "model.depth", "must be 1 or more"),
        ({}, "model.depth", "is missing"),
        ({"depth": 3, "heads": 2}, "model", "2 heads do not divide 3"),
        ({"depth": 3, "heads": 10}, "model", "cannot be judged: too many heads"),
    ],
)
def test_arguments_that_a_model_describes(values: dict[str, Any], key: str, text: str) -> None:
    assert text in said(Describes, {"width": 3, **values})[key]


def test_a_constructor_that_is_inherited_from_a_library() -> None:
    class Recurrent(nn.LSTM): ...

    class Stack(nn.Sequential): ...

    assert said(Block, {}) == {}
    assert "no such argument" in said(Block, {"width": 3})["model.width"]
    assert said(Recurrent, {"input_size": 3, "hidden_size": 4, "proj_size": 2}) == {}
    assert "Did you mean hidden_size" in said(Recurrent, {"input_size": 3, "hiden_size": 4})["model.hiden_size"]
    assert said(Stack, {"_args_": [RELU]}) == {}


def test_users_targets_within_others() -> None:
    def stacked(*parts: dict[str, Any]) -> dict[str, str]:
        return said("torch.nn.Sequential", {"_args_": list(parts)})

    def normed(target: str) -> dict[str, str]:
        return said(Net, {**RIGHT, "norm": {"_target_": target}})

    assert stacked({"_target_": "mine.Block"}, {"_target_": "mine.made"}) == {}
    assert normed("mine.some") == {}, "what it makes is not known"
    assert "mine.Block is no LayerNorm" in normed("mine.Block")["model.norm._target_"]
    assert set(stacked({"_target_": "mine.Net", "width": 0, "layers": []})) == {"model._args_.0.width"}
    assert set(stacked({"_target_": "mine.Swallows", "width": 3})) == {"model._args_.0._target_"}
    assert stacked({"_target_": "who.knows", "x": 1}) == {}, "judged where names are"


def made(width: int = 3) -> nn.Module:
    return nn.Linear(width, width)


def some(width=3):  # type: ignore[no-untyped-def]
    return nn.Linear(width, width)


USERS: dict[str, Callable[..., Any]] = {"mine.Block": Block, "mine.Net": Net, "mine.Swallows": Swallows}
USERS |= {"mine.made": made, "mine.some": some}


class Sized(TypedDict):
    size: int


class Runs(Protocol):
    def run(self) -> None: ...


def test_rare_annotations() -> None:
    def target(
        sized: Sized | None = None,
        runs: Runs | None = None,
        parts: Sequence[nn.Module] = (),
        pairs: tuple[nn.Module, int] | None = None,
        kind: type[nn.Module] = nn.Module,
        flag: Literal[True, "auto"] = True,
        text: Annotated[str, Field(gt=0)] = "",
        least: Annotated[list[nn.Module], Field(min_length=1)] = [],  # noqa: B006
        found: set[int] | None = None,
        number: float | int = 1,
    ) -> None: ...

    wrong: dict[str, tuple[Any, str, str]] = {
        "sized": ({"size": 1, "sise": 2}, ".sise", "Sized has no such argument; Did you mean size?"),
        "parts": (RELU, "", "must be a list"),
        "pairs": ([1, RELU], ".0", "a _target_ of class Module"),
        "kind": ("Module", "", "a class itself, which no card can give"),
        "flag": (1, "", "must be true or 'auto', not 1"),
        "text": ("x", "", "cannot be judged"),
        "least": ([3], ".0", "a _target_ of class Module"),
        "found": ([1, "x"], ".1", "must be a whole number"),
    }
    for name, (value, below, text) in wrong.items():
        assert text in said(target, {name: value})[f"model.{name}{below}"]
    right = {"runs": RELU, "parts": [RELU], "pairs": [RELU, 1], "least": [RELU], "found": [1, 1], "sized": {"size": 1}}
    assert said(target, right) == {}
    assert converted(target, right)["pairs"] == (RELU, 1)
    assert isinstance(targets.made(converted(target, right)["pairs"])[0], nn.ReLU)
    assert converted(target, {"found": [1, 1], "number": 1}) == {"found": {1}, "number": 1}
    assert type(converted(target, {"number": 1})["number"]) is int


def test_functions_and_plain_classes() -> None:
    @dataclasses.dataclass
    class Settings:
        rate: float
        names: list[str] = dataclasses.field(default_factory=list)
        KIND: ClassVar[str] = "x"

    def positional(width: int, /) -> None: ...

    def behind(width: int, *layers: nn.Module) -> None: ...

    def first(*layers: nn.Module, width: int = 3) -> None: ...

    assert "must be a whole number" in said(made, {"width": "x"})["model.width"]
    assert said(some, {"width": "x"}) == {}
    assert said(Settings, {"rate": 1, "names": ["a"]}) == {}
    assert "must be a text" in said(Settings, {"rate": 1, "names": [1]})["model.names.0"]
    assert "takes 'width' by its position alone" in said(positional, {})["model._target_"]
    assert "no such argument" in said(behind, {"width": 3, "_args_": [RELU]})["model._args_"]
    assert said(first, {"width": 3, "_args_": [RELU]}) == {}
    assert said(Options, {"rate": 1}) == {}
    assert "above 0" in said(Options, {"rate": 0})["model.rate"]
    assert "does not say what it takes" in said(dict, {})["model._target_"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_misspelt_argument_passes(data: st.DataObject) -> None:
    misspell(data)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_no_misspelt_argument_passes_of_a_thousand(data: st.DataObject) -> None:
    misspell(data)


def misspell(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in NAMES if thirdparty.entry(name)["arguments"]]))
    arguments = thirdparty.entry(name)["arguments"]
    right = data.draw(st.sampled_from(sorted(arguments)))
    at, cut = data.draw(st.integers(0, len(right))), data.draw(st.integers(0, 1))
    letter = data.draw(st.sampled_from(["", *"abcdefghijklmnopqrstuvwxyz_0123456789"]))
    wrong = f"{right[:at]}{letter}{right[at + cut :]}"
    found = said(name, {wrong: 1})
    assert wrong in arguments or "has no such argument" in found[f"model.{wrong}"]


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(RELU)
VALUES = st.recursive(
    PLAIN, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([Net, Describes, Options, *NAMES]), st.data())
def test_no_value_breaks_the_judge(target: Any, data: st.DataObject) -> None:
    judge_any(target, data)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.sampled_from([Net, Describes, Options, *NAMES]), st.data())
def test_no_value_of_a_thousand_breaks_the_judge(target: Any, data: st.DataObject) -> None:
    judge_any(target, data)


def judge_any(target: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted({*accepts(target), "_args_", "_target_"})))
    values = {name: data.draw(VALUES)}
    found = said(target, values)
    assert all(key.startswith("model") for key in found)
    if not any(key.startswith(f"model.{name}") for key in found):
        assert set(converted(target, values)) == {name}
