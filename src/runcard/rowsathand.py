"""Fit a card to rows at hand, such as a DataFrame of a notebook: the run keeps them, so that it stands by itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runcard import runs
from runcard.card import check as judge
from runcard.card.schema import Card
from runcard.card.sections.data import TableData
from runcard.data.dataset import Dataset, load_dataset
from runcard.data.reading.frames import as_frame
from runcard.errors import CardError, DataError
from runcard.evaluation.predictor import Run
from runcard.fitting import fit_card

TABLE = "data=table"
AT_HAND = "the table at hand"


def fit_rows(words: Sequence[str], rows: Any, *, progress: bool = False) -> Run:
    """Train and evaluate on rows at hand.

    Args:
        words: Overrides, ``problem.target=NAME`` among them.
        rows: A table of polars, pandas or Arrow, columns by name, or rows as mappings.
        progress: Whether to show on stderr how far it is.

    Returns:
        The finished run; ``rows.parquet`` in its folder holds the rows, and its card names that file.

    Raises:
        CardError: If the words choose other rows, or the card does not fit these.
        DataError: If they are no table, or cannot be learned from.
        RunError: If the run folder cannot be written.
        TrainingError: If training fails.
    """
    _check_words(words)
    frame = as_frame(rows)
    with tempfile.TemporaryDirectory(prefix="runcard-rows-") as place:
        path = Path(place, runs.ROWS)
        frame.write_parquet(path)
        card, data = _composed([TABLE, *words, f"data.path={path}"], path)
        folder = runs.create(card.runs_dir, card.name)
        try:
            shutil.move(path, folder.draft.rows)
            kept = judge.replaced(card, "data", {"path": str(folder.rows)})
            return fit_card(kept, data, lambda _: folder, progress=progress)
        finally:
            if not folder.path.exists():
                shutil.rmtree(folder.draft.path, ignore_errors=True)


def _composed(words: Sequence[str], path: Path) -> tuple[Card, Dataset]:
    """The card and its rows; mistakes speak of the rows, and not of a file that is about to go."""
    try:
        card = judge.load(words)
        if not isinstance(card.data, TableData):
            raise CardError("the card chooses other rows than those at hand: leave its group data out")
        return card, load_dataset(card)
    except CardError as error:
        named = [replace(one, message=one.message.replace(str(path), AT_HAND)) for one in error.mistakes]
        raise CardError(named) if named else error from None
    except DataError as error:
        raise DataError(str(error).replace(str(path), AT_HAND)) from None


def _check_words(words: Sequence[str]) -> None:
    """Refuse words that choose rows.

    Raises:
        CardError: If there is one.
    """
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if (key == "data" and word != TABLE) or key == "data.path":
            raise CardError(f"{word}: the rows are those at hand, and the card can choose no others; leave it out")
        if judge.is_saved_card(word) and os.path.isfile(word):
            raise CardError(f"{word}: a saved card has rows of its own; name its group choices and keys instead")
