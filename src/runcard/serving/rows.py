"""Request bodies of JSON: one row as an object, many as an array of objects, or columns as an object of arrays."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, FailFast, TypeAdapter, ValidationError

from runcard.data.fields import Fields, columns_of_lists
from runcard.data.signature import Array, Signature
from runcard.serving.fields import columns_model, row_model
from runcard.serving.http import RefusedError
from runcard.serving.mistakes import explained, refused, unknown

# Numbers, texts and brackets of one body; as values they take twenty times the memory that they may take as text, and
# under a name of their own eight times as much again.
MOST_VALUES = 200_000
NAMED = 8
WINDOW = 2**16  # bytes looked at at once


class Reader:
    """Reads bodies.

    Attributes:
        model: The pydantic model of one row.
        columns: That of columns.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._names = [feature.name for feature in signature.features]
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
        self._weigh(body)
        many = body.lstrip()[:1] == b"["
        try:
            read = (self._many if many else self._one).validate_json(body)
        except ValidationError as error:
            raise explained(error, body, "rows" if many else "row", self._names) from None
        rows = read if many else [read]
        for place, row in enumerate(rows):
            self._check_extra(row, place if many else None)
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
            raise explained(error, body, "columns", self._names) from None
        self._check_extra(read, None)
        lists = dict(zip(self._names, vars(read).values(), strict=True))
        first, *others = lists
        for name in others:
            if len(lists[name]) != len(lists[first]):
                message = f"has {len(lists[name])} values, and {first!r} has {len(lists[first])}"
                raise refused([{"row": None, "field": name, "message": message}], 1)
        return columns_of_lists(self._signature, lists)

    def _weigh(self, body: bytes) -> None:
        """Refuse what would take much more memory as values than it does as text."""
        if len(body) <= self._most // (NAMED + 1):
            return
        found = 0
        for start in range(0, len(body), WINDOW):
            end = start + WINDOW
            found += sum(body.count(sign, start, end) for sign in (b",", b"[", b"{"))
            found += NAMED * body.count(b":", start, end)
            if found > self._most:
                raise RefusedError(413, f"the body holds more than {self._most:,} values; send fewer rows at once")

    def _check_extra(self, read: BaseModel, row: int | None) -> None:
        if read.model_extra:
            raise refused(unknown(read.model_extra, row, self._names), len(read.model_extra))
