"""The shipped experiments are as good as promised: mean of seeds 1, 2, 3 on the same test rows as the baselines."""

from __future__ import annotations

import pytest

import runcard

# Metric, and the least mean as a number or as what may be lost against the linear baseline.
PROMISED: dict[str, tuple[str, float | None, float]] = {
    "digits_mlp": ("accuracy", 0.975, 0.0),
    "digits_cnn": ("accuracy", 0.985, 0.0),
    "breast_cancer": ("accuracy", None, 0.01),
    "wine": ("accuracy", None, 0.01),
    "diabetes": ("r2", None, 0.02),
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", PROMISED)
def test_experiment_keeps_its_promise(experiment: str) -> None:
    metric, least, slack = PROMISED[experiment]
    numbers = [
        runcard.fit(runcard.load_card([f"experiment={experiment}", f"seed={seed}"])).metrics for seed in (1, 2, 3)
    ]
    mean = sum(number[f"test/{metric}"] for number in numbers) / 3
    assert mean >= (numbers[0][f"baseline/linear/{metric}"] - slack if least is None else least)
