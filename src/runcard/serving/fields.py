"""What a request may hold: models made from the signature, which judge values and describe them for OpenAPI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    WithJsonSchema,
    create_model,
)

from runcard.data.fields import by_value, number_text
from runcard.data.signature import Feature, Signature, category_count
from runcard.serving.images import image_schema, read_image
from runcard.serving.lists import LARGEST, described, list_schema, read_list

MAX_NAMED = 20  # categories in one description


def row_model(signature: Signature) -> type[BaseModel]:
    """The pydantic model of one row; every field has to be there, and may be null."""
    return _model("Row", signature, annotation)


def columns_model(signature: Signature) -> type[BaseModel]:
    """The pydantic model of columns: of each field a list, read to the first value that is wrong."""

    def many(feature: Feature) -> Any:
        return Annotated[list[annotation(feature)], FailFast()]  # type: ignore[misc]

    return _model("Columns", signature, many)


def _model(name: str, signature: Signature, kind: Callable[[Feature], Any]) -> type[BaseModel]:
    # Fields go by number inside: a column may be called anything, `class` or `model_config` too.
    fields: dict[str, Any] = {
        f"f{place}": (kind(feature), Field(alias=feature.name, description=describe(feature)))
        for place, feature in enumerate(signature.features)
    }
    # Unknown fields are collected, and refused by the reader: pydantic would make an error of each, by the thousand.
    closed: Any = {"additionalProperties": False}
    config = ConfigDict(extra="allow", allow_inf_nan=False, title=name, json_schema_extra=closed)
    return create_model(name, __config__=config, **fields)


def describe(feature: Feature) -> str:
    """What a field holds, in one line."""
    if feature.kind == "text":
        return "text of any length; of a long one the beginning is read"
    if feature.kind == "category":
        return _named(feature)
    seen = png = ""
    if feature.low is not None:
        seen = f"; {feature.low:.10g} to {feature.high:.10g} in training"
        png = f", its black for {feature.low:.10g}, its white for {feature.high:.10g}"
    if feature.kind == "image":
        size = "×".join(map(str, feature.shape))
        return f"image of {size} (channels, height, width): nested lists{seen}; or a base64 PNG{png}"
    if feature.kind in ("vector", "sequence"):
        return f"{described(feature)}, null for one that is unknown{seen}"
    return "true or false" if feature.kind == "boolean" else f"number{seen}"


def _named(feature: Feature) -> str:
    """Categories, and how many more there are."""
    listed = feature.categories[:MAX_NAMED]
    more = category_count(feature) - len(listed)
    if not listed:
        return f"one of {more} texts, which are not listed"
    return f"one of: {', '.join(listed)}" + (f", and {more} more" if more else "")


def annotation(feature: Feature) -> Any:
    """The type of a field's value, for pydantic; None is what is unknown."""
    if feature.kind == "image":
        read = BeforeValidator(lambda value: None if value is None else read_image(value, feature))
        return Annotated[Any, read, WithJsonSchema(image_schema(feature))]
    if feature.kind in ("vector", "sequence"):
        read = BeforeValidator(lambda value: None if value is None else read_list(value, feature))
        numbers = list_schema(feature.shape, {"type": ["number", "null"]})
        return Annotated[Any, read, WithJsonSchema({"anyOf": [numbers, {"type": "null"}]})]
    if feature.kind == "category":
        examples: list[Any] = list(feature.categories[:MAX_NAMED])
        text: Any = Annotated[str, Field(strict=True, examples=examples)]
        names = by_value(feature)
        if names.keys() - {"true", "false"}:
            number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
            schema = WithJsonSchema({"anyOf": [{"type": "string"}, number], "examples": examples})
            text = Annotated[text, BeforeValidator(lambda value: _as_text(value, names)), schema]
        return text | None
    if feature.kind == "text":
        return Annotated[str, Field(strict=True)] | None
    if feature.kind == "boolean":
        return StrictBool | None
    return Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST)] | None


def _as_text(value: Any, names: Mapping[str, str]) -> Any:
    if type(value) not in (int, float) or not abs(value) <= LARGEST:
        return value
    plain = str(value) if type(value) is int else number_text(float(value))
    return names.get(plain, plain)
