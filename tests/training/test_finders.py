"""What ``auto`` finds: numbers in the run's card, by rules, without a trace in the run itself."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

import runcard
from runcard.data.dataset import load_dataset
from runcard.settling import settle
from runcard.training import finders, rules
from runcard.training.finders import fits, range_test, rates, steepest
from runcard.training.task import Task
from tests.conftest import Command
from tests.training.test_resume import assert_same, dies, fit, the_run

AUTO = ["optimizer.lr=auto", "data.batch_size=auto"]


def test_a_run_equals_the_one_with_its_numbers_written_out(command: Command) -> None:
    words = ["data=wine", "trainer.max_epochs=3", "report=false"]
    said = command("fit", *words, *AUTO)
    assert said.code == 0, said.err
    found = the_run()
    card = runcard.load_run(found.path).card
    assert f"optimizer.lr=auto: {card.optimizer.rate:g}, where the loss fell fastest" in said.err
    assert "data.batch_size=auto: 16, by the number of rows" in said.err
    written = [f"optimizer.lr={card.optimizer.rate}", f"data.batch_size={card.data.batch_rows}", "runs_dir=written"]
    assert command("fit", *words, *written).code == 0
    assert_same(found, the_run("written"))
    assert 1e-4 < card.optimizer.rate < 1e-1
    assert "auto" in found.origin.read_text()


@pytest.mark.slow
def test_it_resumes_with_the_number_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(*AUTO, "runs_dir=whole").folder
    run = dies(monkeypatch, Task, "on_validation_epoch_end", lambda task: task.state.epoch == 2, *AUTO)
    monkeypatch.setattr(finders, "learning_rate", None)
    runcard.resume(run.path)
    assert_same(run, whole)


@pytest.mark.slow
def test_it_verifies(command: Command) -> None:
    run = command("fit", "data=wine", "trainer.max_epochs=3", *AUTO, "--json").json["run"]
    assert command("verify", run).code == 0


def test_the_process_is_left_as_it_was() -> None:
    card = runcard.load_card(["data=wine", "model.dropout=0.5", *AUTO])
    data = load_dataset(card)
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    expected = torch.rand(1), random.random(), np.random.random()
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    first = settle(card, data)
    assert (torch.rand(1), random.random(), np.random.random()) == expected
    assert not torch.are_deterministic_algorithms_enabled()
    assert settle(card, data) == first, "and the same card finds the same"


@pytest.mark.parametrize(
    "words",
    [
        ["data=diabetes"],
        ["data=wine", "model=linear", "optimizer=sgd"],
        ["data=wine", "trainer.accumulate=3", "trainer.average.method=ema"],
        ["data=wine", "trainer.precision=bf16-true", "trainer.nonfinite=skip"],
        ["data=wine", "debug=overfit"],
    ],
)
def test_a_rate_is_found_for_many_cards(words: list[str]) -> None:
    card = runcard.load_card([*words, "optimizer.lr=auto"])
    assert 1e-4 < settle(card, load_dataset(card)).optimizer.rate < 0.2


def test_no_rate_at_which_the_loss_falls(command: Command) -> None:
    Path("rows.csv").write_text("x,y\n" + "".join(f"{n % 7},{'ab'[n % 2]}\n" for n in range(280)))
    words = ["data=table", "data.path=rows.csv", "problem.target=y", "model.hidden=[1]", "model.input_dropout=0.9"]
    said = command("fit", *words, "optimizer.lr=auto", "trainer.gradient_clip_norm=1e-30", "optimizer=sgd")
    assert (said.code, "the loss fell at no rate from 1e-06 to 1" in said.err) == (2, True), said.err
    assert not list(Path().glob("runs/*/*")), "nothing is begun"


def test_the_test_ends_when_the_loss_diverges() -> None:
    card = runcard.load_card(["data=diabetes", "optimizer=sgd", "trainer.threads=1"])
    data = load_dataset(card)
    losses = range_test(settle(card, data), data)
    assert 40 < len(losses) < len(rates()) == 100
    assert rates()[0] == pytest.approx(1e-6)
    assert rates()[-1] == pytest.approx(1)


def test_steepest_is_where_a_curve_falls_fastest() -> None:
    place = np.arange(100)
    curve = 1 / (1 + np.exp((place - 60) / 5))
    assert steepest(list(curve)) == pytest.approx(60, abs=1)
    noisy = curve + np.random.default_rng(0).normal(0, 0.05, 100)
    assert steepest(list(noisy)) == pytest.approx(60, abs=6)
    assert steepest(list(np.where(place > 80, 10.0, curve))) == pytest.approx(60, abs=1)
    assert steepest([1.0] * 100) is None
    assert steepest(list(place / 10 + 1)) is None
    assert steepest([3.0, 2.0, 1.0]) is None


def test_batch_sizes_on_the_processor() -> None:
    assert [rules.batch_size(rows) for rows in (1, 116, 640, 1168, 5119, 10**6)] == [16, 16, 32, 32, 128, 256]
    for rows in range(320, 10_000, 97):
        size = rules.batch_size(rows)
        assert size == 256 or 20 <= rows / size < 41


def test_batch_sizes_on_a_gpu() -> None:
    assert rules.batch_size_on_gpu(10**6, lambda size: size <= 1000) == 256, "half of the largest that fitted, 512"
    assert rules.batch_size_on_gpu(1300, lambda _: True) == 128, "ten steps an epoch"
    assert rules.batch_size_on_gpu(50, lambda _: True) == 32
    assert rules.batch_size_on_gpu(10**6, lambda size: size <= 8) == 4
    assert rules.batch_size_on_gpu(10**6, lambda _: False) == 1


@pytest.mark.slow
def test_room_is_asked_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    card = runcard.load_card(["data=diabetes"])
    data = load_dataset(card)
    card = settle(card, data)
    assert fits(card, data, 64)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Task, "training_step", full)
    assert not fits(card, data, 64)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_a_gpu_has_room_for() -> None:
    card = runcard.load_card(["experiment=digits_cnn", "trainer=gpu", *AUTO, "trainer.max_epochs=1", "report=false"])
    first, again = runcard.fit(card), runcard.fit(card)
    assert first.card.data.batch_rows == 64
    assert first.card == again.card


@pytest.mark.parametrize("override", ["optimizer.lr=auto,1e-3", "data.batch_size=choice(auto,32)"])
def test_a_sweep_does_not_compare_auto(override: str, command: Command) -> None:
    said = command("check", "-m", "data=wine", override, "--json")
    (mistake,) = said.json["error"]["mistakes"]
    key = override.partition("=")[0]
    assert (said.code, mistake["key"], f"{key}=auto for all" in mistake["hint"]) == (2, key, True)


@pytest.mark.slow
def test_each_trial_finds_its_own() -> None:
    words = ["data=wine", "model=linear,mlp", "optimizer.lr=auto", "trainer.max_epochs=1"]
    study = runcard.sweep(runcard.load_sweep(words))
    found = [runcard.load_run(trial["run"]).card.optimizer.rate for trial in study.summary["trials"]]
    assert len(set(found)) == 2
