"""The shape of one row's input, read as an image or as a sequence."""

from __future__ import annotations

from torch import Tensor

from runcard.advice import advise
from runcard.errors import CardError

HOLDS = {1: "columns", 2: "sequences", 3: "images"}


def image(input_shape: tuple[int, ...], network: str) -> tuple[int, int, int]:
    """Channels, height and width.

    Args:
        input_shape: Of one row.
        network: Who asks, for the error, such as ``a convolutional network``.

    Raises:
        CardError: If a row is no image.
    """
    if len(input_shape) != 3:
        raise CardError(
            f"model: {network} needs images, and this data has {_holds(input_shape)}. Choose {advise('model=mlp')}."
        )
    channels, height, width = input_shape
    return channels, height, width


def sequence(input_shape: tuple[int, ...], network: str) -> tuple[int, int]:
    """Steps, and numbers a step; an image is read row by row, as ``height`` steps of ``channels·width`` numbers.

    Args:
        input_shape: Of one row, ``(steps, features)`` or ``(channels, height, width)``.
        network: Who asks, for the error, such as ``an LSTM``.

    Raises:
        CardError: If a row is neither a sequence nor an image.
    """
    if len(input_shape) == 2:
        return input_shape[0], input_shape[1]
    if len(input_shape) == 3:
        return input_shape[1], input_shape[0] * input_shape[2]
    other, held = advise("model=mlp"), _holds(input_shape)
    raise CardError(f"model: {network} needs sequences or images, and this data has {held}. Choose {other}.")


def steps(inputs: Tensor) -> Tensor:
    """``(batch, steps, features)`` as it is; an image ``(batch, channels, height, width)`` line by line."""
    return inputs.transpose(1, 2).flatten(2) if inputs.dim() == 4 else inputs


def _holds(input_shape: tuple[int, ...]) -> str:
    return HOLDS.get(len(input_shape), f"rows of {len(input_shape)} dimensions")
