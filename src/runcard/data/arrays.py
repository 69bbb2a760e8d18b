"""NumPy arrays on disk as rows: images, sequences, and rows of many numbers; mapped, so they may exceed the memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.fields import number_text
from runcard.data.moments import STRETCH, stretches
from runcard.data.npy import Header, read_header
from runcard.data.signature import Array, Kind, Rows, TaskName, TaskOrAuto
from runcard.data.truth import checked_classes, checked_numbers
from runcard.errors import CardError, DataError, Mistake
from runcard.files import sha256

# Dimensions of the inputs → what a row is.
KINDS: dict[int, Kind] = {2: "vector", 3: "sequence", 4: "image"}
SHAPES = "(rows, width), (rows, steps, channels) or (rows, channels, height, width)"
# As for tables: what is larger is a slip or a mark for missing, and its square would soon not be a number.
LARGEST = 1e30


class Arrays:
    """Two ``.npy`` files with as many rows: inputs and targets. The inputs stay on disk until a row is used.

    The one feature is named by its kind: ``vector`` for ``(rows, width)``, ``sequence`` for
    ``(rows, steps, channels)``, ``image`` for ``(rows, channels, height, width)``. Truth values and numbers of up to 64
    bits are taken; NaN is a number that is missing, which an image cannot have.

    Do not change the files in place while they are read: a shorter file ends the process (SIGBUS). Write a new one and
    move it there.

    Args:
        inputs: The file of the inputs.
        targets: The file of the targets, ``(rows,)``.
    """

    def __init__(self, inputs: str, targets: str) -> None:
        self.inputs = inputs
        self.targets = targets

    def check_columns(self, target: str) -> None:
        """Look at both files' headers.

        Raises:
            CardError: If the target is called as the inputs are.
            DataError: If a file is missing, no ``.npy`` file or not whole, or the arrays do not fit together.
        """
        self._headers(target)

    def read(self, target: str, task: TaskOrAuto) -> Rows:
        """All rows, of which the inputs are mapped.

        Args:
            target: How to call what is predicted.
            task: What to predict; ``auto``: whole numbers, texts and truth values are classes, other numbers are not.

        Raises:
            CardError: If the target is called as the inputs are.
            DataError: As ``check_columns``, and if a value cannot be used.
        """
        inputs, targets = self._headers(target)
        kind, values = KINDS[len(inputs.shape)], inputs.map()
        _check_inputs(inputs, values, gaps=kind != "image")
        truth, settled, classes = _truth(targets, target, task)
        fingerprint = sha256(part for header in (inputs, targets) for part in _bytes(header))
        return Rows({kind: values}, {kind: kind}, truth, target, settled, classes, fingerprint, mapped=True)

    def _headers(self, target: str) -> tuple[Header, Header]:
        inputs, targets = read_header(self.inputs), read_header(self.targets)
        _check_shapes(inputs, targets)
        if target == KINDS[len(inputs.shape)]:
            message = f"the inputs are called {target!r}, so the target cannot be"
            raise CardError([Mistake("problem.target", message, hint="Choose another name.")])
        return inputs, targets


def _check_shapes(inputs: Header, targets: Header) -> None:
    if len(inputs.shape) not in KINDS:
        raise DataError(f"{inputs.path} has the shape {inputs.shape}; inputs are {SHAPES}")
    if inputs.dtype.kind not in "fiub" or inputs.dtype.itemsize > 8:
        raise DataError(f"{inputs.path} holds {inputs.dtype}; inputs are whole or real numbers of at most 64 bits")
    if len(targets.shape) != 1:
        raise DataError(f"{targets.path} has the shape {targets.shape}; targets are (rows,)")
    if targets.dtype.kind not in "fiubU" or (targets.dtype.kind != "U" and targets.dtype.itemsize > 8):
        raise DataError(f"{targets.path} holds {targets.dtype}; targets are whole or real numbers, or texts")
    rows = inputs.shape[0], targets.shape[0]
    if rows[0] != rows[1]:
        raise DataError(f"{inputs.path} has {rows[0]} rows, and {targets.path} has {rows[1]}")
    if not rows[0]:
        raise DataError(f"{inputs.path} has no rows")
    if 0 in inputs.shape:
        raise DataError(f"{inputs.path} has the shape {inputs.shape}: its rows hold nothing")


def _check_inputs(header: Header, values: NDArray[Any], *, gaps: bool) -> None:
    """Refuse what cannot be computed with, looking at a stretch of rows at a time."""
    if header.dtype.kind != "f":
        return
    most = min(LARGEST, float(np.finfo(header.dtype).max))
    for rows in stretches(np.arange(len(values)), math.prod(values.shape[1:]), STRETCH):
        numbers = values[rows[0] : rows[-1] + 1]
        wrong = ~(np.abs(numbers) <= most)  # NaN too
        if gaps:
            wrong &= ~np.isnan(numbers)
        if wrong.any():
            row = int(np.argmax(wrong.reshape(len(rows), -1).any(axis=1)))
            hint = "an unknown number is NaN" if gaps else "a pixel cannot be unknown"
            raise DataError(
                f"{header.path}: row {rows[row]}, counted from 0, holds {numbers[row][wrong[row]][0]:g}; {hint}, "
                f"and numbers lie between -{LARGEST:g} and {LARGEST:g}"
            )


def _bytes(header: Header) -> Iterator[bytes]:
    with header.path.open("rb") as file:
        yield from iter(lambda: file.read(1 << 20), b"")


def _truth(header: Header, target: str, task: TaskOrAuto) -> tuple[Array, TaskName, tuple[str, ...]]:
    values = np.array(header.map())
    _check_targets(header, values)
    if task == "auto":
        task = "regression" if values.dtype.kind == "f" else "classification"
    if task == "regression":
        if values.dtype.kind == "U":
            raise DataError(f"{header.path} holds texts, and problem.task is regression: choose classification")
        return checked_numbers(target, values.astype(np.float64)), task, ()
    different, places = np.unique(values, return_inverse=True)
    names = [_class_name(value) for value in different.tolist()]
    return np.array(names, dtype=object)[places], task, checked_classes(target, names, len(values))


def _check_targets(header: Header, values: NDArray[Any]) -> None:
    """Refuse rows without a truth."""
    if values.dtype.kind == "U":
        wrong, what = values == "", "an empty text"
    else:
        numbers = values.astype(np.float64)
        wrong, what = ~(np.abs(numbers) <= LARGEST), "no finite number"
    rows = np.flatnonzero(wrong)
    if len(rows):
        where = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
        raise DataError(
            f"{header.path} holds {what} in {len(rows)} of {len(values)} rows (row {where}; counted from 0). "
            "A row without the truth teaches nothing: correct it or leave it out of both files."
        )


def _class_name(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return number_text(value) if isinstance(value, float) else str(value)
