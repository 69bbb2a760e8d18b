"""The table of third-party classes against the installed libraries."""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Any

import pytest
import torchmetrics.classification
import torchmetrics.regression
from scripts.arguments import FILE, table
from torch import nn, optim

from runcard.card.naming import thirdparty
from runcard.card.naming.fits import fit

NAMES = thirdparty.names()
LAYERS = [name for name in NAMES if name.startswith("torch.")]
BUILT = [name for name in NAMES if name.startswith(("torch.nn.", "torchmetrics."))]
NO_LAYERS = """
Container CrossMapLRN2d DataParallel LinearCrossEntropyLoss Module NLLLoss2d ParameterDict ParameterList RNNBase
RNNCellBase SyncBatchNorm TripletMarginWithDistanceLoss
"""
# A value for each type that a required argument has.
SAMPLES: dict[str, Any] = {
    "int": 2,
    "count": 4,
    "several": 4,
    "float": 1.0,
    "positive": 0.5,
    "probability": 0.5,
    "count | tuple[count, ...]": [3],
    "int | None | tuple[int | None, ...]": 2,
    "int | tuple[int, ...]": 2,
    "int | list[int]": [4],
    "list[int]": [1, 2],
    "list[int] | tuple[int, ...]": [2, 2],
    "several | None": 4,
}


def class_of(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


# For arguments whose default is refused when nothing else is given.
NEEDED = {"output_size": 2, "num_classes": 4}


def sample(text: str) -> Any:
    if text.endswith("Layer"):
        return getattr(nn, text.rpartition(".")[2])(4, 2)
    return SAMPLES.get(text, 2)


def test_the_table_is_what_the_installed_libraries_take() -> None:
    assert json.loads(FILE.read_bytes()) == json.loads(json.dumps(table())), "run python -m scripts.arguments"


def test_the_table_holds_every_family() -> None:
    assert len(NAMES) >= 270
    families = {name.rpartition(".")[0] for name in NAMES}
    assert families == {
        "torch.nn",
        "torch.optim",
        "torch.optim.lr_scheduler",
        "torchmetrics.classification",
        "torchmetrics.regression",
        "pytorch_lightning.callbacks",
        "pytorch_lightning.loggers",
    }
    assert not thirdparty.known("torch.nn.Module")
    assert not thirdparty.known("os.system")


def test_whatever_else_the_libraries_have_is_left_out_on_purpose() -> None:
    def lacking(package: Any, base: type) -> set[str]:
        public = {name: found for name, found in vars(package).items() if not name.startswith(("_", "Lazy"))}
        classes = {name for name, found in public.items() if isinstance(found, type) and issubclass(found, base)}
        return {name for name in classes if not thirdparty.known(f"{package.__name__}.{name}")}

    assert lacking(nn, nn.Module) == set(NO_LAYERS.split())
    assert lacking(optim, optim.Optimizer) == {"LBFGS", "Muon", "Optimizer", "SparseAdam"}
    metrics = lacking(torchmetrics.classification, torchmetrics.Metric)
    assert {name for name in metrics if name.startswith("Multi")} == set()
    assert {name for name in metrics if name.startswith("Binary")} == {"BinaryFairness", "BinaryGroupStatRates"}
    assert lacking(torchmetrics.regression, torchmetrics.Metric) == set()


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_bind_to_the_real_signature(name: str) -> None:
    arguments = thirdparty.entry(name)["arguments"]
    real = inspect.signature(class_of(name))
    real.bind(**dict.fromkeys(arguments))
    if not any(item.kind is item.VAR_KEYWORD for item in real.parameters.values()):
        named = {item.name for item in real.parameters.values() if item.kind is not item.VAR_POSITIONAL}
        assert set(arguments) == named


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BUILT)
def test_every_argument_is_taken_with_its_default(name: str) -> None:
    arguments = {key: item for key, item in thirdparty.entry(name)["arguments"].items() if item["type"]}
    values = {key: item["default"] for key, item in arguments.items() if "default" in item}
    values |= {key: sample(item["type"]) for key, item in arguments.items() if "required" in item}
    values |= {key: value for key, value in NEEDED.items() if key in arguments and values.get(key) is None}
    class_of(name)(**values)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_of_their_type(name: str) -> None:
    for key, item in thirdparty.entry(name)["arguments"].items():
        if "default" in item:
            found = fit(key, item["default"], thirdparty.annotation(item["type"]), lambda *_: pytest.fail("no object"))
            assert not found.wrong


def test_bases_are_those_of_the_class() -> None:
    assert "torch.nn.modules.module.Module" in thirdparty.entry("torch.nn.ReLU")["bases"]
    assert thirdparty.public("torch.nn.modules.module.Module") == "torch.nn.Module"
