"""Rows in, answers out: what one request gets."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from runcard.card.sections.serve import DEFAULTS
from runcard.data.fields import Fields, to_columns, warnings
from runcard.data.signature import Columns
from runcard.packaging.bundle import Bundle
from runcard.serving.http import check_count
from runcard.serving.rows import Reader

Answer = dict[str, Any]


class Predictor:
    """A bundle that answers request bodies.

    Attributes:
        bundle: What answers.
        version: Its tag in BentoML's model store, ``name:version``.
        reader: Reads bodies.
        max_rows: Most rows of one request.
    """

    def __init__(self, bundle: Bundle, version: str, max_rows: int = DEFAULTS["max_rows"]) -> None:
        self.bundle = bundle
        self.version = version
        self.reader = Reader(bundle.signature)
        self.max_rows = max_rows

    def predict(self, body: bytes) -> Answer | list[Answer]:
        """One answer for one row, a list of them for a list.

        Args:
            body: JSON.

        Raises:
            RefusedError: If the body holds no rows of the signature, or too many.
        """
        rows, many = self.reader.read(body)
        said = self.answer(rows)
        return said if many else said[0]

    def answer(self, rows: Sequence[Fields]) -> list[Answer]:
        """One answer for each row, whose fields are there and of the right kind.

        Raises:
            RefusedError: If there are too many.
        """
        check_count(len(rows), self.max_rows)
        columns = to_columns(self.bundle.signature, rows)
        found = warnings(self.bundle.signature, columns, len(rows))
        return [
            {"prediction_id": secrets.token_hex(16), "model_version": self.version, **answer, "warnings": noted}
            for answer, noted in zip(self._answers(columns), found, strict=True)
        ]

    def _answers(self, columns: Columns) -> list[Answer]:
        answers, classes = self.bundle.answer(columns), self.bundle.signature.target.classes
        if not classes:
            return [{"value": value} for value in answers.tolist()]
        chosen = answers.argmax(axis=1).tolist() if len(answers) else []
        return [
            {"class": classes[place], "probabilities": dict(zip(classes, shares, strict=True))}
            for place, shares in zip(chosen, answers.tolist(), strict=True)
        ]
