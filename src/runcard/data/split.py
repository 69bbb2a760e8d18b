"""Which row trains, which chooses the best epoch, which is held back: seeded and stratified."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runcard.data.reading.parquet import read_kept, said_first
from runcard.data.signature import Array, Rows
from runcard.errors import DataError, RunError
from runcard.files import sha256

Indices = NDArray[np.int64]
PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Split:
    """The sorted row numbers of each part; together every row once."""

    train: Indices
    validation: Indices
    test: Indices

    @property
    def sha256(self) -> str:
        """Equal for equal splits."""
        return sha256(part.tobytes() for part in (self.train, self.validation, self.test))

    def labels(self) -> list[str]:
        """The part of each row, in row order."""
        labels = np.empty(sum(len(getattr(self, part)) for part in PARTS), dtype=object)
        for part in PARTS:
            labels[getattr(self, part)] = part
        return [str(label) for label in labels]


def split(rows: Rows, *, seed: int, validation: float, test: float) -> Split:
    """Divide the rows; each class, or each tenth of a number's range, is divided in the same proportion.

    Args:
        rows: All rows.
        seed: Which of the possible divisions, 0 or more.
        validation: Share of the rows, 0 to 1.
        test: Share of the rows, 0 to 1.

    Raises:
        DataError: If a class has one row only, or a part would be empty.
    """
    groups = _classes(rows) if rows.task == "classification" else _tenths(rows.target)
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(group) for group in groups])
    # Multiples of the golden ratio fill 0…1 evenly from any start, so every group, being a stretch of the order, is
    # divided in proportion, and so is the whole; cutting group by group would add up the roundings.
    place = np.empty(len(rows))
    place[order] = (generator.random() + np.arange(len(rows)) * GOLDEN) % 1.0
    parts = Split(
        train=np.flatnonzero(place >= validation + test),
        validation=np.flatnonzero((place >= test) & (place < validation + test)),
        test=np.flatnonzero(place < test),
    )
    parts = _with_every_class_in_training(parts, groups) if rows.task == "classification" else parts
    for name in PARTS:
        if not len(getattr(parts, name)):
            raise DataError(
                f"{len(rows)} rows are too few: none is left for {name}. "
                "Add rows, or change data.split.validation and data.split.test."
            )
    return parts


def _classes(rows: Rows) -> list[Indices]:
    place = {name: index for index, name in enumerate(rows.classes)}
    codes = np.array([place[name] for name in rows.target])
    counts = np.bincount(codes, minlength=len(place))
    lonely = [name for name, count in zip(rows.classes, counts, strict=True) if count == 1]
    if lonely:
        raise DataError(
            f"the target {rows.target_name!r} has classes with a single row: {', '.join(map(repr, lonely[:5]))}. "
            "Such a class cannot be both learned and tested: add rows, merge it with another, or drop it."
        )
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])


def _tenths(target: Array) -> list[Indices]:
    """The rows in ten groups of like size, by the order of their numbers."""
    return np.array_split(np.argsort(target, kind="stable"), min(10, len(target)))


def _with_every_class_in_training(parts: Split, groups: list[Indices]) -> Split:
    """Move one row of each class that training lacks; small classes can fall wholly into the other parts."""
    learned = np.zeros(sum(map(len, groups)), dtype=bool)
    learned[parts.train] = True
    moved = [group[0] for group in groups if not learned[group].any()]
    rest = {name: np.setdiff1d(getattr(parts, name), moved) for name in PARTS}
    return Split(**{**rest, "train": np.union1d(parts.train, moved).astype(np.int64)})


def labels_to_parquet(parts: Split) -> bytes:
    """The part of each row as a Parquet file with the columns ``row`` and ``part``."""
    labels = parts.labels()
    buffer = io.BytesIO()
    pl.DataFrame({"row": range(len(labels)), "part": labels}).write_parquet(buffer)
    return buffer.getvalue()


def read_labels(path: Path, rows: int) -> list[str]:
    """The part of each row, in row order.

    Args:
        path: The file.
        rows: How many there are.

    Raises:
        RunError: If the file is missing, damaged, or of another number of rows.
    """
    try:
        labels: list[str] = read_kept(path, rows).sort("row")["part"].to_list()
    except pl.exceptions.PolarsError as error:
        raise RunError(f"cannot read {path}: {said_first(error)}") from error
    return labels
