"""Schedules against their formulas and torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runcard.card.naming import thirdparty
from runcard.card.sections.learning import OwnScheduler
from runcard.training.schedules import Constant, Cosine, make_schedule
from runcard.training.stepper import Stepper


@given(st.floats(0, 0.9), st.floats(0, 1), st.floats(0, 1))
def test_factors_stay_between_nothing_and_all(warmup: float, final: float, progress: float) -> None:
    for schedule in (Constant(warmup), Cosine(warmup, final)):
        assert 0 <= schedule(progress) <= 1 + 1e-12


def test_warmup_climbs_and_cosine_falls() -> None:
    schedule = Cosine(warmup_fraction=0.2, final_fraction=0.1)
    assert schedule(0.1) == pytest.approx(0.5)
    assert schedule(0.2) == pytest.approx(1.0)
    assert schedule(0.6) == pytest.approx(0.55)
    assert schedule(1.0) == pytest.approx(0.1)
    assert Constant(0.0)(0.0) == 1.0


def test_cosine_is_that_of_torch() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    ours = Cosine(0.0, 0.0)
    for step in range(11):
        assert ours(step / 10) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


OF_TORCH: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2, "gamma": 0.5},
    "MultiStepLR": {"milestones": [1, 4], "gamma": 0.1},
    "ConstantLR": {"factor": 0.5, "total_iters": 3},
    "LinearLR": {"start_factor": 0.1, "total_iters": 4},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"total_iters": 5, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 6},
    "CosineAnnealingWarmRestarts": {"T_0": 2, "T_mult": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 24, "cycle_momentum": False},
}


def test_every_schedule_of_the_table_is_tried() -> None:
    names = {name.rpartition(".")[2] for name in thirdparty.names() if name.startswith("torch.optim.lr_scheduler.")}
    assert names == set(OF_TORCH)


@pytest.mark.parametrize("name", OF_TORCH)
@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_torchs_schedules_as_in_a_loop_by_hand(name: str, interval: str) -> None:
    rate, epochs, steps_of_epoch = 0.05, 6, 4
    values = {"_target_": f"torch.optim.lr_scheduler.{name}", "interval": interval, **OF_TORCH[name]}
    part = OwnScheduler.model_validate(values)
    schedule = make_schedule(part, rate, epochs * steps_of_epoch, epochs)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=0.9)
    by_hand = getattr(torch.optim.lr_scheduler, name)(optimizer, **OF_TORCH[name])
    stepper = Stepper(torch.optim.SGD([weight], lr=rate), schedule, steps=epochs * steps_of_epoch)
    for _ in range(epochs):
        for _ in range(steps_of_epoch):
            assert stepper.rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
            optimizer.step()
            stepper.step += 1
            if interval == "step" and stepper.step < epochs * steps_of_epoch:
                by_hand.step()
        if interval == "epoch":
            by_hand.step()


def test_a_resumed_run_needs_no_state_of_a_schedule() -> None:
    part = OwnScheduler.model_validate({"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1, "gamma": 0.5})
    fresh, later = (make_schedule(part, 0.1, 40, 10) for _ in range(2))
    asked = [fresh((step + 1) / 41) for step in range(40)]
    assert [later((step + 1) / 41) for step in range(39, -1, -1)] == asked[::-1]
