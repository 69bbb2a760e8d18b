"""What each key of a card holds by its form: a section, a mapping, a list, or one value."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from runcard.card.schema import Card
from runcard.card.sections.parts import models_in
from runcard.card.sections.sweep import Sweeping

SECTION, MAPPING, LIST, VALUE = "a section with keys of its own", "a mapping", "a list", "one value"


@functools.cache
def forms() -> dict[str, str]:
    """Dotted key → form, for every key that has the same in all classes that have it."""
    found: dict[str, set[str]] = {}
    for key, form in (*_forms(Card, ""), *_forms(Sweeping, "")):
        found.setdefault(key, set()).add(form)
    return {key: next(iter(several)) for key, several in found.items() if len(several) == 1}


def _forms(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        key, annotation = f"{prefix}{field.alias or name}", field.annotation
        kinds = {typing.get_origin(option) for option in _options(annotation)}
        if dict in kinds:
            yield key, MAPPING
        elif kinds & {list, tuple}:
            yield key, LIST
        else:
            yield key, SECTION if models_in(annotation) else VALUE
            for below in models_in(annotation):
                yield from _forms(below, f"{key}.")


def _options(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for option in typing.get_args(annotation):
            yield from _options(option)
    else:
        yield annotation
