"""Requests that compute: by path, and by what their content type says their body is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runcard.data.fields import Fields, to_columns
from runcard.serving.batch import Batch
from runcard.serving.explain import Explainer
from runcard.serving.http import JSON, Answer, Asked, RefusedError, encoded
from runcard.serving.predictor import Predictor
from runcard.serving.uploads import FORM, PNG, only_image, read_upload


class Requests:
    """Answers requests, whatever form their rows have.

    Args:
        predictor: What answers.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._image = only_image(predictor.bundle.signature)
        self._batch = Batch(predictor)
        self._explainer = Explainer(predictor.bundle)

    # Many questions to the network for one answer; many rows.
    LONG = frozenset({"/explain", "/predict/batch"})

    def routes(self) -> Mapping[str, Callable[[Asked], Answer]]:
        """Path → what answers a ``POST``."""
        return {"/predict": self.predict, "/predict/batch": self._batch.answer, "/explain": self.explain}

    def predict(self, asked: Asked) -> Answer:
        """One row as named fields, or many; or an image as a file, if that is what the model takes."""
        rows, many = self._rows(asked)
        said = self._predictor.answer(rows)
        return Answer(encoded(said if many else said[0]))

    def explain(self, asked: Asked) -> Answer:
        """What the answer to one row hangs on."""
        rows, many = self._rows(asked)
        if many:
            raise RefusedError(400, "send one row, an object; the answers to many are explained one by one")
        said = self._explainer.explain(to_columns(self._predictor.bundle.signature, rows))
        return Answer(encoded({"model_version": self._predictor.version, **said}))

    def _rows(self, asked: Asked) -> tuple[list[Fields], bool]:
        """The rows, and whether there was an array of them."""
        if self._image is not None and asked.kind() in (PNG, FORM):
            return [{self._image.name: read_upload(asked, self._image)}], False
        if asked.kind() not in (b"", JSON):
            more = " (or an image as image/png or multipart/form-data)" if self._image is not None else ""
            raise RefusedError(415, f"send JSON, with content-type: application/json{more}")
        return self._predictor.reader.read(asked.body)
