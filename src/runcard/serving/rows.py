"""Request bodies of JSON: one row as an object, many as an array of objects, or columns as an object of arrays."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import BaseModel, FailFast, TypeAdapter, ValidationError
from pydantic_core import from_json

from runcard.data.fields import DoubledNameError, Fields, check_pairs, columns_of_lists
from runcard.data.signature import Array, Feature, Signature
from runcard.serving.counting import WINDOW, by_window
from runcard.serving.fields import columns_model, row_model
from runcard.serving.http import RefusedError
from runcard.serving.mistakes import MAX_NAMED, RowsError, explained, extra_names, refused, unknown

# Numbers, texts and brackets of one body; as values they take twenty times the memory that they may take as text, and
# under a name of their own eight times as much again.
MOST_VALUES = 200_000
NAMED = 8
SIGNS = {ord(","): 1, ord("["): 1, ord("{"): 1, ord(":"): NAMED}
# A value's bytes: a long text takes a while to be read, and keeps others waiting. An image's may hold a colour profile.
LONGEST, LONGEST_OF_NUMBER = 2**20, 16


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
        self._longest = max(map(longest, signature.features))
        self.model, self.columns = row_model(signature), columns_model(signature)
        self._one: TypeAdapter[Any] = TypeAdapter(self.model)
        # To the first wrong row: to explain each of a hundred thousand would keep everybody else waiting.
        many: Any = Annotated[list[self.model], FailFast()]  # type: ignore[name-defined]
        self._many: TypeAdapter[Any] = TypeAdapter(many)
        self._columns: TypeAdapter[Any] = TypeAdapter(self.columns)

    def read(self, body: bytes | bytearray) -> tuple[list[Fields], bool]:
        """The rows of a body.

        Returns:
            The rows by the features' names, and whether the body was an array of them.

        Raises:
            RefusedError: If it is no JSON, or a field is missing, unknown or of another kind; or there is too much.
        """
        content = self._parsed(body)
        many = isinstance(content, list)
        self._check_names(content)
        try:
            read = (self._many if many else self._one).validate_python(content)
        except ValidationError as error:
            raise explained(error, content, "rows" if many else "row", self._names) from None
        rows = read if many else [read]
        for place, row in enumerate(rows):
            self._check_extra(row, place if many else None)
        return [dict(zip(self._names, vars(row).values(), strict=True)) for row in rows], many

    def read_columns(self, body: bytes | bytearray) -> dict[str, Array]:
        """The columns of a body.

        Raises:
            RefusedError: As of ``read``; or if one column is longer than another.
        """
        content = self._parsed(body)
        self._check_names(content)
        try:
            read = self._columns.validate_python(content)
        except ValidationError as error:
            raise explained(error, content, "columns", self._names) from None
        self._check_extra(read, None)
        lists = dict(zip(self._names, vars(read).values(), strict=True))
        first, *others = lists
        for name in others:
            if len(lists[name]) != len(lists[first]):
                message = f"has {len(lists[name])} values, and {first!r} has {len(lists[first])}"
                raise refused([{"row": None, "field": name, "message": message}], 1)
        return columns_of_lists(self._signature, lists)

    def _parsed(self, body: bytes | bytearray) -> Any:
        """What the body says, as Python has it.

        In a step of its own, before pydantic's: that would parse by itself, keep a copy of what it finds wrong, and
        leave nothing to explain it by.
        """
        self._weigh(body)
        try:
            content = from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise RowsError(f"the body is no JSON: {error}", []) from None
        rows = content if isinstance(content, list) else [content]
        # Each name has a colon; where there are more, some stand in texts, or a name was given twice.
        if body.count(b":") > sum(len(row) for row in rows if isinstance(row, dict)):
            self._check_doubled(body)
        return content

    def _check_doubled(self, body: bytes | bytearray) -> None:
        """Refuse a name that stands twice in an object: its second value would be taken, and elsewhere its first."""
        try:
            json.loads(body, object_pairs_hook=check_pairs)
        except DoubledNameError as error:
            name = error.args[0] if error.args[0] in self._names else None
            raise refused([{"row": None, "field": name, "message": "a name stands twice in one object"}], 1) from None
        except (ValueError, RecursionError):
            return  # what pydantic reads and Python does not is refused below, by the values' kinds

    def _weigh(self, body: bytes | bytearray) -> None:
        """Refuse what would take much more memory as values than it does as text, or long to be read."""
        if len(body) <= self._most // (NAMED + 1):
            return
        found = without = 0
        for here in by_window(body, SIGNS):
            found, without = found + here, 0 if here else without + WINDOW
            if found > self._most:
                raise RefusedError(413, f"the body holds more than {self._most:,} values; send fewer rows at once")
            if without > self._longest:
                raise RefusedError(413, f"the body holds a value of more than {self._longest / 2**20:.3g} MiB")

    def _check_names(self, content: Any) -> None:
        """Refuse an object that has many more fields than there are before pydantic collects them all."""
        if isinstance(content, dict) and len(content) > len(self._names) + MAX_NAMED:
            extra = extra_names(content, self._names)
            raise refused(unknown(extra, None, self._names), len(extra))

    def _check_extra(self, read: BaseModel, row: int | None) -> None:
        if read.model_extra:
            raise refused(unknown(read.model_extra, row, self._names), len(read.model_extra))


def longest(feature: Feature) -> float:
    """Bytes that its field may have without a sign of ``SIGNS``."""
    return math.inf if feature.kind == "text" else LONGEST + LONGEST_OF_NUMBER * math.prod(feature.shape)
