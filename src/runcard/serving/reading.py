"""What a request's content type says its body is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runcard.serving.http import Answer, Asked, RefusedError, encoded
from runcard.serving.predictor import Predictor


class Requests:
    """Answers requests, whatever form their rows have.

    Args:
        predictor: What answers.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def routes(self) -> Mapping[str, Callable[[Asked], Answer]]:
        """Path → what answers a ``POST``."""
        return {"/predict": self.predict}

    def predict(self, asked: Asked) -> Answer:
        """Rows as named fields."""
        kind = asked.kind()
        if kind not in (b"", b"application/json"):
            raise RefusedError(415, "send JSON, with content-type: application/json")
        return Answer(encoded(self._predictor.predict(asked.body)))
