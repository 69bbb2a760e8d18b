"""What only a GPU can show: every precision learns, and deterministic runs give the same bits."""

from __future__ import annotations

import pytest
import torch

import runcard

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU; trainer=gpu is refused without one"),
]


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed", "bf16-true"])
def test_every_precision_learns(precision: str) -> None:
    overrides = ["experiment=digits_cnn", "trainer=gpu", f"trainer.precision={precision}", "trainer.max_epochs=10"]
    run = runcard.fit(runcard.load_card([*overrides, "report=false"]))
    assert run.metrics["test/accuracy"] > 0.95


def test_regression_learns_in_half_precision() -> None:
    overrides = ["experiment=diabetes", "trainer=gpu", "trainer.precision=bf16-true", "report=false"]
    assert runcard.fit(runcard.load_card(overrides)).metrics["val/r2"] > 0.2


def test_deterministic_runs_give_the_same_bytes() -> None:
    card = runcard.load_card(["experiment=digits_cnn", "trainer=gpu", "trainer.max_epochs=3", "report=false"])
    first, again = runcard.fit(card), runcard.fit(card)
    assert first.folder.last.read_bytes() == again.folder.last.read_bytes()


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("trainer", ["ddp", "fsdp"])
def test_two_gpus_share_the_work_and_give_the_same_bits_each_time(trainer: str) -> None:
    card = runcard.load_card(["experiment=digits_cnn", f"trainer={trainer}", "trainer.max_epochs=3", "report=false"])
    first, again = runcard.fit(card), runcard.fit(card)
    assert first.metrics["test/accuracy"] > 0.8
    assert first.folder.last.read_bytes() == again.folder.last.read_bytes()
