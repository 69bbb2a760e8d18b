"""From a source to what training and evaluation need: rows, split, signature, fitted transforms, in that order."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.advice import advise
from runcard.card.advice import write_settings
from runcard.card.naming.targets import named
from runcard.card.schema import Card
from runcard.card.sections.data import OwnData, TableData
from runcard.data import signature, transforms
from runcard.data.moments import stretches
from runcard.data.signature import Array, Rows, Signature
from runcard.data.sources import source_of
from runcard.data.split import PARTS, PartName, Split, read_labels, split
from runcard.data.tokens import Tokenizer
from runcard.data.transforms import Transforms
from runcard.errors import CardError, DataError, Mistake, RunError

log = logging.getLogger("runcard")

MIN_ROWS = 10
# Of rows on disk, how many numbers are in memory at once: 8 MB as float32, and a few times that on the way.
TAKEN_NUMBERS = 2**21


@dataclass(frozen=True)
class Dataset:
    """Rows with all that was learned from the training part of them."""

    rows: Rows
    split: Split
    signature: Signature
    transforms: Transforms

    def indices(self, part: PartName) -> NDArray[np.int64]:
        """The row numbers of a part, ascending."""
        chosen: NDArray[np.int64] = getattr(self.split, part)
        return chosen

    @property
    def lazy(self) -> bool:
        """Whether rows lie on disk, and may be more than the memory holds: take a few at a time."""
        return self.rows.mapped

    def inputs(self, part: PartName) -> Array:
        """The model's input for all rows of a part: ``(rows, *input_shape)``."""
        rows = self.indices(part)
        if not self.lazy:
            return self.take(rows)
        # In pieces: on the way to its numbers a row takes several times their memory.
        first, done = self.take(rows[:0]), 0
        inputs = np.empty((len(rows), *first.shape[1:]), dtype=first.dtype)
        for piece in self.stretches(rows):
            inputs[done : done + len(piece)] = self.take(piece)
            done += len(piece)
        return inputs

    def take(self, rows: NDArray[np.int64]) -> Array:
        """The model's input for any rows: ``(rows, *input_shape)``, in memory.

        Args:
            rows: Row numbers, in any order.
        """
        return self.transforms.apply(self.rows.pick(rows))

    def stretches(self, rows: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
        """Row numbers in pieces that are small enough to take; all at once if the rows are in memory anyway."""
        width = math.prod(self.transforms.input_shape(self.signature))
        return stretches(rows, width, TAKEN_NUMBERS) if self.lazy else [rows]

    def truth(self, part: PartName) -> Array:
        """The truth as the data has it: texts or numbers, ``(rows,)``."""
        return self.rows.target[self.indices(part)]

    def targets(self, part: PartName) -> Array:
        """The truth as the model learns it: int64 class indices or scaled float32, ``(rows,)``."""
        return self.transforms.target.encode(self.truth(part))

    def to_dict(self) -> dict[str, Any]:
        """What a run keeps of its data, for JSON; the split itself is kept beside it."""
        return {
            "fingerprint": self.rows.fingerprint,
            "rows": len(self.rows),
            **({"left_out": dict(self.rows.dropped)} if self.rows.dropped else {}),
            "parts": {part: len(self.indices(part)) for part in PARTS},
            "split_sha256": self.split.sha256,
            "notes": list(self.rows.notes),
            "signature": self.signature.to_dict(),
            "transforms": self.transforms.to_dict(),
        }


def load_dataset(card: Card) -> Dataset:
    """Read the card's rows, split them, and learn signature and transforms from the training part.

    Raises:
        CardError: If the card asks for a task or column that the data does not have.
        DataError: If the rows cannot be learned from.
    """
    source = source_of(card)
    cut, problem = card.data.split, card.problem
    rows = source.read(problem.target, problem.task)
    if problem.task not in ("auto", rows.task):
        raise CardError(f"problem.task: the target {problem.target!r} is for {rows.task}, not {problem.task}")
    if len(rows) < MIN_ROWS:
        raise DataError(f"{len(rows)} rows are too few to train, choose and test with; {MIN_ROWS} is the least")
    parts = split(rows, seed=cut.seed, validation=cut.validation, test=cut.test)
    return learn(rows, parts, _tokenizer(card, rows))


def _tokenizer(card: Card, rows: Rows) -> Tokenizer | None:
    """What the card's network cuts texts up with; None: there are none.

    Raises:
        CardError: If there is another feature beside the text, or the tokenizer cannot be had.
    """
    texts = card.data.texts
    if not texts or not isinstance(card.data, TableData | OwnData):
        return None
    others = [name for name in rows.kinds if name != texts[0]]
    if others:
        said = {**card.data.kinds, **dict.fromkeys(others, "ignore")}
        listed = ", ".join(map(repr, others[:5])) + (", …" if len(others) > 5 else "")
        message = f"a text is read alone, and beside {texts[0]!r} there is {listed}"
        raise CardError([Mistake("data.kinds", message, hint=f"Say {advise(write_settings('data.kinds', said))}.")])
    found = named(card.model, "model").tokenizer(**card.model.arguments())
    assert isinstance(found, Tokenizer)
    return found


class Datasets:
    """The data of one card after another; read once for as long as the cards agree on it, as a sweep's trials do.

    What a user should know of it is logged, each note once.
    """

    def __init__(self) -> None:
        self._key = ""
        self._said: set[str] = set()
        self._data: Dataset | None = None

    @staticmethod
    def key(card: Card) -> str:
        """What only cards have in common that agree on their data."""
        problem = card.problem
        # Texts are cut up as the network wants them.
        network = card.model.model_dump(mode="json") if card.data.texts else None
        read = card.data.model_dump(mode="json", exclude={"batch_size", "last_batch", "workers"})
        return json.dumps([read, problem.target, problem.task, network])

    def of(self, card: Card) -> Dataset:
        """As ``load_dataset``."""
        key = self.key(card)
        if self._data is None or key != self._key:
            self._data, self._key = None, key
            self._data = load_dataset(card)
            for note in self._data.rows.notes:
                if note not in self._said:
                    log.warning("%s", note)
                self._said.add(note)
        return self._data


def learn(rows: Rows, parts: Split, tokenizer: Tokenizer | None = None) -> Dataset:
    """Learn signature and transforms from the training part of the rows, and from no other."""
    described = signature.describe(rows, parts.train)
    learned = transforms.fit(described, rows.columns, rows.target, parts.train, tokenizer)
    return Dataset(rows, parts, described, learned)


def restore(card: Card, content: Mapping[str, Any], labels: Path) -> Dataset:
    """The data of an earlier run, with that run's split and transforms.

    Args:
        card: The run's card.
        content: What ``to_dict`` gave.
        labels: The file with the part of each row.

    Raises:
        DataError: If the rows are gone or are no longer those of the run.
        RunError: If what was stored is damaged.
    """
    try:
        described = Signature.from_dict(content["signature"])
        learned = Transforms.from_dict(content["transforms"], described)
        fingerprint, split_sha256 = str(content["fingerprint"]), content["split_sha256"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the run's data.json is damaged: {error!r}") from error
    source = source_of(card)
    rows = source.read(card.problem.target, described.target.task)
    if rows.fingerprint != fingerprint:
        raise DataError(
            "the data has changed since the run: its fingerprint is "
            f"{rows.fingerprint[:12]}…, the run's {fingerprint[:12]}…. Fit again to learn from the new rows."
        )
    rows = _described_rows(rows, described)
    _check_classes(rows, described)
    found = np.array(read_labels(labels, len(rows)))
    parts = Split(**{part: np.flatnonzero(found == part) for part in PARTS})
    if parts.sha256 != split_sha256:
        raise RunError("the run's split.parquet is damaged: it does not match the hash in data.json")
    return Dataset(rows, parts, described, learned)


def _check_classes(rows: Rows, described: Signature) -> None:
    """Refuse labels that are read as others now: up to 0.23 those that looked like numbers went through one.

    Raises:
        DataError: If there is one that the run does not know.
    """
    new = sorted({*rows.classes} - {*described.target.classes})
    if new:
        raise DataError(
            f"the target {rows.target_name!r} has the label {new[0]!r}, which the run does not know: an earlier "
            "version read labels that look like numbers as numbers, so that 1E2 was 100. Fit again."
        )


def _described_rows(rows: Rows, described: Signature) -> Rows:
    """The rows with the features that a run learned from, and no other: what is guessed of the rest may have changed.

    Raises:
        DataError: If one is not there, or is read as another kind.
    """
    kinds = {feature.name: feature.kind for feature in described.features}
    for name, kind in kinds.items():
        if rows.kinds.get(name) != kind:
            found = rows.kinds.get(name, "none of the features")
            raise DataError(f"the run learned from {name!r} as {kind}, and now it is read as {found}: fit again")
    return replace(rows, columns={name: rows.columns[name] for name in kinds}, kinds=kinds)
