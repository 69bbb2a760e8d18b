"""One value against one annotation: strict, at any depth, in the words of the card.

Mappings that stand for objects are for the caller to judge: those with ``_target_``, and those for a pydantic model.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal, Union

from runcard.card.naming.plain import (
    LISTS,
    MAPPINGS,
    Fit,
    Wrong,
    class_name,
    either,
    holds_objects,
    is_class,
    is_model,
    is_object,
    kind_of,
    plain,
    unlike,
)
from runcard.card.naming.thirdparty import Instance

# Key, the mapping that stands for an object, and the annotation.
Inner = Callable[[str, dict[str, Any], Any], Fit]


def fit(key: str, value: Any, annotation: Any, inner: Inner) -> Fit:
    """Judge a plain value.

    Args:
        key: The dotted path of the value.
        value: As YAML has it.
        annotation: Resolved.
        inner: Judges a mapping that stands for an object.
    """
    kind = kind_of(annotation)
    if kind is Annotated:
        return _annotated(key, value, annotation, inner)
    if kind in (Union, types.UnionType):
        return _union(key, value, typing.get_args(annotation), inner)
    if is_object(value) or (is_model(annotation) and isinstance(value, dict)):
        return inner(key, value, annotation)
    if kind in (Any, object):
        return _anything(key, value, inner)
    return _contained(key, value, annotation, inner) or plain(key, value, annotation)


def unfit(key: str, value: dict[str, Any], annotation: Any) -> Fit:
    """The mistake of an object that is not what the annotation says."""
    kind = kind_of(annotation)
    if kind in (tuple, *LISTS, *MAPPINGS):
        return unlike(key, value, "a mapping without _target_" if kind in MAPPINGS else "a list")
    if not is_class(annotation) and not is_model(annotation):
        return plain(key, value, annotation)
    return Fit(value, (Wrong(f"{key}._target_", f"{value['_target_']} is no {class_name(annotation)}"),))


def _annotated(key: str, value: Any, annotation: Any, inner: Inner) -> Fit:
    inside, *more = typing.get_args(annotation)
    wanted = next((item for item in more if isinstance(item, Instance)), None)
    if wanted is not None:
        return inner(key, value, wanted) if is_object(value) else plain(key, value, wanted)
    if not _holds_classes(inside) and not holds_objects(value):
        return plain(key, value, annotation)
    found = fit(key, value, inside, inner)
    bare = _bare(inside)
    if found.wrong or bare is None:
        return found
    return Fit(found.value, plain(key, value, Annotated[bare, *more]).wrong)


def _bare(annotation: Any) -> Any:
    """The container without what it says of its items; None for what is no container."""
    kind = kind_of(annotation)
    return tuple[Any, ...] if kind is tuple else list if kind in LISTS else dict if kind in MAPPINGS else None


def _union(key: str, value: Any, options: Sequence[Any], inner: Inner) -> Fit:
    # A whole number that may be one is not made another kind of number.
    exact_first = sorted(options, key=lambda option: option is not type(value))
    fits = [fit(key, value, option, inner) for option in exact_first]
    good = [found for found in fits if not found.wrong]
    # Of a list or object with something wrong in it, that is said, and not that it could have been a number.
    near = [found for found in fits if any(wrong.key != key for wrong in found.wrong)]
    near.sort(key=lambda found: (any(wrong.key == f"{key}._target_" for wrong in found.wrong), len(found.wrong)))
    if good or near:
        return (good or near)[0]
    return Fit(value, (either([found.wrong[0] for found in fits], value),))


def _anything(key: str, value: Any, inner: Inner) -> Fit:
    if isinstance(value, dict):
        return _mapping(key, value, (Any, Any), inner)
    return _listed(key, value, Any, inner, list) if isinstance(value, list) else plain(key, value, Any)


def _contained(key: str, value: Any, annotation: Any, inner: Inner) -> Fit | None:
    kind, options = kind_of(annotation), typing.get_args(annotation)
    if kind is tuple and isinstance(value, list):
        return _tuple(key, value, options or (Any, ...), inner)
    if kind in MAPPINGS and isinstance(value, dict):
        return _mapping(key, value, options or (Any, Any), inner)
    if kind in LISTS and isinstance(value, list):
        return _listed(key, value, (*options, Any)[0], inner, LISTS[kind])
    if kind in (tuple, *LISTS, *MAPPINGS):
        return unlike(key, value, "a mapping" if kind in MAPPINGS else "a list")
    return None


def _tuple(key: str, value: list[Any], options: Sequence[Any], inner: Inner) -> Fit:
    if options[-1] is ...:
        return _listed(key, value, options[0], inner, tuple)
    if len(options) != len(value):
        return unlike(key, value, f"a list of {len(options)}")
    fits = [fit(f"{key}.{place}", item, options[place], inner) for place, item in enumerate(value)]
    return Fit(tuple(found.value for found in fits), _all_wrong(fits))


def _listed(key: str, value: list[Any], option: Any, inner: Inner, make: Callable[[Iterable[Any]], Any]) -> Fit:
    fits = [fit(f"{key}.{place}", item, option, inner) for place, item in enumerate(value)]
    hashed = make in (set, frozenset) and any(isinstance(found.value, dict | list) for found in fits)
    return Fit((list if hashed else make)(found.value for found in fits), _all_wrong(fits))


def _mapping(key: str, value: dict[Any, Any], options: Sequence[Any], inner: Inner) -> Fit:
    fits = {name: fit(f"{key}.{name}", item, options[1], inner) for name, item in value.items()}
    names = {name: plain(key, {name: None}, dict[options[0], Any]) for name in value}  # type: ignore[valid-type]
    found = {next(iter(names[name].value)): fits[name].value for name in value}
    return Fit(found, _all_wrong([*names.values(), *fits.values()]))


def _all_wrong(fits: Iterable[Fit]) -> tuple[Wrong, ...]:
    return tuple(wrong for found in fits for wrong in found.wrong)


def _holds_classes(annotation: Any) -> bool:
    if is_class(annotation) or is_model(annotation):
        return True
    return typing.get_origin(annotation) is not Literal and any(map(_holds_classes, typing.get_args(annotation)))
