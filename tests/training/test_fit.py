"""Fitting: the same card gives the same bytes, another seed others, and what is written can be trusted."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import pytest
import torch
import wandb

import runcard
from runcard.data.dataset import load_dataset
from runcard.errors import CardError, TrainingError
from runcard.evaluation.predictor import Run
from runcard.models.mlp import Mlp
from runcard.training import progress
from runcard.training.checkpoint import load
from runcard.training.metrics import score
from runcard.training.schedules import Cosine

SHORT = ["trainer.max_epochs=3", "report=false"]


def fit(*overrides: str) -> Run:
    return runcard.fit(runcard.load_card([*overrides, *SHORT]))


def weights(path: Path) -> dict[str, torch.Tensor]:
    content: dict[str, torch.Tensor] = load(path)["state_dict"]
    return content


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["experiment=digits_cnn", "trainer.limit_batches=2"], marks=pytest.mark.slow),
        ["experiment=diabetes"],
    ],
    ids=" ".join,
)
def test_one_card_gives_the_same_bytes_and_another_seed_others(words: list[str]) -> None:
    first, again, other = (fit(*words, f"seed={seed}") for seed in (0, 0, 1))
    for name in ("best", "last", "metrics", "history", "predictions", "split", "data"):
        assert getattr(first.folder, name).read_bytes() == getattr(again.folder, name).read_bytes(), name
    assert first.folder.history.read_bytes() != other.folder.history.read_bytes()
    assert first.folder.split.read_bytes() == other.folder.split.read_bytes()
    different = weights(other.folder.last)
    assert any(not torch.equal(tensor, different[name]) for name, tensor in weights(first.folder.last).items())


def test_what_ran_before_in_the_process_does_not_matter() -> None:
    first = fit("data=wine")
    torch.manual_seed(99)
    torch.rand(7)
    fit("data=wine", "model=linear")
    assert fit("data=wine").folder.last.read_bytes() == first.folder.last.read_bytes()


def test_threads_come_back_as_they_were() -> None:
    before = torch.get_num_threads()
    fit("data=wine", f"trainer.threads={before + 1}")
    assert torch.get_num_threads() == before


def test_history_is_one_whole_line_an_epoch() -> None:
    run = fit("data=wine", "trainer.monitor=val/f1")
    with run.folder.history.open() as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == ["0", "1", "2"]
    assert set(lines[0]) == {"epoch", "lr", "train/loss", "val/loss", "val/accuracy", "val/f1"}
    assert all(value for line in lines for value in line.values())
    best = lines[int(run.metrics["best_epoch"])]
    assert float(best["val/f1"]) == pytest.approx(run.metrics["val/f1"], rel=1e-6)
    assert float(best["val/f1"]) == max(float(line["val/f1"]) for line in lines)


def test_best_is_of_the_best_epoch_and_last_of_the_last() -> None:
    run = fit("data=wine", "optimizer.lr=0.3", "scheduler=constant")
    best, last = load(run.folder.best), load(run.folder.last)
    assert (best["epoch"], last["epoch"]) == (run.metrics["best_epoch"], 3), "last counts the epochs that are over"
    assert best["best_value"] == run.metrics["val/loss"]


def test_no_history_without_a_logger() -> None:
    assert not fit("data=wine", "logger=none").folder.history.exists()


def test_early_stopping_ends_a_run() -> None:
    card = ["data=wine", "optimizer.lr=1e-9", "trainer.early_stopping.patience=2", "trainer.early_stopping.min_delta=1"]
    run = runcard.fit(runcard.load_card([*card, "trainer.max_epochs=50", "report=false"]))
    assert run.metrics["epochs"] == 3


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_half_precision_on_the_processor(precision: str) -> None:
    run = runcard.fit(runcard.load_card(["data=wine", f"trainer.precision={precision}", "report=false", "seed=1"]))
    assert run.metrics["test/accuracy"] > 0.8
    expected = torch.bfloat16 if precision == "bf16-true" else torch.float32
    assert {tensor.dtype for tensor in weights(run.folder.best).values()} == {expected}


def test_clipping_shortens_the_first_step() -> None:
    free, clipped = (
        fit("data=wine", "optimizer=sgd", "trainer.limit_batches=1", f"trainer.gradient_clip_norm={norm}")
        for norm in ("null", "1e-6")
    )
    started = {name: tensor for name, tensor in weights(clipped.folder.last).items() if name.endswith("bias")}
    moved = {name: tensor for name, tensor in weights(free.folder.last).items() if name.endswith("bias")}
    assert any(not torch.equal(tensor, moved[name]) for name, tensor in started.items())


def test_a_loss_that_is_no_number_stops_the_run_and_says_what_to_do() -> None:
    card = runcard.load_card(["data=diabetes", "optimizer=sgd", "optimizer.lr=1e30", "trainer.max_epochs=3"])
    with pytest.raises(TrainingError, match=r"Lower optimizer\.lr"):
        runcard.fit(card)
    (log,) = Path("runs").glob("*/*/run.log")
    assert "ended early" in log.read_text()
    assert not (log.parent / "metrics.json").exists()


def test_a_monitor_that_the_rows_do_not_define_is_said() -> None:
    rows = "".join(f"{i},{'b' if i % 25 == 3 else 'a'}\n" for i in range(100))
    Path("rows.csv").write_text(f"x,y\n{rows}")
    overrides = ["data=table", "data.path=rows.csv", "problem.target=y", "data.split.validation=0.05"]
    card = runcard.load_card([*overrides, "trainer.monitor=val/roc_auc"])
    with pytest.raises(TrainingError, match=r"val/roc_auc cannot be computed"):
        runcard.fit(card)


def test_regression_in_half_precision() -> None:
    run = runcard.fit(runcard.load_card(["data=diabetes", "trainer.precision=bf16-true", "report=false"]))
    assert run.metrics["val/r2"] > 0.2


def test_best_weights_are_those_that_validated_best() -> None:
    overfit = ["model.hidden=[256,256]", "model.dropout=0.0", "optimizer.weight_decay=0.0", "scheduler=constant"]
    card = ["data=diabetes", "trainer.monitor=val/rmse", "trainer.max_epochs=12", *overfit]
    run = runcard.fit(runcard.load_card([*card, "report=false"]))
    data = load_dataset(run.card)
    answers = data.transforms.target.decode(run.outputs(data.inputs("validation")))
    assert score(["rmse"], answers, data.truth("validation"))["rmse"] == pytest.approx(
        run.metrics["val/rmse"], rel=1e-5
    )
    with run.folder.history.open() as file:
        errors = [float(line["val/rmse"]) for line in csv.DictReader(file)]
    assert errors[int(run.metrics["best_epoch"])] == min(errors) == pytest.approx(run.metrics["val/rmse"], rel=1e-5)
    assert errors[-1] > min(errors), "a card under which the last epoch is not the best"


def test_the_rate_follows_the_schedule() -> None:
    run = fit("data=wine", "optimizer.lr=0.01", "scheduler.warmup_fraction=0.0")
    with run.folder.history.open() as file:
        rates = [float(line["lr"]) for line in csv.DictReader(file)]
    steps = 3 * -(-116 // 16)
    schedule = Cosine(warmup_fraction=0.0, final_fraction=0.01)
    first = [schedule((epoch * steps / 3 + 1) / (steps + 1)) * 0.01 for epoch in range(3)]
    assert rates == pytest.approx(first, rel=1e-4)


def test_early_stopping_knows_that_more_accuracy_is_better() -> None:
    card = ["data=wine", "trainer.monitor=val/accuracy", "trainer.early_stopping.patience=1", "optimizer.lr=3e-4"]
    run = runcard.fit(runcard.load_card([*card, "trainer.max_epochs=6", "report=false", "seed=1"]))
    with run.folder.history.open() as file:
        scores = [float(line["val/accuracy"]) for line in csv.DictReader(file)]
    rises = [later > max(scores[: i + 1]) for i, later in enumerate(scores[1:])]
    assert rises[0], "a card under which the second epoch is better"
    assert all(rises[:-1]) or len(scores) == 6


@pytest.mark.slow
def test_the_process_is_left_as_it_was() -> None:
    fit("data=wine")  # what a library does when it is first imported is its own
    torch.manual_seed(5)
    random.seed(5)
    expected = torch.rand(1), random.random()
    torch.manual_seed(5)
    random.seed(5)
    # wandb's service serves the process to its end, and tells children where it is.
    left_alone = {"PYTEST_CURRENT_TEST", "WANDB_SERVICE"}
    variables = {name: value for name, value in os.environ.items() if name not in left_alone}
    fit("data=wine", "logger=wandb")
    assert (torch.rand(1), random.random()) == expected
    assert not torch.are_deterministic_algorithms_enabled()
    assert {name: value for name, value in os.environ.items() if name not in left_alone} == variables
    assert wandb.run is None


def test_training_is_deterministic_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    forward = Mlp.forward

    def watched(self: Mlp, inputs: torch.Tensor) -> torch.Tensor:
        seen.append((self.training, torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()))
        return forward(self, inputs)

    monkeypatch.setattr(Mlp, "forward", watched)
    fit("data=wine", "trainer.threads=2")
    assert {item for item in seen if item[0]} == {(True, True, 2)}


@pytest.mark.slow
def test_an_open_wandb_run_of_the_user_is_not_touched() -> None:
    mine = wandb.init(mode="offline", project="mine")
    try:
        with pytest.raises(CardError, match="already has a wandb run open"):
            fit("data=wine", "logger=wandb")
        assert wandb.run is mine
    finally:
        wandb.finish()


def test_a_bar_on_a_terminal_and_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = runcard.load_card(["data=wine", *SHORT])
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    runcard.fit(card, progress=True)
    assert "epoch 3/3  val/loss" in capsys.readouterr().err
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "BAR_EVERY_S", 0.0)
    runcard.fit(card, progress=True)
    assert "3/3" in capsys.readouterr().err
