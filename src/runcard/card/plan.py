"""A sweep that is known whole: how to go about it, what is varied, and a card for every point of it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runcard.advice import advise
from runcard.card import kept, points
from runcard.card.check import judge
from runcard.card.differences import differences
from runcard.card.explain import OF_ANOTHER
from runcard.card.groups import GROUPS
from runcard.card.interpolate import Secrets
from runcard.card.launchers import Launcher
from runcard.card.overrides import Override
from runcard.card.points import Point
from runcard.card.schema import Card
from runcard.card.sections.sweep import ENUMERATING, Sweep
from runcard.card.space import Dimension
from runcard.card.values import Template
from runcard.card.versions import read_as_before
from runcard.errors import CardError, Mistake, RunError
from runcard.leaves import flatten

# So many points are judged one by one; of a larger space each value once.
MAX_JUDGED = 500
NO_CHOICE = "null"  # of a group that a card can be without
NOT_TRIED = "-"  # of a group whose condition is not met: the card's own choice; no file of a choice has this name
# Of the data, what changes neither its columns nor its target.
CUTS = ("data.split", "data.batch_size", "data.last_batch")


@dataclass(frozen=True)
class Plan:
    """A sweep, whole and checked.

    Attributes:
        settings: How to go about it.
        space: What is varied, in the order in which it was named, but behind the keys that a condition names.
        templates: The composed groups, by the choices of the groups that are varied, such as ``("cnn",)``.
        fixed: Values that are the same in every trial.
        own: What the card would be without a sweep, as far as the space holds it.
        secrets: Path → the text as it was written, for each setting that holds something of the environment.
        launcher: Where trials run; None: in the pool of this machine.
        aside: What is wrong in files of groups that nobody chose; not kept.
    """

    settings: Sweep
    space: tuple[Dimension, ...]
    templates: dict[tuple[str, ...], Template]
    fixed: tuple[Override, ...]
    own: Mapping[str, Any]
    secrets: Secrets = field(default_factory=dict)
    launcher: Launcher | None = None
    aside: tuple[Mistake, ...] = ()

    def card(self, values: Mapping[str, Any]) -> Card:
        """The card of one point; without ``report=true`` a trial's report is made on request, by evaluating it.

        Args:
            values: The value of each key of the space that applies; others are not looked at.

        Raises:
            CardError: If the card refuses them.
        """
        point = self.applying(values)
        groups = tuple(choice_of(key.key, point) for key in self.space if key.key in GROUPS)
        tried = [_typed(key, value) for key, value in point.items() if key not in GROUPS]
        composed = self.templates[groups].with_values([_typed("report", False), *self.fixed, *tried])
        read_as_before(composed.values)
        return judge(composed)

    def applying(self, values: Mapping[str, Any]) -> Point:
        """A point without the keys whose condition it does not meet, in the order of the space."""
        point: Point = {}
        for dimension in self.space:
            if dimension.key in values and dimension.applies(point):
                point[dimension.key] = values[dimension.key]
        return point

    @property
    def is_compared(self) -> bool:
        """Whether the winner is held against the baselines: with ``report=false``, or other rows a trial, it is not."""
        refused = any(one.key == "report" and one.value is False for one in self.fixed)
        return not refused and not any(key.key.partition(".")[0] in ("data", "problem") for key in self.space)

    @property
    def first(self) -> list[Point]:
        """The points that are tried first; of one that lacks keys the rest is for the sampler to choose."""
        if self.settings.sampler in ENUMERATING:
            return []
        own = [dict(self.own)] if self.own else []
        return own if self.settings.first is None else [dict(point) for point in self.settings.first]

    @property
    def written_settings(self) -> dict[str, Any]:
        """The settings for people and files: no secret, but the reference to it."""
        return kept.written_settings(self.settings, self.secrets)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values, from which ``from_dict`` makes it again without looking at ``conf/``."""
        return {
            "settings": self.written_settings,
            "space": kept.plain(self.space),
            "templates": [{"of": list(of), **kept.plain(template)} for of, template in self.templates.items()],
            "fixed": kept.plain(self.fixed),
            "own": dict(self.own),
            "launcher": self.launcher and self.launcher.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Plan:
        """The plan that ``to_dict`` described.

        Raises:
            CardError: If a setting refers to what the environment no longer holds.
            RunError: If it describes none.
        """
        try:
            settings, secrets = kept.read_settings(content["settings"])
            space = tuple(map(kept.read_dimension, content["space"]))
            templates = {tuple(one["of"]): kept.read_template(one) for one in content["templates"]}
            fixed = tuple(map(kept.read_override, content["fixed"]))
            own = {one.key: content["own"][one.key] for one in space if one.key in content["own"]}
            placed = content.get("launcher")
            launcher = None if placed is None else Launcher.from_dict(placed)
            plan = cls(settings, space, templates, fixed, own, secrets, launcher)
            kept.refuse_unlike(content, plan.to_dict())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"the plan of the study is damaged: {kept.first_line(error)}") from None
        return plan

    def differences(self, other: Plan) -> list[str]:
        """What a plan changes that may not change while its study goes on; a line for each, and none if it may go on.

        Args:
            other: The new plan; this one is that of the study.
        """
        return differences(self.to_dict(), other.to_dict())

    def composed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The composed cards, each with a name made of the choices of the groups that are varied."""
        for choices_made, template in self.templates.items():
            yield "+".join(choices_made) or "base", template.with_values(self.fixed).saved()

    def points(self) -> Iterator[Point]:
        """Every point of a finite space once, the last key fastest, without the keys that do not apply."""
        return points.combined(self.space, [dimension.values for dimension in self.space], {})

    @property
    def size(self) -> float:
        """The number of points; infinite if there is an interval."""
        return points.count(self.space)

    def whole(self, values: Mapping[str, Any]) -> Point:
        """A point with some value for each key that it lacks: the card's own, or else the first that may be tried."""
        point: Point = {}
        for dimension in self.space:
            if dimension.applies(point):
                usual = self.own.get(dimension.key, dimension.corners[0])
                point[dimension.key] = values.get(dimension.key, usual)
        return point

    def with_condition(self, mistake: Mistake) -> Mistake:
        """A mistake, with how to vary a key that only some choices of a varied group have."""
        group = mistake.key.partition(".")[0]
        varied = {dimension.key for dimension in self.space}
        if mistake.key not in varied or group not in varied or not mistake.hint.endswith(OF_ANOTHER):
            return mistake
        return replace(
            mistake, hint=f"Where only some choices have it: {advise(f'{mistake.key}=VALUES if {group}=CHOICE')}."
        )

    def unlike_in(self, *sections: str) -> list[Card]:
        """Cards of the space, one for each different content of some of its sections or keys.

        Args:
            sections: Such as ``data`` or ``trainer.monitor``; how rows are cut into parts and batches does not count.
        """
        named, ends = points.named_in_conditions(self.space), zip(self.space, points.corners(self.space), strict=True)
        values = [e if _counts(d.key, sections) or d.key in GROUPS or d.key in named else e[:1] for d, e in ends]
        unlike: dict[str, Card] = {}
        for card in map(self.card, itertools.islice(points.combined(self.space, values, {}), MAX_JUDGED)):
            flat = flatten(card.to_dict())
            unlike.setdefault(json.dumps([value for key, value in flat.items() if _counts(key, sections)]), card)
        return list(unlike.values())

    @property
    def trials(self) -> int:
        """How many will be run: as many as are wanted, and at most all where each is tried once."""
        wanted = self.settings.n_trials
        if self.settings.sampler in ENUMERATING:
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
            mistakes += map(plan.with_condition, error.mistakes or [Mistake("sweep", str(error))])
    if mistakes:
        raise CardError(each_once(mistakes))


def _foreseen(plan: Plan) -> Iterator[Point]:
    if plan.size <= MAX_JUDGED:
        yield from plan.points()
    else:
        ends = points.corners(plan.space)
        if math.prod(map(len, ends)) <= MAX_JUDGED:
            yield from points.combined(plan.space, ends, {})
        else:
            for place in range(len(plan.space)):
                yield from itertools.islice(points.meeting(plan.space, place), MAX_JUDGED)
    yield from map(plan.whole, plan.settings.first or [])


def choice_name(value: Any) -> str:
    """A group's choice as Hydra writes it."""
    return NO_CHOICE if value is None else str(value)


def choice_of(group: str, point: Mapping[str, Any]) -> str:
    """The choice of a group at a point, as templates are told apart by it."""
    return choice_name(point[group]) if group in point else NOT_TRIED


def _counts(key: str, sections: tuple[str, ...]) -> bool:
    return key.startswith(sections) and not key.startswith(CUTS)


def _typed(key: str, value: Any) -> Override:
    """A value as if it had been typed."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Override(key, value, False, f"{key}={text}")


def each_once(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Without those that many points have in common."""
    return list({(mistake.key, mistake.message): mistake for mistake in reversed(mistakes)}.values())[::-1]
