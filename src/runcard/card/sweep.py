"""From overrides to a sweep: how to go about it, what to vary, and a card for every point. Reads no data.

The groups are composed here, once for each combination that the space names. A trial's card is such a composed card
with the trial's values laid over it, so that nothing in ``conf/`` is looked up once the sweep has begun.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runcard.advice import advise
from runcard.card import project
from runcard.card.check import Outside, is_saved_card, load_unless_sweep, without_secrets
from runcard.card.compose import NO_GROUPS, compose_groups, divide, group_choices, saved_template
from runcard.card.conditions import ordered, wrong_conditions
from runcard.card.explain import explain
from runcard.card.first import first_points
from runcard.card.groups import GROUPS
from runcard.card.interpolate import Secrets
from runcard.card.kept import filled_settings
from runcard.card.launchers import take_launcher
from runcard.card.origins import OVERRIDE, place_of
from runcard.card.overrides import Override, parse_sweep
from runcard.card.plan import NO_CHOICE, NOT_TRIED, Plan, choice_name, each_once, judge_ahead
from runcard.card.points import meeting
from runcard.card.schema import Card
from runcard.card.sections.sweep import Sweep, Sweeping
from runcard.card.seen import seen_by_all
from runcard.card.space import Dimension
from runcard.card.unfit import unfit
from runcard.card.values import Composed, Template, lay_over
from runcard.card.varied import given_twice, is_or_is_below, placed, together, too_many, written
from runcard.errors import CardError, Mistake
from runcard.leaves import flatten

# Hydra takes a tenth of a second for each.
MAX_COMPOSED = 200


def load_card_or_sweep(
    overrides: Sequence[str],
    config_dir: str | Path | None = None,
    *,
    many: bool = False,
    outside: Outside | None = None,
) -> Card | Plan:
    """Compose and judge a card, or a sweep if a file that is chosen asks for one.

    Args:
        overrides: As for one card, or as for a sweep.
        config_dir: A folder of the user's own groups.
        many: Whether a sweep is asked for in any case.
        outside: What else to look at where a card has mistakes; see ``judge``.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    chosen = [word for word in overrides if word.lstrip("+").startswith("sweep=")]
    if not many and not any(word.partition("=")[2] not in ("null", "") for word in chosen):
        card = load_unless_sweep(overrides, config_dir, outside)
        if card is not None:
            return card
    return load_sweep(overrides, config_dir)


def load_sweep(overrides: Sequence[str], config_dir: str | Path | None = None) -> Plan:
    """Compose and judge a sweep: its settings, its space, and a card for every combination that can be foreseen.

    Args:
        overrides: As for one card, some of them naming many values; the first may be a saved ``card.yaml``.
        config_dir: A folder of the user's own groups.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    aside: list[Mistake] = []
    try:
        plan = _load_sweep(overrides, config_dir, aside)
    except CardError as error:
        if error.mistakes and aside:
            raise CardError(each_once([*error.mistakes, *aside])) from None
        raise
    return replace(plan, aside=tuple(each_once(aside)))


def _load_sweep(overrides: Sequence[str], config_dir: str | Path | None, aside: list[Mistake]) -> Plan:
    """As ``load_sweep``.

    Args:
        overrides: As for ``load_sweep``.
        config_dir: As for ``load_sweep``.
        aside: Takes what is wrong in files that were not chosen.
    """
    saved, words = _divide_saved(overrides)
    mistakes: list[Mistake] = []
    options = group_choices(config_dir)
    one, many = parse_sweep(words, mistakes)
    launcher, one = take_launcher(one, mistakes)
    # A file's space may be changed key by key.
    many = [replace(dimension, key=dimension.key.removeprefix("sweep.space.")) for dimension in many]
    chosen, values = divide(one, options, mistakes)
    if saved:
        mistakes += _groups_of_saved(chosen, many)
        chosen = [choice for choice in chosen if choice.startswith("sweep=")]
    settings, secrets, own_space, place = _settings(chosen, values, many, config_dir, mistakes, aside)
    leaves = list(flatten({override.key: override.value for override in values}))
    set_groups = [override.key for override in one if override.key in GROUPS]
    mistakes += given_twice(many, [*leaves, *set_groups])
    typed = [*leaves, *(dimension.key for dimension in many)]
    left = [d for d in own_space if d.key not in set_groups and not is_or_is_below(d.key, typed)]
    space = together(left + many, options, mistakes)
    mistakes += wrong_conditions(space, [*leaves, *options, *(dimension.key for dimension in own_space)])
    mistakes += too_many(space)
    space = ordered(space) if not mistakes else space
    if not space and not mistakes:
        given = [override.text for override in values if not _of_sweep(override)][:3]
        ways = advise("optimizer.lr=tag(log,interval(1e-4,1e-1))"), advise("seed=1,2,3")
        hint = f"Name values to try, such as {' or '.join(ways)}."
        hint += f" What was typed names one value each: {', '.join(given)}." if given else ""
        mistakes.append(Mistake("sweep.space", "is empty: there is nothing to try", place("sweep.space"), hint))
    mistakes += unfit(settings, space, place, launcher)
    if settings.first:
        points = first_points(settings.first, space, place("sweep.first"), mistakes)
        settings = settings.model_copy(update={"first": points})
    if mistakes:
        raise CardError(without_secrets(placed(each_once(mistakes), left, place)))
    fixed = tuple(value for value in values if not _of_sweep(value))
    base = saved_template(saved) if saved else _composed(chosen, config_dir, mistakes)
    groups = [dimension for dimension in space if dimension.key in GROUPS]
    nothing_varied: tuple[str, ...] = ()
    templates = _templates(groups, chosen, config_dir) if groups else {nothing_varied: base}
    plan = Plan(settings, space, templates, fixed, _own(base, fixed, space), secrets, launcher)
    unmet = [d for place, d in enumerate(space) if d.when and next(meeting(space, place), None) is None]
    if unmet:
        message, hint = "is never tried: its conditions are not met together", "Look at the keys that it names."
        raise CardError(placed([Mistake(dimension.text, message, hint=hint) for dimension in unmet], left, place))
    seen = seen_by_all(secrets, {}) + _seen_in_cards(plan)
    if seen:
        raise CardError(without_secrets(placed(each_once(seen), left, place)))
    try:
        judge_ahead(plan)
    except CardError as error:
        raise CardError(placed(error.mistakes, left, place)) from None
    return plan


def _seen_in_cards(plan: Plan) -> list[Mistake]:
    composed = [template.with_values(plan.fixed) for template in plan.templates.values()]
    return [mistake for one in composed for mistake in seen_by_all(one.secrets, one.origins)]


def _divide_saved(overrides: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    if overrides and is_saved_card(overrides[0]):
        return Path(overrides[0]), overrides[1:]
    return None, project.find().words(overrides)


def _groups_of_saved(chosen: Sequence[str], many: Sequence[Dimension]) -> list[Mistake]:
    typed = [*chosen, *(dimension.text for dimension in many)]
    groups = [text for text in typed if text.partition("=")[0] in GROUPS and not text.startswith("sweep=")]
    return [Mistake(text, NO_GROUPS) for text in groups]


def _of_sweep(override: Override) -> bool:
    return override.key.partition(".")[0] == "sweep"


def _settings(
    chosen: list[str],
    values: list[Override],
    many: list[Dimension],
    config_dir: str | Path | None,
    mistakes: list[Mistake],
    aside: list[Mistake],
) -> tuple[Sweep, Secrets, list[Dimension], Callable[[str], str]]:
    """The section ``sweep``, what in it is of the environment, the space that its file names, and where keys were set.

    Raises:
        CardError: If the section is wrong.
    """
    template = compose_groups(chosen, config_dir, mistakes, aside)
    bare = "sweep" not in template.tree
    if bare:
        # -m alone: what is typed is the space, and says which sampler fits.
        endless = any(dimension.low is not None and dimension.step is None for dimension in many)
        template = compose_groups([*chosen, f"sweep={'tpe' if endless else 'grid'}"], config_dir, [])
    composed = Composed({"sweep": template.tree["sweep"]}, dict(template.origins))
    own = [value for value in values if _of_sweep(value)]
    if isinstance(composed.values["sweep"], dict) and (bare or any(value.key == "sweep.space" for value in own)):
        composed.values["sweep"]["space"] = {}
    lay_over(composed.values, own, composed.origins, mistakes)
    section: Any = composed.values["sweep"]
    secrets: Secrets = {}
    if isinstance(section, dict):
        if isinstance(section.get("space"), dict):
            section["space"] = flatten(section["space"])
        lay_over(template.tree, [value for value in values if not _of_sweep(value)], {}, [])
        filled = filled_settings(section, template.tree, composed.origins)
        composed.values, secrets = filled.values, filled.secrets
        mistakes += filled.mistakes
    try:
        settings = Sweeping.model_validate_json(json.dumps(composed.values, default=str)).sweep
    except ValidationError as error:
        raise CardError(without_secrets([*mistakes, *explain(error, composed.origins, Sweeping)])) from None

    def place(key: str) -> str:
        found = place_of(composed.origins, key)
        return "" if bare and not found.startswith(OVERRIDE) else found

    return settings, secrets, written(settings.space, composed.origins, mistakes), place


def _templates(
    varied: Sequence[Dimension], chosen: Sequence[str], config_dir: str | Path | None
) -> dict[tuple[str, ...], Template]:
    """The groups composed, once for each combination of those that are varied.

    Raises:
        CardError: If one cannot be.
    """
    offered = [[*map(choice_name, d.values), *([NOT_TRIED] if d.when else [])] for d in varied]
    count = math.prod(map(len, offered))
    if count > MAX_COMPOSED:
        raise CardError(
            f"sweep.space: names {count} combinations of groups, of which each is composed ahead, and "
            f"{MAX_COMPOSED} are the most. Vary fewer groups, or make several sweeps."
        )
    found: dict[tuple[str, ...], Template] = {}
    mistakes: list[Mistake] = []
    for combination in itertools.product(*offered):
        named = [(dimension.key, name) for dimension, name in zip(varied, combination, strict=True)]
        picked = [f"{key}={name}" for key, name in named if name not in (NO_CHOICE, NOT_TRIED)]
        found[combination] = _composed([*chosen, *picked], config_dir, mistakes)
    if mistakes:
        raise CardError(each_once(mistakes))
    return found


def _composed(chosen: Sequence[str], config_dir: str | Path | None, mistakes: list[Mistake]) -> Template:
    """The card's groups, without what only says how to sweep."""
    card_groups = [choice for choice in chosen if not choice.startswith("sweep=")]
    template = compose_groups(card_groups, config_dir, mistakes)
    template.tree.pop("sweep", None)  # an experiment may choose it
    return template


def _own(base: Template, fixed: Sequence[Override], space: Sequence[Dimension]) -> dict[str, Any]:
    """Of the card as it would be without a sweep, what the space holds."""
    card = base.with_values(fixed).values
    found: dict[str, Any] = {}
    for dimension in space:
        value = base.choices[dimension.key] if dimension.key in base.choices else _at(card, dimension.key)
        if dimension.holds(value) and dimension.applies(found):
            found[dimension.key] = value
    return found


def _at(values: Any, key: str) -> Any:
    """A card's value; ``???`` if it has none."""
    for name in key.split("."):
        values = values.get(name, "???") if isinstance(values, dict) else "???"
    return values
