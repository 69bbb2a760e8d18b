"""What decides which trial is best."""

from __future__ import annotations

from runcard.card.metrics import DEFAULT_METRIC
from runcard.card.plan import Plan
from runcard.card.schema import Card
from runcard.card.spelling import suggest
from runcard.data.dataset import Datasets
from runcard.errors import CardError, Mistake


def objective(plan: Plan, datasets: Datasets) -> str:
    """The number that every trial logs and that decides, such as ``val/accuracy``.

    Args:
        plan: The sweep.
        datasets: Read from, where the metric follows from the data.

    Raises:
        CardError: If the trials do not share a metric, or none of them logs the one that the sweep names.
        DataError: If the data cannot be read.
    """
    logged = [_logged(card, datasets) for card in plan.unlike_in("data", "problem", "trainer.monitor")]
    named = plan.settings.metric
    if named is not None:
        silent = [names for names in logged if named not in names]
        if silent:
            raise CardError([Mistake("sweep.metric", f"nobody logs {named!r}", hint=_said(named, silent[0]))])
        return named
    metrics = sorted({names[0] for names in logged})
    if len(metrics) > 1:
        hint = "Name one for all with problem.metric=NAME, or sweep.metric=val/loss."
        raise CardError([Mistake("problem.metric", f"the trials are judged by {' and '.join(metrics)}", hint=hint)])
    return metrics[0]


def _logged(card: Card, datasets: Datasets) -> list[str]:
    """The validation numbers of a card's run, the problem's metric first."""
    # Reading also finds out, before the first trial, that there is nothing to learn from.
    task = datasets.of(card).signature.target.task
    metric = DEFAULT_METRIC[task] if card.problem.metric == "auto" else card.problem.metric
    return list(dict.fromkeys([f"val/{metric}", "val/loss", card.trainer.monitor]))


def _said(named: str, names: list[str]) -> str:
    return f"{suggest(named, names)} Another metric is logged when it is the problem's: problem.metric=NAME."
