"""An image as a file: the body itself, or a form's one file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_form

from runcard.data.signature import Feature, Signature
from runcard.serving.http import Asked, RefusedError
from runcard.serving.images import read_png
from runcard.serving.mistakes import RowsError, refused

PNG, FORM = b"image/png", b"multipart/form-data"


def only_image(signature: Signature) -> Feature | None:
    """The one feature, if it is an image."""
    (first, *more) = signature.features
    return first if first.kind == "image" and not more else None


def read_upload(asked: Asked, feature: Feature) -> NDArray[np.float32]:
    """The image of a request whose body is a PNG, or a form with one.

    Raises:
        RefusedError: If there is none, or it is not as the model takes it.
    """
    content = bytes(asked.body) if asked.kind() == PNG else _from_form(asked, feature.name)
    try:
        return read_png(content, feature)
    except ValueError as error:
        raise _wrong(feature.name, str(error)) from None


def _from_form(asked: Asked, name: str) -> bytes:
    files: list[tuple[str, bytes]] = []
    others: list[str] = []
    try:
        parse_form(
            {"Content-Type": asked.headers[b"content-type"]},
            io.BytesIO(asked.body),
            lambda field: others.append(_text(field.field_name)),
            lambda file: files.append((_text(file.field_name), _content(file))),
        )
    except (FormParserError, ValueError) as error:
        raise RefusedError(400, "the body is not the form that its content-type says it is") from error
    for field in [*others, *(field for field, _ in files)]:
        if field != name:
            raise _wrong(name, "is the only field there is, and the form has another")
    if len(files) != 1 or others:
        raise _wrong(name, "must be sent once, as a file")
    return files[0][1]


def _content(file: Any) -> bytes:
    with file.file_object as opened:
        opened.seek(0)
        content: bytes = opened.read()
        return content


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "replace")


def _wrong(name: str, message: str) -> RowsError:
    return refused([{"row": None, "field": name, "message": message}], 1)
