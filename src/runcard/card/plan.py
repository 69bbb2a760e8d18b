"""A sweep that is known whole: how to go about it, what is varied, and a card for every point of it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runcard.card.check import judge
from runcard.card.groups import GROUPS
from runcard.card.overrides import Override
from runcard.card.schema import Card
from runcard.card.sections.sweep import Sweep
from runcard.card.space import Dimension
from runcard.card.values import Template
from runcard.errors import CardError, Mistake
from runcard.runs import flatten

# So many points are judged one by one; of a larger space each value once.
MAX_JUDGED = 500
NO_CHOICE = "null"  # of a group that a card can be without
# Of the data, what changes neither its columns nor its target.
CUTS = ("data.split", "data.batch_size")


@dataclass(frozen=True)
class Plan:
    """A sweep, whole and checked.

    Attributes:
        settings: How to go about it.
        space: What is varied, in the order in which it was named.
        templates: The composed groups, by the choices of the groups that are varied, such as ``("cnn",)``.
        fixed: Values that are the same in every trial.
        own: What the card would be without a sweep, as far as the space holds it.
    """

    settings: Sweep
    space: tuple[Dimension, ...]
    templates: dict[tuple[str, ...], Template]
    fixed: tuple[Override, ...]
    own: Mapping[str, Any]

    def card(self, values: Mapping[str, Any]) -> Card:
        """The card of one point; without ``report=true`` a trial's report is made on request, by evaluating it.

        Args:
            values: The value of each key of the space.

        Raises:
            CardError: If the card refuses them.
        """
        groups = tuple(choice_name(values[key.key]) for key in self.space if key.key in GROUPS)
        tried = [_typed(key, value) for key, value in values.items() if key not in GROUPS]
        return judge(self.templates[groups].with_values([_typed("report", False), *self.fixed, *tried]))

    def composed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The composed cards, each with a name made of the choices of the groups that are varied."""
        for choices_made, template in self.templates.items():
            yield "+".join(choices_made) or "base", template.with_values(self.fixed).saved()

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination of the values of a finite space, the last key fastest."""
        return self.combined([dimension.values for dimension in self.space])

    def combined(self, values: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
        """Every combination of some values of each dimension, the last key fastest."""
        names = [dimension.key for dimension in self.space]
        return (dict(zip(names, combination, strict=True)) for combination in itertools.product(*values))

    @property
    def size(self) -> float:
        """The number of points; infinite if there is an interval."""
        return math.prod(len(dimension.values) if dimension.finite else math.inf for dimension in self.space)

    def unlike_in(self, *sections: str) -> list[Card]:
        """Cards of the space, one for each different content of some of its sections or keys.

        Args:
            sections: Such as ``data`` or ``trainer.monitor``; how rows are cut into parts and batches does not count.
        """
        ends = [d.corners if _counts(d.key, sections) or d.key in GROUPS else d.corners[:1] for d in self.space]
        unlike: dict[str, Card] = {}
        for card in map(self.card, itertools.islice(self.combined(ends), MAX_JUDGED)):
            flat = flatten(card.to_dict())
            unlike.setdefault(json.dumps([value for key, value in flat.items() if _counts(key, sections)]), card)
        return list(unlike.values())

    @property
    def trials(self) -> int:
        """How many will be run: as many as are wanted, and of a grid at most all."""
        wanted = self.settings.n_trials
        if self.settings.sampler == "grid":
            return int(min(self.size, wanted or self.size))
        assert wanted is not None
        return wanted

    @property
    def written_space(self) -> dict[str, str]:
        """Each key with its values as they were written."""
        return {dimension.key: dimension.text.partition("=")[2] for dimension in self.space}

    @property
    def name(self) -> str:
        """What the cards' names have in common, by which a study is called that has no name of its own."""
        names = [card.name.split("-") for card in self.unlike_in("name")]
        shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*names, strict=False))
        return "-".join(parts[0] for parts in shared) or "sweep"


def judge_ahead(plan: Plan) -> None:
    """Judge a card for each point that can be foreseen: all of a small grid, else every corner or every value once.

    Raises:
        CardError: With the mistakes of all of them.
    """
    mistakes: list[Mistake] = []
    for point in _foreseen(plan):
        try:
            plan.card(point)
        except CardError as error:
            mistakes += error.mistakes or [Mistake("sweep", str(error))]
    if mistakes:
        raise CardError(each_once(mistakes))


def _foreseen(plan: Plan) -> Iterator[dict[str, Any]]:
    if plan.size <= MAX_JUDGED:
        yield from plan.points()
        return
    ends = [dimension.corners for dimension in plan.space]
    if math.prod(map(len, ends)) <= MAX_JUDGED:
        yield from plan.combined(ends)
        return
    for place, corners in enumerate(ends):
        yield from plan.combined([corners if here == place else first[:1] for here, first in enumerate(ends)])


def choice_name(value: Any) -> str:
    """A group's choice as Hydra writes it."""
    return NO_CHOICE if value is None else str(value)


def _counts(key: str, sections: tuple[str, ...]) -> bool:
    return key.startswith(sections) and not key.startswith(CUTS)


def _typed(key: str, value: Any) -> Override:
    """A value as if it had been typed."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Override(key, value, False, f"{key}={text}")


def each_once(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Without those that many points have in common."""
    return list({(mistake.key, mistake.message): mistake for mistake in reversed(mistakes)}.values())[::-1]
