"""A finished run as something that answers: rows in, predictions out, by the run's own transforms and best weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from runcard.advice import advise
from runcard.brief import line_of, table_of
from runcard.card.check import load_saved
from runcard.card.schema import Card
from runcard.data.answers import Unusual, answers_frame
from runcard.data.reading.frames import as_frame, read_frame
from runcard.data.reading.layout import Reading
from runcard.data.signature import Array, Columns, Signature
from runcard.data.transforms import Transforms, rows_at_once
from runcard.data.values import columns_of
from runcard.errors import RunError
from runcard.files import read_json
from runcard.models.make import make_model, threads
from runcard.runs import RunFolder
from runcard.training.checkpoint import load as load_checkpoint

log = logging.getLogger("runcard")


@dataclass(frozen=True, repr=False)
class Run:
    """A run that is trained: its card, what it takes and gives, and its network.

    Attributes:
        folder: Where all of it is kept.
        card: The card it was made from.
        signature: What it takes and gives.
        transforms: How rows become numbers and outputs become answers.
        model: The network with the best epoch's weights, in evaluation mode, on the CPU.
    """

    folder: RunFolder
    card: Card
    signature: Signature
    transforms: Transforms
    model: nn.Module

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def metrics(self) -> dict[str, float]:
        """The final numbers, such as ``test/accuracy``.

        Raises:
            RunError: If the run is not finished, or the file is damaged.
        """
        numbers = read_json(self.folder.metrics)
        finite = all(isinstance(value, int | float) and math.isfinite(value) for value in numbers.values())
        if "best_epoch" not in numbers or not finite:
            raise RunError(f"{self.folder.metrics} is damaged: it must hold best_epoch, and numbers only")
        return numbers

    def __repr__(self) -> str:
        return line_of("Run", str(self.path), self._numbers())

    def _repr_html_(self) -> str:
        return table_of(f"run {self.path}", self._numbers())

    def _numbers(self) -> dict[str, float]:
        """The numbers of the test rows, the problem's metric first; none of a run that is not finished."""
        numbers = self.metrics if self.folder.finished else {}
        first = f"test/{self.card.problem.metric}"
        found = {name: value for name, value in numbers.items() if name.startswith("test/")}
        return {first: found[first], **found} if first in found else found

    def predict(
        self, rows: str | Path | pl.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> pl.DataFrame:
        """Answer rows.

        Args:
            rows: A file (CSV, Parquet, JSON), a table, columns by name, or rows as mappings; with at least the
                columns of the signature. An image is a list of numbers, flat or nested.

        Returns:
            One line a row: ``prediction``, and for classes a ``probability_...`` each.

        Raises:
            DataError: If a column is missing or holds values of another kind.
        """
        return self.table(self.answer(self.columns(rows)))

    def columns(self, rows: Any) -> dict[str, Array]:
        """The signature's features out of rows in any of the forms that ``predict`` takes."""
        if not isinstance(rows, str | Path):
            return columns_of(as_frame(rows), self.signature)
        frame = read_frame(rows, Reading.of(self.card.values()["data"]))
        return columns_of(frame, self.signature)

    def answer(self, columns: Columns) -> NDArray[np.float64]:
        """Probabilities ``(rows, classes)``, or numbers ``(rows,)`` in the target's unit."""
        return self.transforms.target.decode(self.outputs(self.transforms.apply(columns)))

    def outputs(self, inputs: Array) -> NDArray[np.float32]:
        """The network's raw outputs, ``(rows, outputs)``."""
        with torch.inference_mode(), threads(self.card.trainer.thread_count):
            parts = [self.model(part) for part in torch.from_numpy(inputs).split(rows_at_once(inputs.shape[1:]))]
        width = self.transforms.target.outputs
        return torch.cat(parts).numpy() if parts else np.empty((0, width), dtype=np.float32)

    def table(self, answers: NDArray[np.float64]) -> pl.DataFrame:
        """Answers under the names that files of answers use."""
        return answers_frame(self.signature.target, answers)

    def warnings(self, columns: Columns, seen: int | None = None) -> list[str]:
        """What is unusual about rows, a line a feature; ``seen`` is as of ``Unusual.lines``."""
        unusual = Unusual(self.signature)
        unusual.add(columns)
        return unusual.lines(seen)


def open_trained(folder: RunFolder) -> Run:
    """Load the network that a run folder holds.

    Raises:
        CardError: If the stored card is not a right card.
        RunError: If a file is missing or damaged.
    """
    card = load_saved(folder.card)
    settled = (
        card.problem.task,
        card.problem.metric,
        card.trainer.accelerator,
        card.optimizer.lr,
        card.data.batch_size,
    )
    if "auto" in settled:
        raise RunError(f"{folder.card} is damaged: a run's card leaves nothing on auto")
    content = read_json(folder.data)
    try:
        signature = Signature.from_dict(content["signature"])
        transforms = Transforms.from_dict(content["transforms"], signature)
        with torch.random.fork_rng(devices=[]):  # its first weights are thrown away, and should cost no random numbers
            model = make_model(card, signature, transforms, fresh=False)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunError(f"{folder.data} is damaged: {error!r}") from error
    weights = load_checkpoint(folder.best)["state_dict"]
    if folder.card_changed:
        way = advise("runcard", "fit", str(folder.card))
        log.warning(
            "%s was changed since the run was trained, and the run is as it was: `%s` trains it", folder.card, way
        )
    try:
        model.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise RunError(f"{folder.best} does not fit the run's card: {str(error).splitlines()[0]}") from error
    return Run(folder, card, signature, transforms, model.eval())
