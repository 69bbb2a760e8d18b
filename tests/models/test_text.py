"""Texts go the whole line: from a card and a CSV file to a service that answers, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import runcard
from runcard.data.dataset import Datasets
from runcard.models import hub
from runcard.models.pretrained import Pretrained
from runcard.packaging.bundle import open_bundle
from runcard.serving.mistakes import RowsError
from runcard.serving.openapi import openapi
from runcard.serving.page import page
from runcard.serving.predictor import Predictor
from runcard.training.checkpoint import load
from runcard.training.differences import equal
from runcard.training.saving import Saving
from tests.conftest import HANG_S, TINY, TINY_TEXTS, Command, Made, of_reviews, reviews


@pytest.fixture
def card(away: Path, tiny_texts: Path) -> list[str]:
    """A card for a copy of a network, to be spoiled, and for a file of reviews."""
    shutil.copytree(tiny_texts / "bert", away / "bert")
    reviews().write_csv("reviews.csv")
    return of_reviews(Path("reviews.csv"), Path("bert"))


@pytest.fixture(scope="module")
def served(text_made: Made) -> Predictor:
    return Predictor(open_bundle(text_made.bundle.path), text_made.bundle.tag)


def ask(predictor: Predictor, body: Any) -> Any:
    return predictor.predict(json.dumps(body).encode())


def test_it_learns_and_answers_as_it_was_evaluated(text_made: Made) -> None:
    assert text_made.run.metrics["test/accuracy"] > 0.9
    assert text_made.bundle.deviation <= 1e-5
    answers = text_made.run.predict([{"review": "the film was great"}, {"review": "it was awful !"}, {"review": None}])
    assert answers["prediction"].to_list()[:2] == ["liked", "loathed"]


@pytest.mark.slow
def test_a_run_needs_neither_the_folder_nor_the_hub(card: list[str], command: Command) -> None:
    said = command("fit", *card, *TINY, "--json")
    assert said.code == 0, said.err
    run = said.json["run"]
    shutil.rmtree("bert")
    reviews(20, seed=1).drop("label").write_csv("new.csv")
    assert command("predict", run, "new.csv", "-o", "out.csv").code == 0
    assert len(pl.read_csv("out.csv")) == 20
    said = command("evaluate", run, "--json")
    assert said.code == 0, said.err
    assert said.json["metrics"]["baseline/linear/accuracy"] > 0.9
    assert command("package", "--no-http", run).code == 0
    about = json.loads((Path(command("package", "--no-http", run, "--json").json["path"]) / "bundle.json").read_text())
    assert about["needs"] == ["tokenizers"]
    assert "tokenizers" in about["versions"]


@pytest.mark.slow
def test_resumed_to_the_same_bits(card: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*card, "trainer.max_epochs=2", "report=false", "checkpoint.every_s=0", "trainer.steps_per_execution=2"]
    whole = runcard.fit(runcard.load_card([*words, "runs_dir=whole"])).folder

    class Death(BaseException):
        pass

    between = Saving.between

    def dying(saving: Saving) -> None:
        if saving._task is not None and len(saving._task.state.losses) == 15:
            raise Death
        between(saving)

    with monkeypatch.context() as patch:
        patch.setattr(Saving, "between", dying)
        with pytest.raises(Death):
            runcard.fit(runcard.load_card(words))
    (left,) = Path("runs").glob("*/2*")
    run = runcard.resume(left).folder
    for name in ("last", "best"):
        assert equal(load(getattr(run, name)), load(getattr(whole, name))), name
    assert run.predictions.read_bytes() == whole.predictions.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("network", "task"), [*zip(TINY_TEXTS, ("classes", "numbers", "classes"), strict=True)])
def test_from_card_to_bundle(network: str, task: str, tiny_texts: Path, command: Command) -> None:
    reviews(600).write_csv("reviews.csv")
    words = of_reviews(Path("reviews.csv"), tiny_texts / network)
    if task == "numbers":
        words = of_reviews(Path("reviews.csv"), tiny_texts / network, label="ignore")
        words = [word.replace(", stars: ignore", "") for word in words] + ["problem.target=stars"]
    first = command("fit", *words, "report=false", "--json").json
    second = command("fit", f"{first['run']}/card.yaml", "--json").json
    assert first["metrics"]["test/accuracy" if task == "classes" else "test/r2"] > 0.8
    weights = [runcard.load_run(one["run"]).model.state_dict() for one in (first, second)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    said = command("package", "--no-http", first["run"], "--json")
    assert said.code == 0, said.err
    assert said.json["deviation"] <= 1e-5


def test_frozen_what_was_trained_stays(tiny_texts: Path) -> None:
    settings: dict[str, Any] = {"revision": None, "size": None, "config": None, "pad": 0, "freeze": True}
    model = Pretrained((8,), 2, name=str(tiny_texts / "distilbert"), weights=True, **settings)
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning == {
        f"network.{layer}.{kind}" for layer in ("pre_classifier", "classifier") for kind in ("weight", "bias")
    }
    model(torch.tensor([[2, 4, 3, 0, 0, 0, 0, 0]])).sum().backward()
    assert not hub.backbone(model.network).training


def test_a_pooler_that_the_weights_lack_begins_at_random_and_learns(tiny_texts: Path) -> None:
    values = json.loads(Path(tiny_texts / "bert" / "config.json").read_text())
    network = hub.library().AutoModelForMaskedLM.from_config(hub.restored(values))
    network.save_pretrained("words")
    settings: dict[str, Any] = {"revision": None, "size": None, "config": None, "pad": 0, "freeze": True}
    model = Pretrained((8,), 2, name="words", weights=True, **settings)
    learning = {name.split(".")[-2] for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning == {"classifier", "dense"}
    stored = network.state_dict()["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(model.state_dict()["network.bert.embeddings.word_embeddings.weight"], stored)


@pytest.mark.parametrize(
    "words",
    [
        ["trainer.precision=bf16-true"],
        ["model.freeze=true"],
        pytest.param(["optimizer.lr=auto"], marks=pytest.mark.slow),
        pytest.param(["data.batch_size=auto"], marks=pytest.mark.slow),
    ],
)
def test_what_else_a_card_may_say(words: list[str], card: list[str], command: Command) -> None:
    said = command("fit", *card, *TINY, *words, "--json")
    assert said.code == 0, said.err
    assert "test/accuracy" in said.json["metrics"]


def test_a_texts_end_changes_nothing_and_an_empty_one_has_an_answer(tiny_texts: Path) -> None:
    settings: dict[str, Any] = {"revision": None, "size": None, "config": None, "freeze": False, "weights": True}
    model = Pretrained((8,), 2, name=str(tiny_texts / "bert"), pad=0, **settings).eval()
    short, long = torch.tensor([[2, 4, 3]]), torch.tensor([[2, 4, 3, 0, 0, 0, 0, 0]])
    torch.testing.assert_close(model(short), model(long))
    assert model(torch.zeros(1, 8, dtype=torch.int64)).isfinite().all()


def test_texts_are_read_again_for_another_network(card: list[str]) -> None:
    source = Datasets()
    first = source.of(runcard.load_card(card))
    assert source.of(runcard.load_card([*card, "optimizer.lr=1e-4"])) is first
    second = source.of(runcard.load_card([*card, "model.size=6"]))
    assert second.transforms.input_shape(second.signature) == (6,)


@pytest.mark.parametrize(
    ("spoil", "words", "says"),
    [
        ("column", [], "Say 'data.kinds={review: text, number: ignore, stars: ignore, age: ignore}'"),
        ("", ["model.size=33"], "reads 3 to 32 tokens, and not 33"),
        ("", ["model.size=2"], "reads 3 to 32 tokens, and not 2"),
        ("", ["model.name=google-bert/bert-base-uncased"], "the hub cannot be reached"),
        ("tokenizer.json", [], "it has no tokenizer.json, which text is cut up with"),
        ("vocab", [], "has tokens up to 27, and its network knows 20"),
        ("image", [], "Unrecognized configuration class"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    spoil: str, words: list[str], says: str, card: list[str], tiny_vit: Path, command: Command
) -> None:
    if spoil == "column":
        reviews().with_columns(age=pl.Series(range(300)) % 70).write_csv("reviews.csv")
    if spoil == "tokenizer.json":
        Path("bert/tokenizer.json").unlink()
    if spoil == "vocab":
        config = Path("bert/config.json")
        config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": 20}))
    if spoil == "image":
        shutil.copy(tiny_vit / "config.json", "bert/config.json")
    said = command("fit", *card, *TINY, *words)
    assert (said.code, says in said.err) == (2, True), said.err
    assert len(said.err.splitlines()) <= 4
    assert not Path("runs").exists()


def test_a_tokenizer_that_has_changed_since_the_run_is_refused(card: list[str], command: Command) -> None:
    run = command("fit", *card, *TINY, "--json").json["run"]
    with Path("bert/tokenizer.json").open("a") as file:
        file.write("\n")
    said = command("fit", f"{run}/card.yaml")
    assert (said.code, "no longer those of the card" in said.err) == (2, True), said.err


def test_the_service_answers_texts(served: Predictor, text_made: Made) -> None:
    said = [answer["class"] for answer in ask(served, [{"review": "a great film"}, {"review": "dull music"}])]
    assert said == ["liked", "loathed"]
    assert ask(served, {"review": "great " * 100_000})["class"] == "liked"
    assert ask(served, {"review": ""})["warnings"] == []
    assert ask(served, {"review": None})["warnings"] == ["review is missing"]
    assert ask(served, []) == []
    rows = [{"review": text} for text in ("poor story", "words nobody knows \N{SNOWMAN}", "good !")]
    shares = [list(answer["probabilities"].values()) for answer in ask(served, rows)]
    np.testing.assert_allclose(shares, text_made.run.predict(rows).drop("prediction").to_numpy(), atol=1e-5)


@pytest.mark.parametrize("value", [3, 2.5, True, ["good"], {"text": "good"}])
def test_what_is_no_text_is_refused(value: Any, served: Predictor) -> None:
    with pytest.raises(RowsError, match=r"field 'review': must be a text, not"):
        ask(served, {"review": value})


def test_a_text_is_described(served: Predictor) -> None:
    rows: list[dict[str, Any]] = [{"review": "good"}, {"review": None}]
    field = openapi(served, rows)["components"]["schemas"]["Row"]["properties"]["review"]
    assert {"type": "string"} in field["anyOf"]
    assert "text" in field["description"]
    assert 'data-kind="text"' in page(served, rows).body.decode()


def test_answering_needs_neither_torch_nor_transformers(text_made: Made) -> None:
    script = (
        "import pathlib, sys\n"
        "from runcard.packaging.bundle import open_bundle\nfrom runcard.serving.predictor import Predictor\n"
        f"served = Predictor(open_bundle(pathlib.Path({str(text_made.bundle.path)!r})), 'x:y')\n"
        'print(served.predict(b\'{"review": "great"}\')["class"])\n'
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HANG_S)
    assert done.stdout.splitlines() == ["liked", "[]"], done.stderr
