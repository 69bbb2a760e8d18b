"""Schedules against their formulas and torch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runcard.training.schedules import Constant, Cosine


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
