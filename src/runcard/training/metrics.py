"""Scores from answers and truth: the one place that computes a metric, in training, evaluation and for baselines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torchmetrics.functional import classification, regression

from runcard.data.signature import Array


def score(names: Iterable[str], answers: Array, truth: Array) -> dict[str, float]:
    """Compute metrics.

    Args:
        names: Which, of the card's table of metrics.
        answers: Probabilities ``(rows, classes)``, or numbers ``(rows,)``.
        truth: Class indices ``(rows,)`` int64, or numbers ``(rows,)``, in the target's own unit.

    Returns:
        Name → value. A metric that these rows do not define, such as an ROC curve of one class, is left out.
    """
    given, expected = torch.from_numpy(answers).double(), torch.from_numpy(truth)
    expected = expected.double() if expected.is_floating_point() else expected
    with warnings.catch_warnings():
        # torchmetrics warns of classes without rows; what is not defined is left out below.
        warnings.simplefilter("ignore")
        values = {name: float(_FUNCTIONS[name](given, expected)) for name in names}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _counts(answers: Tensor, truth: Tensor) -> Tensor:
    """How many rows of each class, ``(classes, classes)``, were given each class.

    In float64: a share of rows must be the same number whoever counts them, and torchmetrics' own shares are float32.
    """
    return classification.multiclass_confusion_matrix(answers, truth, answers.shape[1], validate_args=False).double()


def _accuracy(answers: Tensor, truth: Tensor) -> Tensor:
    counts = _counts(answers, truth)
    return counts.trace() / counts.sum()


def _balanced_accuracy(answers: Tensor, truth: Tensor) -> Tensor:
    counts = _counts(answers, truth)
    rows = counts.sum(dim=1)
    return (counts.diagonal() / rows)[rows > 0].mean()  # a class without rows has no share to find


def _f1(answers: Tensor, truth: Tensor) -> Tensor:
    counts = _counts(answers, truth)
    both = counts.sum(dim=0) + counts.sum(dim=1)
    return (2 * counts.diagonal() / both)[both > 0].mean()


def _roc_auc(answers: Tensor, truth: Tensor) -> Tensor:
    if len(torch.unique(truth)) < 2:
        return torch.tensor(math.nan)
    areas = classification.multiclass_auroc(answers, truth, answers.shape[1], average="none", validate_args=False)
    return areas[torch.unique(truth)].mean()


def _log_loss(answers: Tensor, truth: Tensor) -> Tensor:
    chosen = answers.gather(1, truth[:, None])
    return -chosen.clamp_min(torch.finfo(answers.dtype).eps).log().mean()


def _r2(answers: Tensor, truth: Tensor) -> Tensor:
    """One minus the squared errors over the squared distances from the mean.

    Written out: torchmetrics subtracts large sums and takes what is within 1e-4 for equal, which makes a perfect
    score of any target in small units.
    """
    spread = (truth - truth.mean()).square().sum()
    return 1 - (truth - answers).square().sum() / spread if truth.max() > truth.min() else torch.tensor(math.nan)


def _rmse(answers: Tensor, truth: Tensor) -> Tensor:
    return regression.mean_squared_error(answers, truth, squared=False)


_FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "r2": _r2,
    "rmse": _rmse,
    "mae": regression.mean_absolute_error,
}
