"""What a request may hold: models made from the signature, which judge rows and describe them for OpenAPI."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import ErrorDetails, from_json

from runcard.card.spelling import nearest
from runcard.data.fields import Fields, by_value, number_text
from runcard.data.signature import Feature, Signature
from runcard.serving.http import RefusedError
from runcard.serving.images import image_schema, read_image
from runcard.serving.lists import LARGEST, described, list_schema, read_list

MAX_NAMED = 20  # mistakes in one answer, and categories in one description

# pydantic's kind of error → what was expected.
EXPECTED = {
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "model_type": "an object with the fields of one row",
    "model_attributes_type": "an object with the fields of one row",
}


TOO_LARGE = ("finite_number", "greater_than_equal", "less_than_equal")


class RowsError(RefusedError):
    """A body that holds no rows of the signature.

    Attributes:
        mistakes: ``row``, ``field`` and ``message`` of what is wrong with the first wrong row; empty if the body is
            no JSON.
    """

    def __init__(self, message: str, mistakes: list[dict[str, Any]]) -> None:
        super().__init__(400, message, mistakes)


class Reader:
    """Reads request bodies: one row as an object, or many as an array of objects.

    Attributes:
        model: The pydantic model of one row.
    """

    def __init__(self, signature: Signature) -> None:
        self._names = [feature.name for feature in signature.features]
        self.model = row_model(signature)
        self._one: TypeAdapter[Any] = TypeAdapter(self.model)
        # To the first wrong row: to explain each of a hundred thousand would keep everybody else waiting.
        many: Any = Annotated[list[self.model], FailFast()]  # type: ignore[name-defined]
        self._many: TypeAdapter[Any] = TypeAdapter(many)

    def read(self, body: bytes) -> tuple[list[Fields], bool]:
        """The rows of a body.

        Returns:
            The rows by the features' names, and whether the body was an array of them.

        Raises:
            RowsError: If it is no JSON, or a field is missing, unknown or of another kind.
        """
        many = body.lstrip()[:1] == b"["
        try:
            read = (self._many if many else self._one).validate_json(body)
        except ValidationError as error:
            raise self._explained(error, body, many=many) from None
        rows = read if many else [read]
        for place, row in enumerate(rows):
            if row.model_extra:
                raise _refused(self._unknown(row.model_extra, place if many else None), len(row.model_extra))
        return [dict(zip(self._names, vars(row).values(), strict=True)) for row in rows], many

    def _explained(self, error: ValidationError, body: bytes, *, many: bool) -> RowsError:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            return RowsError(f"the body is no JSON: {details[0]['ctx']['error']}", [])
        mistakes = [self._mistake(detail, many=many) for detail in details[:MAX_NAMED]]
        row, content = mistakes[0]["row"], from_json(body)
        content = content[row] if many else content
        known = frozenset(self._names)
        extra = [name for name in content if name not in known] if isinstance(content, dict) else []
        return _refused([*mistakes, *self._unknown(extra, row)], len(details) + len(extra))

    def _unknown(self, names: Collection[str], row: int | None) -> list[dict[str, Any]]:
        """A mistake for each of the first fields that the signature does not know."""
        mistakes = []
        for name in itertools.islice(names, MAX_NAMED):
            near = nearest(name, self._names)
            message = "there is no such field" + (f"; did you mean {near[0]!r}?" if near else "")
            mistakes.append({"row": row, "field": name, "message": message})
        return mistakes

    def _mistake(self, detail: ErrorDetails, *, many: bool) -> dict[str, Any]:
        place = list(detail["loc"])
        row = place.pop(0) if many and place else None
        return {"row": row, "field": str(place[0]) if place else None, "message": _message(detail)}


def _refused(mistakes: list[dict[str, Any]], count: int) -> RowsError:
    """The error for the first of so many mistakes in one row."""
    first = mistakes[0]
    where = f"row {first['row']}, " if first["row"] is not None else ""
    named = f"field {first['field']!r}: " if first["field"] is not None else ""
    more = f" (and {count - 1} more)" if count > 1 else ""
    return RowsError(f"{where}{named}{first['message']}{more}", mistakes[:MAX_NAMED])


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "is missing; send null if it is unknown"
    if kind in TOO_LARGE:
        return f"must be a number between -{LARGEST:g} and {LARGEST:g}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return f"must be {EXPECTED.get(kind, detail['msg'])}, not {_kind_of(detail['input'])}"


def row_model(signature: Signature) -> type[BaseModel]:
    """The pydantic model of one row; every field has to be there, and may be null."""
    # Fields go by number inside: a column may be called anything, `class` or `model_config` too.
    fields: dict[str, Any] = {
        f"f{place}": (_annotation(feature), Field(alias=feature.name, description=describe(feature)))
        for place, feature in enumerate(signature.features)
    }
    # Unknown fields are collected, and refused by the reader: pydantic would make an error of each, by the thousand.
    closed: Any = {"additionalProperties": False}
    config = ConfigDict(extra="allow", allow_inf_nan=False, title="Row", json_schema_extra=closed)
    return create_model("Row", __config__=config, **fields)


def describe(feature: Feature) -> str:
    """What a field holds, in one line."""
    if feature.kind == "text":
        return "text of any length; of a long one the beginning is read"
    if feature.kind == "category":
        listed = ", ".join(feature.categories[:MAX_NAMED]) + (", …" if len(feature.categories) > MAX_NAMED else "")
        return f"one of: {listed}"
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


def _annotation(feature: Feature) -> Any:
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
        names = by_value(feature.categories)
        if names.keys() - {"true", "false"}:
            schema = WithJsonSchema({"type": ["string", "number"], "examples": examples})
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
    plain = number_text(float(value))
    return names.get(plain, plain)


def _kind_of(value: Any) -> str:
    """What was sent, without sending it back."""
    for kind, name in ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "an object"
