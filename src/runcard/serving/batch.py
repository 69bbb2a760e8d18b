"""Many rows at once, by columns: JSON, CSV or Arrow in, the same out."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from runcard.data.answers import answers_frame
from runcard.data.fields import oddities
from runcard.data.reading.frames import read_csv_text
from runcard.data.reading.layout import Reading
from runcard.data.signature import Columns
from runcard.data.values import columns_of
from runcard.errors import DataError
from runcard.serving.arrow import check_stream
from runcard.serving.counting import counted
from runcard.serving.http import ARROW, CSV, JSON, Answer, Asked, Header, RefusedError, check_count, encoded
from runcard.serving.predictor import Predictor

TYPES = "application/json, text/csv or application/vnd.apache.arrow.stream"
FEW = 10  # rows that a warning names
# Cells of a CSV; as values they take ten times the memory that they may take as text.
MOST_CELLS, MOST_COLUMNS = 2_000_000, 1_000
# Bytes of an Arrow stream's texts when each row has its own: many rows may name one long text.
MOST_TEXT = 2**24


class Batch:
    """Answers columns.

    Args:
        predictor: What answers.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._bundle = predictor.bundle
        # Whoever sends a body can send UTF-8.
        self._reading = replace(Reading.of(predictor.bundle.card["data"]), encoding="auto")
        self._forms: Mapping[bytes, Callable[[bytes | bytearray], Answer]] = {
            JSON: self._json,
            b"": self._json,
            b"text/csv": self._csv,
            ARROW: self._arrow,
        }

    def answer(self, asked: Asked) -> Answer:
        """The answers to all rows, in their order and in the form that they came in.

        Raises:
            RefusedError: If there are too many, or they are not as the signature says, or in another form.
        """
        form = self._forms.get(asked.kind())
        if form is None:
            raise RefusedError(415, f"send columns as {TYPES}, and say so by content-type")
        try:
            return form(_taken(asked))
        except DataError as error:
            raise RefusedError(400, error.without_values()) from None

    def _json(self, body: bytes | bytearray) -> Answer:
        columns = self._predictor.reader.read_columns(body)
        check_count(len(next(iter(columns.values()))), self._predictor.max_rows)
        answers = self._bundle.answer(columns)
        target = self._bundle.signature.target
        number = secrets.token_hex(16)
        said: dict[str, Any] = {"prediction_id": number, "model_version": self._predictor.version}
        if target.classes:
            said["class"] = [target.classes[place] for place in answers.argmax(axis=1).tolist()] if len(answers) else []
            shares = zip(target.classes, answers.T.tolist(), strict=True)
            said["probabilities"] = dict(shares) if len(answers) else {name: [] for name in target.classes}
        else:
            said["value"] = answers.tolist()
        return Answer(encoded(said | {"warnings": self._warnings(columns)}), headers=self._headers(number))

    def _csv(self, body: bytes | bytearray) -> Answer:
        self._weigh(body)
        content, body = bytes(body), b""
        frame = read_csv_text(content, self._reading)
        return self._answered(frame, CSV, csv_of)

    def _weigh(self, body: bytes | bytearray) -> None:
        """Refuse what would take much more memory or time than its length tells."""
        between = ord(self._reading.separator)
        head = body.count(between, 0, body.find(b"\n") if b"\n" in body else None)
        cells = counted(body, {between: 1, ord("\n"): 1}, MOST_CELLS)
        if head > MOST_COLUMNS + len(self._bundle.signature.features):
            raise RefusedError(400, "the CSV has thousands of columns that the model does not know")
        if cells > MOST_CELLS:
            raise RefusedError(413, f"the CSV holds more than {MOST_CELLS:,} cells; send fewer rows at once")

    def _arrow(self, body: bytes | bytearray) -> Answer:
        check_stream(body, self._predictor.max_rows)
        stream, body = io.BytesIO(body), b""
        try:
            frame = pl.read_ipc_stream(stream)
        except (Exception, pl.exceptions.PanicException) as error:  # polars lets through what its parts stumble over
            raise RefusedError(400, "the body is no Arrow stream that can be read") from error
        self._measure(frame)
        return self._answered(frame, ARROW, arrow_of)

    def _measure(self, frame: pl.DataFrame) -> None:
        """Refuse texts that would take much more memory as values of Python's than they do in the stream."""
        named = (frame[feature.name] for feature in self._bundle.signature.features if feature.name in frame.columns)
        if sum(map(_bytes_of, named)) > MOST_TEXT:
            message = (
                f"the texts of all rows are longer than {MOST_TEXT // 2**20} MiB together; send fewer rows at once"
            )
            raise RefusedError(413, message)

    def _answered(self, frame: pl.DataFrame, kind: bytes, write: Callable[[pl.DataFrame], bytes]) -> Answer:
        check_count(frame.height, self._predictor.max_rows)
        columns = columns_of(frame, self._bundle.signature)
        table = answers_frame(self._bundle.signature.target, self._bundle.answer(columns))
        odd = pl.Series("unusual", self._unusual(columns), dtype=pl.String)
        return Answer(write(table.with_columns(odd)), kind=kind, headers=self._headers(secrets.token_hex(16)))

    def _headers(self, number: str) -> tuple[Header, ...]:
        return ((b"x-prediction-id", number.encode()), (b"x-model-version", self._predictor.version.encode()))

    def _warnings(self, columns: Columns) -> list[dict[str, Any]]:
        """For each feature that is unusual how, in how many rows, and which are the first of them."""
        found = []
        for name, kinds in oddities(self._bundle.signature, columns).items():
            for rows, what in kinds:
                message = f"{name}: {rows.sum()} of {len(rows)} rows {what}"
                found.append({"field": name, "message": message, "rows": np.flatnonzero(rows)[:FEW].tolist()})
        return found

    def _unusual(self, columns: Columns) -> list[str]:
        """For each row the names of its fields that are missing, or as training never saw them."""
        count = len(next(iter(columns.values())))
        said = np.full(count, "", dtype=object)
        for name, kinds in oddities(self._bundle.signature, columns).items():
            rows = np.any([rows for rows, _ in kinds], axis=0)
            said[rows] += np.where(said[rows] == "", name, ", " + name).astype(object)
        found: list[str] = said.tolist()
        return found


def _taken(asked: Asked) -> bytes | bytearray:
    """The body of a request, which it no longer holds: a copy of a long one is enough."""
    body, asked.body = asked.body, b""
    return body


def _bytes_of(column: pl.Series) -> int:
    """Bytes of the texts of all rows; of a column that lists its texts, without writing one out for each row."""
    if column.dtype == pl.String:
        return int(column.str.len_bytes().sum())
    if column.dtype not in (pl.Categorical, pl.Enum):
        return 0
    texts, counts = column.alias("").value_counts(name="count")  # a column may have that very name
    return int((texts.cast(pl.String).str.len_bytes() * counts).sum())


def csv_of(table: pl.DataFrame) -> bytes:
    """A table as CSV."""
    return table.write_csv().encode()


def arrow_of(table: pl.DataFrame) -> bytes:
    """A table as an Arrow stream."""
    buffer = io.BytesIO()
    table.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
    return buffer.getvalue()


def warm_tables() -> None:
    """Read and write a table in each form: the first time takes polars a tenth of a second, and memory that stays."""
    table = pl.DataFrame({"a": [0.0, 1.0], "b": ["x", "y"]})
    read_csv_text(csv_of(table))
    pl.read_ipc_stream(io.BytesIO(arrow_of(table)))
