"""What is wrong with a body of JSON, in plain words and without sending back what was sent."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from runcard.card.spelling import nearest
from runcard.serving.http import RefusedError
from runcard.serving.lists import LARGEST

MAX_NAMED = 20  # mistakes in one answer
MAX_LENGTH = 100  # of a name that is sent back
Form = Literal["row", "rows", "columns"]

# pydantic's kind of error → what was expected.
EXPECTED = {
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "an array of its values",
}
WHOLE = {
    "row": "an object with the fields of one row",
    "rows": "an object with the fields of one row",
    "columns": "an object with an array of values for each field",
}
TOO_LARGE = ("finite_number", "greater_than_equal", "less_than_equal")
Mistake = dict[str, Any]


class RowsError(RefusedError):
    """A body that holds no rows of the signature.

    Attributes:
        mistakes: ``row``, ``field`` and ``message`` of what is wrong with the first wrong row; empty if the body is
            no JSON.
    """

    def __init__(self, message: str, mistakes: list[Mistake]) -> None:
        super().__init__(400, message, mistakes)


def explained(error: ValidationError, content: Any, form: Form, names: Collection[str]) -> RowsError:
    """The error for what pydantic found.

    Args:
        error: What it found.
        content: Where it found it.
        form: What it took that for.
        names: The fields that there are.
    """
    details = error.errors(include_url=False, include_input=False)
    mistakes: list[Mistake] = []
    for detail in details[:MAX_NAMED]:
        row, field = _place(detail["loc"], form)
        message = _message(detail["type"], detail, form, _at(content, row, field, form))
        mistakes.append({"row": row, "field": field, "message": message})
    place = mistakes[0]["row"] if form == "rows" else None
    extra = extra_names(content if place is None else content[place], names)
    return refused([*mistakes, *unknown(extra, place, names)], len(details) + len(extra))


def extra_names(content: Any, names: Collection[str]) -> list[str]:
    """The fields of an object that there should not be."""
    return [name for name in content if name not in names] if isinstance(content, dict) else []


def unknown(extra: Collection[str], row: int | None, names: Collection[str]) -> list[Mistake]:
    """A mistake for each of the first fields that the signature does not know."""
    mistakes = []
    for name in itertools.islice(extra, MAX_NAMED):
        near = nearest(name, names)
        message = "there is no such field" + (f"; did you mean {near[0]!r}?" if near else "")
        mistakes.append({"row": row, "field": name[:MAX_LENGTH], "message": message})
    return mistakes


def refused(mistakes: list[Mistake], count: int) -> RowsError:
    """The error for the first of so many mistakes."""
    first = mistakes[0]
    where = f"row {first['row']}, " if first["row"] is not None else ""
    named = f"field {first['field']!r}: " if first["field"] is not None else ""
    more = f" (and {count - 1} more)" if count > 1 else ""
    return RowsError(f"{where}{named}{first['message']}{more}", mistakes[:MAX_NAMED])


def _place(loc: Sequence[int | str], form: Form) -> tuple[int | None, str | None]:
    """The row and the field of a mistake, where it has them."""
    if form == "row":
        return None, _text(loc, 0)
    first, second = (0, 1) if form == "rows" else (1, 0)
    row = loc[first] if len(loc) > first else None
    return row if isinstance(row, int) else None, _text(loc, second)


def _text(loc: Sequence[int | str], place: int) -> str | None:
    return str(loc[place]) if len(loc) > place else None


def _at(content: Any, row: int | None, field: str | None, form: Form) -> Any:
    """What was sent there; None if nothing was."""
    steps = (field, row) if form == "columns" else (row, field)
    for step in steps:
        if step is not None:
            content = content.get(step) if isinstance(content, dict) else content[step]
    return content


def _message(kind: str, detail: Mapping[str, Any], form: Form, sent: Any) -> str:
    if kind == "missing":
        return "is missing; send null if it is unknown"
    # What no float can hold, pydantic calls no number.
    if kind in TOO_LARGE or (kind == "float_type" and type(sent) is int):
        return f"must be a number between -{LARGEST:g} and {LARGEST:g}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return f"must be {EXPECTED.get(kind, WHOLE[form])}, not {_kind_of(sent)}"


def _kind_of(value: Any) -> str:
    for kind, name in ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "an object"
