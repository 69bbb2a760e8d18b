"""Images in requests: nested lists of numbers, or a PNG as base64."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runcard.data.signature import Feature
from runcard.serving.lists import NUMBERS, flattened, list_schema, shape_of, size_text

LARGEST_PIXEL = float(np.finfo(np.float32).max)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
NOT_FINITE = "must hold finite numbers"
PIXEL = {"type": "number", "minimum": -LARGEST_PIXEL, "maximum": LARGEST_PIXEL}
NO_NUMBERS = "must be nested lists of numbers, all rows of one length"


def read_image(value: Any, feature: Feature) -> NDArray[np.float32]:
    """An image as the model takes it, ``(channels, height, width)``.

    Args:
        value: Nested lists, ``(height, width)`` if there is one channel; or a PNG as base64, with or without
            ``data:image/png;base64,`` before it; its black is the lowest pixel of training, its white the highest.
        feature: The image's shape and range.

    Raises:
        ValueError: If it is no such image or has another size.
    """
    if not isinstance(value, str):
        return _from_lists(value, feature)
    try:
        text = value.partition(",")[2] if value.startswith("data:") else value
        content = base64.b64decode("".join(text.split()), validate=True)  # some programs break the lines
    except (binascii.Error, ValueError):
        raise ValueError("must be nested lists of numbers or a base64 PNG; this text is no base64") from None
    return read_png(content, feature)


def image_schema(feature: Feature) -> dict[str, Any]:
    """The JSON Schema of both forms."""
    schema = list_schema(feature.shape if feature.shape[0] > 1 else feature.shape[1:], PIXEL)
    png = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
    return {"anyOf": [schema, png, {"type": "null"}]}


def _from_lists(value: Any, feature: Feature) -> NDArray[np.float32]:
    if not isinstance(value, list):
        raise ValueError("must be nested lists of numbers or a base64 PNG")
    sent = shape_of(value)
    if len(sent) == 2:
        value, sent = [value], (1, *sent)
    if sent != feature.shape:
        raise ValueError(
            f"must be an image of {size_text(feature.shape)} (channels, height, width), not {size_text(sent)}"
        )
    numbers = flattened(value, feature.shape, NUMBERS)
    if numbers is None:
        raise ValueError(NO_NUMBERS)
    try:
        pixels = np.array(numbers, dtype=np.float64)
    except OverflowError:
        raise ValueError(NOT_FINITE) from None
    # What is no number is not below either.
    if not (pixels.min() >= -LARGEST_PIXEL and pixels.max() <= LARGEST_PIXEL):
        raise ValueError(NOT_FINITE)
    return pixels.astype(np.float32).reshape(feature.shape)


def read_png(content: bytes, feature: Feature) -> NDArray[np.float32]:
    """An image as the model takes it, out of a PNG; its black is the lowest pixel of training, its white the highest.

    Raises:
        ValueError: If it is no such image or has another size.
    """
    channels, height, width = feature.shape
    try:
        image = Image.open(io.BytesIO(content), formats=["PNG"])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("must be a PNG, and this is none") from None
    if image.size != (width, height):  # before a pixel is unpacked
        raise ValueError(f"must be a picture of {width}×{height} pixels, not {image.width}×{image.height}")
    try:
        image.load()
        plain, opaque = _plain(image, channels)
    except Exception:  # Pillow lets through whatever its decoders and a missing palette make it stumble over
        raise ValueError("must be a whole PNG; this one breaks off or is damaged") from None
    if not opaque:
        raise ValueError("must be a picture without transparent parts")
    pixels = np.asarray(plain, dtype=np.float32).reshape(height, width, channels)
    low, high = feature.low or 0.0, feature.high or 0.0
    return (low + pixels.transpose(2, 0, 1) / 255 * (high - low)).astype(np.float32)


def _plain(image: Image.Image, channels: int) -> tuple[Image.Image, bool]:
    """The picture with 8 bits a channel and as many channels as the model takes.

    Returns:
        The picture, and whether the model has a channel for its transparent parts, or it has none.
    """
    if image.mode.startswith("I"):  # 16 bits of gray, which Pillow would cut off at 255 instead of scaling
        image = Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
    opaque = True
    if channels != 4 and image.has_transparency_data:
        image = image.convert("RGBA")
        opaque = image.getchannel("A").getextrema()[0] == 255
    return image.convert(MODES[channels]), opaque
