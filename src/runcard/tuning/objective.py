"""What decides which trial is best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from runcard.advice import advise
from runcard.card.metrics import DEFAULT_METRIC, MEASURED, METRICS
from runcard.card.plan import Plan
from runcard.card.schema import Card
from runcard.card.spelling import suggest
from runcard.errors import CardError, Mistake

if TYPE_CHECKING:
    from runcard.data.signature import TaskOrAuto


def objectives(plan: Plan, task_of: Callable[[Card], TaskOrAuto]) -> list[str] | None:
    """The numbers of every trial that decide, such as ``val/accuracy``; several make a front of winners.

    Args:
        plan: The sweep.
        task_of: What a card's data is good for; ``auto`` if that is not known before it is read.

    Returns:
        The numbers' names; None if they follow from data that is not known yet.

    Raises:
        CardError: If the trials do not share a metric, or one of them does not log one that the sweep names.
    """
    cards = plan.unlike_in("data", "problem", "trainer.monitor")
    _refuse_unlike(cards)
    logged = [names for names in (_logged(card, task_of(card)) for card in cards) if names]
    named = plan.settings.metrics
    if named is not None:
        silent = [(name, names) for name in named for names in logged if name not in (*names, *MEASURED)]
        mistakes = [
            Mistake("sweep.metric", f"nobody logs {name!r}", hint=_said(name, names))
            for name, names in dict(reversed(silent)).items()
        ]
        if mistakes:
            raise CardError(mistakes[::-1])
        return named
    metrics = sorted({names[0] for names in logged})
    if len(metrics) > 1:
        # Classes and numbers have no metric in common but the loss.
        alike = len({METRICS[name.removeprefix("val/")].task for name in metrics}) == 1
        one = f"{advise('problem.metric=NAME')}, or " if alike else ""
        hint = f"Name one for all with {one}{advise('sweep.metric=val/loss')}."
        raise CardError([Mistake("problem.metric", f"the trials are judged by {' and '.join(metrics)}", hint=hint)])
    return metrics or None


def _refuse_unlike(cards: Sequence[Card]) -> None:
    """Refuse trials that predict different things: no number says which of them is better.

    Raises:
        CardError: If there are several targets.
    """
    targets = sorted({card.problem.target for card in cards})
    if len(targets) > 1:
        named = " and ".join(map(repr, targets))
        message = f"the trials predict {named}: they are problems of their own, and no choices for one"
        raise CardError([Mistake("problem.target", message, hint="Run a sweep for each, with one target.")])


def _logged(card: Card, task: TaskOrAuto) -> list[str]:
    """The validation numbers of a card's run, the problem's metric first; none if that is not known yet."""
    metric: str = card.problem.metric
    if metric == "auto":
        if task == "auto":
            return []
        metric = DEFAULT_METRIC[task]
    return list(dict.fromkeys([f"val/{metric}", "val/loss", card.trainer.monitor]))


def _said(named: str, names: list[str]) -> str:
    way = advise("problem.metric=NAME")
    return f"{suggest(named, [*names, *MEASURED])} Another metric is logged when it is the problem's: {way}."
