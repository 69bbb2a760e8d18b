"""What a card names: whether it may be named there, and whether it takes the arguments beside the name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from runcard.advice import advise
from runcard.card.naming import targets, thirdparty
from runcard.card.naming.arguments import accepts, defaults_of, judge_arguments
from runcard.card.naming.targets import HYDRAS_OWN, TARGET, Named
from runcard.card.naming.trust import RefusedError
from runcard.card.origins import DEFAULT, Origins, place_of
from runcard.card.sections.parts import OWN, kind_of_part, shipped_targets
from runcard.card.spelling import nearest
from runcard.errors import Mistake

# Section → what Runcard gives the class itself, so that a card does not.
GIVEN = {
    "model": {"input_shape", "outputs", "pad"},
    "optimizer": {"params"},
    "logger": {"save_dir"},
    "scheduler": {"optimizer", "last_epoch"},
}
# Section → the keys that are Runcard's own, beside the arguments.
FILLED: dict[str, dict[str, Any]] = {"data": {"kinds": {}, "last_batch": "keep"}, "scheduler": {"interval": "epoch"}}
KEPT = {"data": {"batch_size", "last_batch", "workers", "split", "kinds"}, "scheduler": {"interval"}}


def judge_targets(values: dict[str, Any], origins: Origins) -> list[Mistake]:
    """Judge every class that a card names, with its arguments.

    Args:
        values: The card. Changed here: a class that may not be named gives way to the nearest that may, so that the
            rest of its section can be judged; and arguments with a default are written out.
        origins: Where each value came from; the defaults are noted here.
    """
    named = list(targets.named_in(values))
    refused = [mistake for place in named for mistake in _refused(place, origins)]
    wrong = {mistake.key for mistake in refused}
    for place in named:
        own = bool(place.section) and kind_of_part(place.content) == OWN
        if own and not any(f"{other}.{TARGET}" in wrong for other in _at_or_below(place.key, named)):
            refused += _judged(place, origins)
    return refused


def _refused(place: Named, origins: Origins) -> Iterator[Mistake]:
    for name in HYDRAS_OWN:
        if name in place.content:
            key = f"{place.key}.{name}"
            yield Mistake(key, "there is no such key: a card names classes only", place_of(origins, key))
            del place.content[name]
    target, key = place.content[TARGET], f"{place.key}.{TARGET}"
    try:
        if not isinstance(target, str) or target in shipped_targets() or thirdparty.known(target):
            targets.refuse(target, place.section)
        else:
            targets.resolve(target, place.section)
    except RefusedError as error:
        yield Mistake(key, str(error), place_of(origins, key), error.hint.strip())
        near = nearest(str(target), targets.allowed(place.section), 1)
        if near:
            place.content[TARGET] = near[0]


def _at_or_below(key: str, named: list[Named]) -> Iterator[str]:
    return (place.key for place in named if place.key == key or place.key.startswith(f"{key}."))


def _judged(place: Named, origins: Origins) -> Iterator[Mistake]:
    """Mistakes in the arguments; without any, the defaults are written into the section."""
    target = _named(place.content[TARGET])
    given = GIVEN.get(place.section, set())
    if place.section == "scheduler" and not isinstance(target, str):  # of the user's own, which is given nothing
        given = set()
    kept = KEPT.get(place.section, set())
    values = {name: value for name, value in place.content.items() if name != TARGET and name not in kept}
    if place.section == "optimizer" and values.get("lr") == "auto":  # the section knows that word, and will find a rate
        values["lr"] = 1e-3
    left = _left_by_another(place, accepts(target), kept, origins)
    for name in left:
        values.pop(name, None)
        del place.content[name]
    if left:
        yield _another_file(place, left, origins)
    found = list(judge_arguments(place.key, target, values, given, targets.own))
    for key, message, hint in found:
        yield Mistake(key, message, place_of(origins, key), hint)
    if place.section in ("model", "optimizer") and not found:
        yield from _cannot_be_given(place, target, given - {"pad"}, origins)
    if not found:
        for name, default in {**defaults_of(target, given), **FILLED.get(place.section, {})}.items():
            if name not in place.content:
                place.content[name] = default
                origins[f"{place.key}.{name}"] = f"{DEFAULT}{place.content[TARGET]}"


def _left_by_another(place: Named, taken: Collection[str], kept: Collection[str], origins: Origins) -> list[str]:
    """Arguments that a group's file set for its own class, where another class was named from elsewhere."""
    file = _file(origins.get(place.key, ""))
    if file in (_file(place_of(origins, f"{place.key}.{TARGET}")), ""):
        return []
    odd = [name for name in place.content if name not in (TARGET, *taken, *kept)]
    return [name for name in odd if _file(origins.get(f"{place.key}.{name}", "")) == file]


def _another_file(place: Named, left: list[str], origins: Origins) -> Mistake:
    key, file = f"{place.key}.{TARGET}", _file(origins[place.key])
    names = ", ".join(left)
    message = f"{place.content[TARGET]} does not take what {file} sets for another class: {names}"
    words = advise("--config-dir", "FOLDER", f"{place.key}=NAME")
    hint = f"Write a file {place.key}/NAME.yaml for it, below FOLDER, and choose it with {words}."
    return Mistake(key, message, place_of(origins, key), hint)


def _file(place: str) -> str:
    return place.rpartition(":")[0] if place.rpartition(":")[2].isdigit() else place


def _cannot_be_given(place: Named, target: Any, given: set[str], origins: Origins) -> Iterator[Mistake]:
    lacking = sorted(given - accepts(target))
    if lacking:
        key, names = f"{place.key}.{TARGET}", " and ".join(lacking)
        message = f"{place.content[TARGET]} takes no {names}, which a {place.section} is given"
        yield Mistake(key, message, place_of(origins, key), f"Add {names} to its __init__.")


def _named(target: str) -> Any:
    """A class of the table by its name, any other as itself."""
    return target if thirdparty.known(target) else targets.resolve(target)
