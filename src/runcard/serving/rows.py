"""Request bodies of JSON: read by the models of the signature, and what is wrong with them in plain words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import FailFast, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from runcard.card.spelling import nearest
from runcard.data.fields import Fields, columns_of_lists
from runcard.data.signature import Array, Signature
from runcard.serving.fields import columns_model, row_model
from runcard.serving.http import RefusedError
from runcard.serving.lists import LARGEST

MAX_NAMED = 20  # mistakes in one answer
# Numbers, texts and brackets of one body; as values they take ten times the memory that they take as text.
MOST_VALUES = 1_000_000

# pydantic's kind of error → what was expected.
EXPECTED = {
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "model_type": "an object with the fields of one row",
    "model_attributes_type": "an object with the fields of one row",
}
COLUMNS = EXPECTED | {
    "list_type": "an array of its values",
    "model_type": "an object with an array of values for each field",
    "model_attributes_type": "an object with an array of values for each field",
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
    """Reads request bodies: one row as an object, many as an array of objects, or columns as an object of arrays.

    Attributes:
        model: The pydantic model of one row.
        columns: That of columns.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._names = [feature.name for feature in signature.features]
        self._known = frozenset(self._names)
        self._most = max(MOST_VALUES, 4 * sum(math.prod(feature.shape) for feature in signature.features))
        self.model, self.columns = row_model(signature), columns_model(signature)
        self._one: TypeAdapter[Any] = TypeAdapter(self.model)
        # To the first wrong row: to explain each of a hundred thousand would keep everybody else waiting.
        many: Any = Annotated[list[self.model], FailFast()]  # type: ignore[name-defined]
        self._many: TypeAdapter[Any] = TypeAdapter(many)
        self._columns: TypeAdapter[Any] = TypeAdapter(self.columns)

    def read(self, body: bytes) -> tuple[list[Fields], bool]:
        """The rows of a body.

        Returns:
            The rows by the features' names, and whether the body was an array of them.

        Raises:
            RefusedError: If it is no JSON, or a field is missing, unknown or of another kind; or there is too much.
        """
        many = body.lstrip()[:1] == b"["
        self._weigh(body)
        try:
            read = (self._many if many else self._one).validate_json(body)
        except ValidationError as error:
            raise self._explained(error, body, many=many) from None
        rows = read if many else [read]
        for place, row in enumerate(rows):
            if row.model_extra:
                raise _refused(self._unknown(row.model_extra, place if many else None), len(row.model_extra))
        return [dict(zip(self._names, vars(row).values(), strict=True)) for row in rows], many

    def read_columns(self, body: bytes) -> dict[str, Array]:
        """The columns of a body.

        Raises:
            RefusedError: As of ``read``; or if one column is longer than another.
        """
        self._weigh(body)
        try:
            read = self._columns.validate_json(body)
        except ValidationError as error:
            raise self._explained_columns(error, body) from None
        if read.model_extra:
            raise _refused(self._unknown(read.model_extra, None), len(read.model_extra))
        lists = dict(zip(self._names, vars(read).values(), strict=True))
        lengths = {name: len(values) for name, values in lists.items()}
        for name, length in lengths.items():
            if length != lengths[self._names[0]]:
                message = f"has {length} values, and {self._names[0]!r} has {lengths[self._names[0]]}"
                raise _refused([{"row": None, "field": name, "message": message}], 1)
        return columns_of_lists(self._signature, lists)

    def _weigh(self, body: bytes) -> None:
        """Refuse what would take much more memory as values than it does as text."""
        if len(body) > self._most and sum(map(body.count, (b",", b"[", b"{"))) > self._most:
            message = f"the body holds more than {self._most:,} values; send fewer rows at once"
            raise RefusedError(413, message)

    def _explained(self, error: ValidationError, body: bytes, *, many: bool) -> RowsError:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            return RowsError(f"the body is no JSON: {details[0]['ctx']['error']}", [])
        mistakes = [self._mistake(detail, many=many) for detail in details[:MAX_NAMED]]
        row, content = mistakes[0]["row"], from_json(body)
        extra = self._extra(content[row] if many else content)
        return _refused([*mistakes, *self._unknown(extra, row)], len(details) + len(extra))

    def _explained_columns(self, error: ValidationError, body: bytes) -> RowsError:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            return RowsError(f"the body is no JSON: {details[0]['ctx']['error']}", [])
        mistakes = []
        for detail in details[:MAX_NAMED]:
            field, *rest = detail["loc"] or (None,)
            row = rest[0] if rest else None
            mistakes.append({"row": row, "field": field, "message": _message(detail, COLUMNS)})
        extra = self._extra(from_json(body))
        return _refused([*mistakes, *self._unknown(extra, None)], len(details) + len(extra))

    def _extra(self, content: Any) -> list[str]:
        return [name for name in content if name not in self._known] if isinstance(content, dict) else []

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


def _message(detail: ErrorDetails, expected: Mapping[str, str] = EXPECTED) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "is missing; send null if it is unknown"
    if kind in TOO_LARGE:
        return f"must be a number between -{LARGEST:g} and {LARGEST:g}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return f"must be {expected.get(kind, detail['msg'])}, not {_kind_of(detail['input'])}"


def _kind_of(value: Any) -> str:
    """What was sent, without sending it back."""
    for kind, name in ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "an object"
