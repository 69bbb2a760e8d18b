"""Ready-made networks and weights: found, fitted to the data, and refused in one line; the hub is never reached."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import runcard
from runcard.errors import CardError
from runcard.models import hub
from runcard.models.mobilenet import MobileNet
from runcard.models.pretrained import Pretrained
from tests.conftest import TINY, TINY_VIT, Command

SHAPE = (1, 8, 8)
PRETRAINED = ["model=pretrained", "model.name=vit", *TINY]


@pytest.fixture
def vit(tiny_vit: Path, away: Path) -> Path:
    """A copy of the trained network, to be spoiled."""
    shutil.copytree(tiny_vit, away / "vit")
    return away / "vit"


def pretrained(
    name: Path, outputs: int = 3, *, weights: bool = True, freeze: bool = False, size: int | None = None
) -> Pretrained:
    torch.manual_seed(1)
    return Pretrained(
        SHAPE, outputs, name=str(name), revision=None, weights=weights, freeze=freeze, size=size, config=None
    )


def of_backbone(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in model.state_dict().items() if ".vit." in key}


def test_weights_are_those_of_the_folder_and_the_answer_layer_fits_the_data(vit: Path) -> None:
    stored = hub.loaded(hub.described(str(vit), None), str(vit), None)
    model = pretrained(vit, 3)
    assert of_backbone(model)
    for key, tensor in of_backbone(model).items():
        assert torch.equal(tensor, stored.state_dict()[key.removeprefix("network.")]), key
    assert model(torch.randn(2, *SHAPE)).shape == (2, 3)
    assert all(module.training for module in model.modules())
    for one, other in zip(model.parameters(), pretrained(vit, 3).parameters(), strict=True):
        assert torch.equal(one, other)


def test_without_weights_all_is_random(vit: Path) -> None:
    loaded, random = of_backbone(pretrained(vit)), of_backbone(pretrained(vit, weights=False))
    assert not torch.equal(loaded["network.vit.embeddings.cls_token"], random["network.vit.embeddings.cls_token"])


def test_frozen_the_answer_layer_alone_learns(vit: Path) -> None:
    model = pretrained(vit, freeze=True)
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning == {"network.classifier.weight", "network.classifier.bias"}
    model(torch.randn(2, *SHAPE)).sum().backward()
    assert not hub.backbone(model.network).training
    assert model.network.training


def test_images_are_brought_to_the_size_that_the_network_was_made_for(vit: Path) -> None:
    model = Pretrained((3, 5, 9), 3, name=str(vit), revision=None, weights=True, freeze=False, size=None, config=None)
    assert model.adapt(torch.randn(2, 3, 5, 9)).shape == (2, 3, 8, 8)
    assert pretrained(vit, weights=False, size=12).adapt(torch.randn(2, *SHAPE)).shape == (2, 3, 12, 12)
    with pytest.raises(CardError, match=r"are not for this network: 1 of its tensors.*position"):
        pretrained(vit, size=12)


def test_weights_of_another_network_are_refused(vit: Path) -> None:
    settings = {"depth_multiplier": 0.1, "expand_ratio": 2.0, "output_stride": 8, "min_size": 16, "dropout": 0.0}
    with pytest.raises(CardError, match="are not for this network"):
        MobileNet(SHAPE, 2, pretrained=str(vit), revision=None, **settings)  # type: ignore[arg-type]
    torch.manual_seed(0)
    first = MobileNet(SHAPE, 4, pretrained=None, revision=None, **settings)  # type: ignore[arg-type]
    first.network.save_pretrained("mobile")
    second = MobileNet(SHAPE, 2, pretrained="mobile", revision=None, **settings)  # type: ignore[arg-type]
    for one, other in zip(list(first.parameters())[:-2], list(second.parameters())[:-2], strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_a_run_holds_all_that_opening_it_needs(vit: Path, command: Command) -> None:
    said = command("fit", *PRETRAINED, "--json")
    assert said.code == 0, said.err
    run = runcard.load_run(said.json["run"])
    model = run.card.to_dict()["model"]
    assert (model["name"], len(model["revision"])) == (str(vit), 64)
    assert model["config"]["hidden_size"] == TINY_VIT["hidden_size"]
    again = command("fit", str(run.folder.card), "--json")
    shutil.rmtree(vit)
    for key, tensor in run.model.state_dict().items():
        assert torch.equal(tensor, runcard.load_run(again.json["run"]).model.state_dict()[key])
    assert command("evaluate", str(run.path)).code == 0
    assert command("package", "--no-http", str(run.path)).code == 0


def test_weights_that_have_changed_since_the_run_are_refused(vit: Path, command: Command) -> None:
    run = Path(command("fit", *PRETRAINED, "--json").json["run"])
    with (vit / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    said = command("fit", str(run / "card.yaml"))
    assert (said.code, "are no longer those of the card" in said.err) == (2, True), said.err


def test_freezing_says_nothing(vit: Path, command: Command) -> None:
    said = command("fit", *PRETRAINED, "model.freeze=true", "--json")
    assert said.code == 0, said.err
    assert "Loading" not in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["model.name=google/vit-base-patch16-224"], "the hub cannot be reached"),
        (["model.name=no way"], "Repo id must"),
        (["model.name=empty"], "there is no *.safetensors in it"),
        (["model.name=empty", "model.weights=false"], "Unrecognized model"),
        (["model.name=text"], "there is no *.safetensors in it"),
        (["model.name=text", "model.weights=false"], "Unrecognized configuration class"),
        (["model.name=timm", "model.weights=false"], "requires the timm library"),
        (["model.name=vit", "model.weights=false", "model.config={model_type: vit, hidden_size: x}"], "hidden_size"),
        (["model.name=vit", "model.config={model_type: nothing}"], "Unrecognized model identifier"),
        (["model=mobilenet", "model.pretrained=google/mobilenet_v2_1.0_224"], "the hub cannot be reached"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(words: list[str], says: str, vit: Path, command: Command) -> None:
    for name, content in (
        ("empty", {}),
        ("text", {"model_type": "bert"}),
        ("timm", {"model_type": "timm_wrapper", "architecture": "resnet18"}),
    ):
        Path(name).mkdir()
        (Path(name) / "config.json").write_text(json.dumps(content))
    words = words if words[0].startswith("model=") else ["model=pretrained", *words]
    said = command("fit", *words, *TINY)
    assert (said.code, says in said.err) == (2, True), said.err
    assert len(said.err.splitlines()) == 1
    assert not Path("runs").exists()


def test_what_the_hub_says_is_kept_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError("x is not a local folder and is not a valid model identifier listed on 'https'\nIf this is")

    monkeypatch.setattr(hub.library().AutoConfig, "from_pretrained", unknown)
    with pytest.raises(CardError, match=r"^model: org/x: it is no local folder, and the hub has none of this name"):
        hub.pinned("org/x", None)


def test_the_commit_of_a_repository_is_what_the_card_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    config = hub.restored(TINY_VIT)
    config._commit_hash = "c0ffee"
    monkeypatch.setattr(hub.library().AutoConfig, "from_pretrained", lambda *_, **__: config)
    assert hub.pinned("org/x", None) == {"name": "org/x", "revision": "c0ffee"}


def test_a_tokenizer_is_looked_up_by_name_and_version(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def found(name: str, file: str, *, revision: str) -> str:
        asked.append((name, file, revision))
        if revision != "main":
            raise OSError(f"{name} does not appear to have a file named {file}. Checkout 'https'")
        return "there.json"

    with pytest.raises(CardError, match=r"^model: org/x: .*the hub cannot be reached"):
        hub.tokenizer("org/x", None)
    Path("there.json").write_text("{}")
    monkeypatch.setattr(hub.library().utils, "cached_file", found)
    assert hub.tokenizer("org/x", None) == "{}"
    with pytest.raises(CardError, match=r"^model: org/x: it has no tokenizer\.json"):
        hub.tokenizer("org/x", "c0ffee")
    assert asked == [("org/x", "tokenizer.json", "main"), ("org/x", "tokenizer.json", "c0ffee")]


def test_a_pickle_is_not_read(vit: Path, command: Command) -> None:
    torch.save({}, vit / "pytorch_model.bin")
    (vit / "model.safetensors").unlink()
    said = command("fit", *PRETRAINED)
    assert (said.code, "there is no *.safetensors" in said.err) == (2, True), said.err


@pytest.mark.parametrize("model", ["mobilenet", "pretrained"])
def test_the_package_is_named_where_it_is_missing(
    model: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    words = ["model.name=vit"] if model == "pretrained" else []
    said = command("fit", f"model={model}", *words, *TINY)
    assert (said.code, "pip install 'runcard[transformers]'" in said.err) == (2, True), said.err
