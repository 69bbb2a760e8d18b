"""Where the plan of a sweep is not that of a study that is to go on: only in what would make it another study."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runcard.leaves import flatten

MAX_SHOWN = 10
OBJECTIVE = ("metric", "seeds", "spread_weight")
# Of a card, what changes nothing of what is learned.
FREE = ("name", "runs_dir", "report", "logger", "serve")
Content = Mapping[str, Any]


def differences(was: Content, now: Content) -> list[str]:
    """One line for each difference in the space, in what decides, and in the cards, and at most so many of the cards.

    Args:
        was: The study's plan, as ``Plan.to_dict`` gives it.
        now: The new plan.
    """
    objective = [_line(f"sweep.{key}", _one(was["settings"][key]), _one(now["settings"][key])) for key in OBJECTIVE]
    space = list(_in_space(was["space"], now["space"]))
    cards = [line for line in dict.fromkeys(_in_cards(was, now)) if line]
    more = [f"and {len(cards) - MAX_SHOWN} more"] if len(cards) > MAX_SHOWN else []
    return [line for line in [*objective, *space] if line] + cards[:MAX_SHOWN] + more


def _one(value: Any) -> Any:
    """A list of one metric is that metric."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _in_space(was: list[Content], now: list[Content]) -> Iterator[str]:
    """By what the values are, shown as they were written."""
    before, after = ({one["key"]: one for one in space} for space in (was, now))
    for key in dict.fromkeys([*before, *after]):
        both = [{**space.get(key, {"text": "=not varied"})} for space in (before, after)]
        said, says = (one.pop("text").partition("=")[2] for one in both)
        if json.dumps(both[0], sort_keys=True) != json.dumps(both[1], sort_keys=True):
            yield f"sweep.space.{key}: was {said}, is {says}"


def _in_cards(was: Content, now: Content) -> Iterator[str]:
    before, after = _templates(was), _templates(now)
    if set(before) != set(after):
        names = [", ".join(sorted("+".join(of) for of in templates)) for templates in (before, after)]
        yield f"choices of groups: was {names[0]}, is {names[1]}"
    for of in before:
        if of in after:
            yield from _unlike("", before[of], after[of])


def _templates(plan: Content) -> dict[tuple[str, ...], dict[str, Any]]:
    """Of each choice of groups the card's leaves, the fixed values laid over them."""
    found = {}
    for template in plan["templates"]:
        leaves = flatten(template["tree"])
        for fixed in plan["fixed"]:
            leaves = _laid_over(leaves, fixed["key"], fixed["value"], delete=fixed["delete"])
        found[tuple(template["of"])] = {key: v for key, v in leaves.items() if key.partition(".")[0] not in FREE}
    return found


def _laid_over(leaves: Mapping[str, Any], key: str, value: Any, *, delete: bool) -> dict[str, Any]:
    """Leaves with a value laid over them: a mapping into a mapping, all else in its place."""
    whole = delete or not isinstance(value, dict)
    kept = {
        name: leaf
        for name, leaf in leaves.items()
        if name != key and not key.startswith(f"{name}.") and not (whole and name.startswith(f"{key}."))
    }
    return kept | ({} if delete else flatten({key: value}))


def _unlike(prefix: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    keys = dict.fromkeys([*was, *now])
    return [_line(f"{prefix}{key}", was.get(key, "left out"), now.get(key, "left out")) for key in keys]


def _line(key: str, was: Any, now: Any) -> str:
    said, says = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in (was, now))
    return f"{key}: was {said}, is {says}" if (said, type(was)) != (says, type(now)) else ""
