"""How good the answers to the test rows are, beside those of the baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runcard.card.metrics import metrics_of
from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.data.signature import Array
from runcard.evaluation.baselines import baseline_answers
from runcard.evaluation.predictor import Run
from runcard.training.metrics import score


@dataclass(frozen=True)
class Scores:
    """What the test rows say.

    Attributes:
        metrics: By name: ``test/metric`` and, if asked for, ``baseline/name/metric``.
        truth: Class indices ``(rows,)``, or numbers in the target's unit.
        answers: Probabilities ``(rows, classes)``, or numbers ``(rows,)``.
    """

    metrics: dict[str, float]
    truth: Array
    answers: NDArray[np.float64]


def score_test_rows(run: Run, data: Dataset, *, baselines: bool) -> Scores:
    """Answer the test rows and compare with the truth.

    Args:
        run: The trained run.
        data: Its rows, with its split.
        baselines: Whether to fit and score the baselines on the same rows too.
    """
    names = metrics_of(data.signature.target.task)
    classes = data.signature.target.task == "classification"
    truth = data.targets("test") if classes else data.truth("test")
    parts = data.stretches(data.indices("test"))
    answers = np.concatenate([run.transforms.target.decode(run.outputs(data.take(part))) for part in parts])
    metrics = {f"test/{name}": value for name, value in score(names, answers, truth).items()}
    others = score_baselines(data, run.card) if baselines else {}
    return Scores(metrics | others, truth, answers)


def score_baselines(data: Dataset, card: Card) -> dict[str, float]:
    """Fit the baselines and score them on the test rows.

    Args:
        data: The rows, with their split.
        card: Of a run on them.

    Returns:
        By name, such as ``baseline/linear/accuracy``.
    """
    task = data.signature.target.task
    truth = data.targets("test") if task == "classification" else data.truth("test")
    guesses = baseline_answers(data, card.seed, card.trainer.thread_count)
    return {
        f"baseline/{baseline}/{name}": value
        for baseline, guess in guesses.items()
        for name, value in score(metrics_of(task), guess, truth).items()
    }
