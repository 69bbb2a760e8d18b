"""Build the valid part of an invalid card, so that its contradictions are found beside its other mistakes."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from runcard.card.sections.parts import OWN, Part, kind_of_part, models_in, targets_of

Model = TypeVar("Model", bound=BaseModel)
STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def sound_part(model: type[Model], values: Mapping[str, Any]) -> Model:
    """A section made of the values that are right one by one; asking for another raises ``AbsentValue``.

    Args:
        model: The section, or the card.
        values: What was said.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        value: Any = values.get(field.alias or name)
        section = _section(models_in(field.annotation), value)
        if section is not None:
            found[name] = sound_part(section, value)
            continue
        with contextlib.suppress(ValidationError):
            found[name] = _reader(model, name).validate_json(json.dumps(value, default=str))
    return model.model_construct(**found)


@functools.lru_cache(maxsize=1024)  # making one takes longer than all that it reads of a card
def _reader(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """What reads one value of a section."""
    field = model.model_fields[name]
    annotation: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(annotation, config=_config(annotation))


def _section(options: list[type[BaseModel]], value: object) -> type[BaseModel] | None:
    """Which of the sections the values describe; None: that cannot be told."""
    if not isinstance(value, dict):
        return None
    if len(options) == 1 and not issubclass(options[0], Part):
        return options[0]
    parts = [option for option in options if issubclass(option, Part)]
    target, own = value.get("_target_"), kind_of_part(value) == OWN
    return next((part for part in parts if target in targets_of(part) or (own and not targets_of(part))), None)


def _config(annotation: Any) -> ConfigDict | None:
    return None if isinstance(annotation, type) and issubclass(annotation, BaseModel) else STRICT
