"""Every network that is not a mere perceptron goes the whole line: fitted twice to the same bits, and packaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import runcard
from tests.conftest import Command

STEPS = ["data=digits", "trainer.max_epochs=2", "trainer.limit_batches=3", "report=false"]
STEPS += ["problem.least_value=null"]
MODELS = {
    "resnet": ["model.channels=[8,16]", "model.blocks=[1,1]"],
    "mobilenet": [],
    "pretrained": ["model.name=vit"],
    "lstm": [],
    "transformer": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_from_card_to_bundle(model: str, tiny_vit: Path, command: Command) -> None:
    Path("vit").symlink_to(tiny_vit)
    first = command("fit", *STEPS, f"model={model}", *MODELS[model], "--json").json["run"]
    second = command("fit", f"{first}/card.yaml", "--json").json["run"]
    weights = [runcard.load_run(run).model.state_dict() for run in (first, second)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    Path("vit").unlink()
    said = command("package", "--no-http", first, "--json")
    assert said.code == 0, said.err
    assert said.json["deviation"] <= 1e-5
