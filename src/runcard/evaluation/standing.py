"""What the score of a run is held against: what its card asks for, what is done today, and the baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runcard.card.metrics import better, reaches
from runcard.card.schema import Card


@dataclass(frozen=True)
class Standard:
    """A number that the score on the test rows is held against.

    Attributes:
        what: Its name for people.
        value: In the metric of the problem; None: it is not known.
        met: Whether the score reaches the least value, or beats the others; None: one of the two is not known.
    """

    what: str
    value: float | None
    met: bool | None


def standards(card: Card, metrics: Mapping[str, float]) -> list[Standard]:
    """The least acceptable value, what is done today, the trivial and the linear baseline, in this order.

    Args:
        card: Of the run.
        metrics: The run's numbers, by name such as ``test/accuracy``.
    """
    metric, problem = card.problem.metric, card.problem
    score = metrics.get(f"test/{metric}")
    compared = (
        ("the least acceptable value", problem.least_value, reaches),
        ("what is done today", problem.today_value, better),
        ("the trivial baseline", metrics.get(f"baseline/trivial/{metric}"), better),
        ("the linear baseline", metrics.get(f"baseline/linear/{metric}"), better),
    )
    return [
        Standard(what, value, None if value is None or score is None else passes(metric, score, value))
        for what, value, passes in compared
    ]


def is_acceptable(card: Card, metrics: Mapping[str, float]) -> bool:
    """Whether the test rows' score reaches ``problem.least_value``; so it does where none was decided or is known."""
    return standards(card, metrics)[0].met is not False


def shortfalls(card: Card, metrics: Mapping[str, float]) -> Iterator[str]:
    """A clause for each standard that is not met, the least acceptable value first."""
    metric = card.problem.metric
    least, *others = standards(card, metrics)
    said = f"{metric} is {metrics.get(f'test/{metric}', 0):.4f} on the test rows"
    if least.met is False:
        yield f"{said}, and problem.least_value asks for {least.value:.4f}"
    for other in others:
        if other.met is False:
            yield f"{said}, no better than {other.what} with {other.value:.4f}"
