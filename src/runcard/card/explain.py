"""pydantic's errors in the words of the card: the key, what was expected, the value, the nearest right name."""

from __future__ import annotations

import functools
import typing

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runcard.advice import advise
from runcard.card import wording
from runcard.card.advice import hint_of
from runcard.card.groups import GROUPS
from runcard.card.origins import OVERRIDE, Origins, place_of
from runcard.card.schema import Card
from runcard.card.sections.parts import OWN, SHIPPED, Part, models_in, targets_of
from runcard.card.spelling import nearest, suggest
from runcard.errors import Mistake

MEANT, NO_KEY, MISSING = "Did you mean ", "there is no such key", "is missing"
# What pydantic calls the choice of this word beside a number.
AUTO = "literal['auto']"

NO_MODEL = ("model_type", "model_attributes_type")
NO_SECTION = ("dict_type", *NO_MODEL)

# How a hint ends about a key that is right with another class.
OF_ANOTHER = " (another choice of the group has it)."


def explain(error: ValidationError, origins: Origins, root: type[BaseModel] = Card) -> list[Mistake]:
    """One mistake for each thing that is wrong; what merely follows from another is left out.

    Args:
        error: What pydantic says of ``root``.
        origins: Where each value came from.
        root: What was judged.
    """
    details, spoken = _without_auto(error.errors(include_url=False))
    broken = [_names(detail["loc"]) for detail in details]
    causes = [
        detail
        for detail, names in zip(details, broken, strict=True)
        # A list whose items are wrong is also reported as too short.
        if detail["type"] != "too_short" or not any(other[:-1] == names for other in broken)
    ]
    # A value that was not given has been reported as such.
    return _folded(
        [_mistake(detail, origins, root, detail["loc"] in spoken) for detail in causes if detail["input"] != "???"]
    )


def _folded(mistakes: list[Mistake]) -> list[Mistake]:
    """Without a key that is missing where it stands misspelt: that is one mistake."""
    meant = {one.hint[len(MEANT) : -1] for one in mistakes if one.message == NO_KEY and one.hint.startswith(MEANT)}
    return [one for one in mistakes if not (one.message == MISSING and one.key in meant)]


def _without_auto(details: list[ErrorDetails]) -> tuple[list[ErrorDetails], set[tuple[int | str, ...]]]:
    """One error for a value that may also be ``auto``, where pydantic has one for each; and the places of such."""
    places = {detail["loc"][:-1] for detail in details if detail["loc"][-1:] == (AUTO,)}
    kept = [detail for detail in details if detail["loc"][-1:] != (AUTO,)]
    for detail in kept:
        if detail["loc"][:-1] in places:
            detail["loc"] = detail["loc"][:-1]
    return kept, places


def _mistake(detail: ErrorDetails, origins: Origins, root: type[BaseModel], auto: bool) -> Mistake:
    kind, names = detail["type"], _names(detail["loc"])
    key = ".".join(names) or "card"
    where = place_of(origins, key)
    if kind == "extra_forbidden":
        return Mistake(key, NO_KEY, where, _right_key(detail["loc"], root))
    if kind == "json_invalid":  # half of a character, which YAML can write
        return Mistake(key, f"holds what is no text: {detail['ctx']['error']}")
    if kind == "missing":
        # Of a saved card, for whatever is composed has all sections; no group is looked up for it.
        hint = f"`{advise('runcard', 'check', f'{key}=NAME')}` shows a whole card with one." if key in GROUPS else ""
        return Mistake(key, MISSING, where, hint)
    if kind == "union_tag_not_found":
        near = nearest("_target_", map(str, detail["input"]), 1) if isinstance(detail["input"], dict) else []
        place = place_of(origins, f"{key}.{near[0]}") if near else where
        hint = f"Is {near[0]} meant?" if near else ""
        return Mistake(f"{key}._target_", "is missing: it names the class that takes the other keys", place, hint)
    if kind == "union_tag_invalid":
        tag, allowed = detail["ctx"]["tag"], detail["ctx"]["expected_tags"].replace("'", "").split(", ")
        place = place_of(origins, f"{key}._target_")
        return Mistake(f"{key}._target_", f"the class {tag!r} is not allowed", place, suggest(str(tag), allowed))
    if key in GROUPS and kind in NO_SECTION:
        chosen = isinstance(detail["input"], str) and not where.startswith(OVERRIDE)
        hint = f"A file chooses it in its defaults: '- override /{key}: {detail['input']}'." if chosen else ""
        return Mistake(key, wording.must_be("a section with keys of its own", detail["input"]), where, hint)
    expected = wording.expected(detail) + (" or auto" if auto and isinstance(detail["input"], str) else "")
    hint = _keys_within(detail, key, root) if kind in NO_MODEL else hint_of(detail, key)
    return Mistake(key, wording.must_be(expected, detail["input"]), where, hint)


def _keys_within(detail: ErrorDetails, key: str, root: type[BaseModel]) -> str:
    """What to set in place of a section; where that was null, a key of it that may be."""
    fields = _section_at(detail["loc"], root).model_fields
    empty = [name for name, field in fields.items() if type(None) in typing.get_args(field.annotation)]
    if detail["input"] is None and empty:
        return f"Set {advise(f'{key}.{empty[0]}=null')}."
    return f"Its keys are set one by one: {', '.join(f'{key}.{name}' for name in fields)}."


def _names(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of a place, without the class names that pydantic puts among them."""
    return [str(part) for part in loc if not _is_class(part)]


def _is_class(part: int | str) -> bool:
    return part in (SHIPPED, OWN) or (isinstance(part, str) and "." in part and part.rpartition(".")[0] in _MODULES)


def _right_key(loc: tuple[int | str, ...], root: type[BaseModel]) -> str:
    """Offer the nearest key of the same section, else the same name in another section."""
    names, keys = _names(loc), _keys(_section_at(loc[:-1], root))
    if names == ["sweep"]:
        ways = " or ".join(advise(f"sweep={one}") for one in ("tpe", "random", "grid"))
        return f"It belongs to a sweep: add {advise('-m')}, or choose {ways}."
    if "." in names[-1]:
        *sections, leaf = names[-1].split(".")
        nested = "".join(f"{section}: {{" for section in sections) + f"{leaf}: ...{'}' * len(sections)}"
        return f"A file has keys within keys: write {nested}."
    if len(names) == 1 and root is Card:
        keys += [group for group in GROUPS if group not in keys]  # chosen as one, though the card has no such key
    prefix = "".join(f"{name}." for name in names[:-1])
    near = [f"{prefix}{key}" for key in nearest(names[-1], keys)]
    key, paths = ".".join(names), _all_keys(root)
    other = OF_ANOTHER.removesuffix(".") if key in paths else ""
    leaves = {path.rpartition(".")[2] for path in paths if path != key}
    same = [names[-1]] if names[-1] in leaves else [] if other else nearest(names[-1], leaves)
    near = near or [path for leaf in same for path in paths if path.rpartition(".")[2] == leaf and path != key][:3]
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(keys)}{other}."


def _section_at(loc: tuple[int | str, ...], root: type[BaseModel]) -> type[BaseModel]:
    section = root
    options: list[type[BaseModel]] = []
    for part in loc:
        if part == SHIPPED:
            continue
        if _is_class(part):
            section = next(model for model in options if _target(model) == ("" if part == OWN else part))
            continue
        field = next((field for name, field in section.model_fields.items() if part in (name, field.alias)), None)
        options = models_in(field.annotation) if field is not None else []
        section = options[0] if len(options) == 1 else section
    return section


def _target(model: type[BaseModel]) -> str:
    return next(iter(targets_of(model)), "") if issubclass(model, Part) else ""


def _keys(section: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


@functools.cache
def _all_keys(section: type[BaseModel], prefix: str = "") -> tuple[str, ...]:
    paths = []
    for name, field in section.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        paths.append(path)
        for model in models_in(field.annotation):
            paths += _all_keys(model, f"{path}.")
    return tuple(dict.fromkeys(paths))


_MODULES = {
    _target(model).rpartition(".")[0] for field in Card.model_fields.values() for model in models_in(field.annotation)
} - {""}
