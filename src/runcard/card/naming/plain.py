"""A value that holds no objects against an annotation, as pydantic judges it, in the words of the card."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, PydanticUserError, RootModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from runcard.card import wording
from runcard.card.advice import hint_of
from runcard.card.naming import thirdparty
from runcard.card.naming.thirdparty import Instance

# What a list of YAML can be → how it is made of items.
LISTS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    **dict.fromkeys((list, Sequence, MutableSequence, Iterable, Collection), list),
    **dict.fromkeys((set, AbstractSet), set),
    frozenset: frozenset,
}
MAPPINGS = (dict, Mapping, MutableMapping)


@dataclass(frozen=True)
class Wrong:
    """One mistake; ``expected`` if it is that a value "must be" something else."""

    key: str
    message: str
    hint: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Fit:
    """The value as its annotation wants it, such as a tuple for a list, or what is wrong with it."""

    value: Any
    wrong: tuple[Wrong, ...] = ()


def plain(key: str, value: Any, annotation: Any) -> Fit:
    """Judge a value that holds no objects, all at once."""
    if is_class(annotation):
        return unlike(key, value, f"a mapping with a _target_ of class {class_name(annotation)}")
    if is_model(annotation) and not isinstance(value, dict):
        return unlike(key, value, "a mapping")
    adapter = _adapter(annotation) or _adapter(Any)
    assert adapter is not None
    try:
        # As JSON, for pydantic's strict mode then takes a list for a tuple and still no text for a number.
        found = adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        return Fit(value, errors_in(key, value, error))
    except Exception as error:  # whatever a validator of the user's raises, or a range for what has none
        return Fit(value, (Wrong(key, f"cannot be judged: {error}"),))
    if isinstance(found, float) and not math.isfinite(found):
        return unlike(key, value, "a finite number")
    if isinstance(found, bool) and not isinstance(value, bool):  # Literal[True] would take 1
        return unlike(key, value, wording.as_yaml(" or ".join(map(repr, typing.get_args(annotation)))))
    return Fit(found)


def is_object(value: Any) -> bool:
    """Whether a value stands for an object."""
    return isinstance(value, dict) and "_target_" in value


def holds_objects(value: Any) -> bool:
    """Whether a value, or something in it, stands for an object."""
    if isinstance(value, dict):
        return "_target_" in value or any(holds_objects(item) for item in value.values())
    return isinstance(value, list) and any(holds_objects(item) for item in value)


def is_model(annotation: Any) -> bool:
    """Whether a mapping becomes a pydantic model, or is a dictionary whose keys are typed."""
    if hasattr(annotation, "__required_keys__"):
        return True
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and not issubclass(annotation, RootModel)


def is_class(annotation: Any) -> bool:
    """Whether no plain value can be one of these, so that it takes a ``_target_``."""
    kind = kind_of(annotation)
    if isinstance(kind, Instance):
        return True
    if not isinstance(kind, type) or is_model(kind) or kind in (tuple, *LISTS, *MAPPINGS):
        return False
    return dataclasses.is_dataclass(kind) or _adapter(annotation) is None


def kind_of(annotation: Any) -> Any:
    """The annotation without what stands in its brackets."""
    return typing.get_origin(annotation) or annotation


def class_name(annotation: Any) -> str:
    """What to call a class in a message."""
    if isinstance(annotation, Instance):
        return thirdparty.public(annotation.qualified) or annotation.qualified
    return getattr(annotation, "__qualname__", str(annotation))


def errors_in(key: str, value: Any, error: ValidationError) -> tuple[Wrong, ...]:
    """Pydantic's errors as ours, one a place."""
    found: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_place(key, value, detail["loc"]), []).append(detail)
    return tuple(
        either([_error(place, detail) for detail in details], details[0]["input"]) for place, details in found.items()
    )


def either(wrongs: Sequence[Wrong], value: Any) -> Wrong:
    """One mistake for a value that is none of several things."""
    if len(wrongs) == 1 or not all(wrong.expected for wrong in wrongs):
        return wrongs[0]
    expected = " or ".join(dict.fromkeys(wrong.expected for wrong in wrongs))
    hint = next((wrong.hint for wrong in wrongs if wrong.hint), "")
    return Wrong(wrongs[0].key, wording.must_be(expected, value), hint, expected)


def unlike(key: str, value: Any, expected: str) -> Fit:
    """A value that is not what was expected."""
    return Fit(value, (Wrong(key, wording.must_be(expected, value), "", expected),))


def _error(place: str, detail: ErrorDetails) -> Wrong:
    expected = wording.expected(detail)
    if detail["type"] == "missing":
        return Wrong(f"{place}.{detail['loc'][-1]}", "is missing")
    if expected == detail["msg"]:  # what a validator of the user's says
        return Wrong(place, expected.removeprefix("Value error, ").removeprefix("Assertion failed, "))
    return Wrong(place, wording.must_be(expected, detail["input"]), hint_of(detail, place), expected)


def _place(key: str, value: Any, loc: tuple[int | str, ...]) -> str:
    """The key of a place; what pydantic puts among its parts, as names of types, is no key."""
    for part in loc:
        inside = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inside, dict) and part in inside:
            key, value = f"{key}.{part}", inside[part]
    return key


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """Pydantic's judge; None for a class that it does not know."""
    try:
        return _kept(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _made(annotation)


def _made(annotation: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(annotation)
    except (PydanticUserError, NameError, TypeError, RuntimeError):  # the last two: of a range for what has none
        return None


_kept = lru_cache(maxsize=1024)(_made)
