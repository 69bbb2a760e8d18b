"""Images in requests: nested lists of numbers, or a PNG as base64."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runcard.data.signature import Feature

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_image(value: Any, feature: Feature) -> NDArray[np.float32]:
    """An image as the model takes it, ``(channels, height, width)``.

    Args:
        value: Nested lists, ``(height, width)`` if there is one channel; or a PNG as base64, with or without
            ``data:image/png;base64,`` before it, whose 0 and 255 stand for the lowest and highest pixel of training.
        feature: The image's shape and range.

    Raises:
        ValueError: If it is no such image or has another size.
    """
    return _from_png(value, feature) if isinstance(value, str) else _from_lists(value, feature)


def image_schema(feature: Feature) -> dict[str, Any]:
    """The JSON Schema of both forms."""
    schema: dict[str, Any] = {"type": "number"}
    for size in reversed(feature.shape if feature.shape[0] > 1 else feature.shape[1:]):
        schema = {"type": "array", "items": schema, "minItems": size, "maxItems": size}
    png = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
    return {"anyOf": [schema, png, {"type": "null"}]}


def _from_lists(value: Any, feature: Feature) -> NDArray[np.float32]:
    if not isinstance(value, list):
        raise ValueError("must be nested lists of numbers or a base64 PNG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an overflow
            pixels = np.asarray(value)
            if pixels.dtype.kind not in "iuf":
                raise ValueError
            pixels = pixels.astype(np.float32)
    except (ValueError, TypeError, OverflowError, RuntimeWarning):
        raise ValueError("must be nested lists of numbers, all rows of one length") from None
    if pixels.ndim == 2:
        pixels = pixels[np.newaxis]
    if pixels.shape != feature.shape:
        sent = "×".join(map(str, pixels.shape))
        raise ValueError(f"must be an image of {_size(feature)} (channels, height, width), not {sent}")
    if not np.isfinite(pixels).all():
        raise ValueError("must hold finite numbers")
    return pixels


def _from_png(value: str, feature: Feature) -> NDArray[np.float32]:
    channels, height, width = feature.shape
    try:
        content = base64.b64decode(value.partition(",")[2] if value.startswith("data:") else value, validate=True)
        image = Image.open(io.BytesIO(content), formats=["PNG"])
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("must be nested lists of numbers or a base64 PNG; this text is no PNG") from None
    if image.size != (width, height):  # before a pixel is unpacked
        raise ValueError(f"must be a picture of {width}×{height} pixels, not {image.width}×{image.height}")
    try:
        pixels = np.asarray(image.convert(MODES[channels]), dtype=np.float32).reshape(height, width, channels)
    except (OSError, ValueError, SyntaxError):
        raise ValueError("must be a whole PNG; this one breaks off or is damaged") from None
    low, high = feature.low or 0.0, feature.high or 0.0
    return (low + pixels.transpose(2, 0, 1) / 255 * (high - low)).astype(np.float32)


def _size(feature: Feature) -> str:
    return "×".join(map(str, feature.shape))
