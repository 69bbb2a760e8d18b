"""What a random split hides: rows that follow each other in time, or that belong to one person or thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from runcard.data.looking.features import Chosen
from runcard.data.looking.numbers import snake

# With fewer rows, or fewer rows of one name, nothing repeats that would not by chance.
ROWS, ROWS_A_NAME = 30, 1.2
# Fewer different names are categories.
NAMES = 10
THING = re.compile(
    r"(^|_)((id|ids|uuid|guid)|(user|customer|client|patient|subject|person|player|student|household)(_(nr|no|number))?)$"
)
GROUPS = "a random split puts rows of one on both sides, and the test rows then flatter what new ones would get"


def cautions(chosen: Chosen) -> Iterator[str]:
    """A sentence on dates, and one on each column that names something that several rows belong to."""
    dated = [name for name, look in chosen.looks.items() if look.is_temporal]
    if dated:
        yield (
            f"rows have dates ({dated[0]!r}) and are split at random: what happens later helps to predict what came "
            "before. If the model is to predict the future, the test score is too good"
        )
    for name, column in chosen.columns.items():
        if THING.search(snake(name)) and (count := _repeated(column)):
            yield f"column {name!r} names {count} different things in {len(column)} rows: {GROUPS}"


def _repeated(column: pl.Series) -> int:
    """How many different names a column has that repeat; 0 if they do not, or are few."""
    if column.dtype.is_float() or column.dtype.is_nested():
        return 0
    distinct, count = column.n_unique(), len(column) - column.null_count()
    return distinct if count >= ROWS and distinct >= NAMES and count >= ROWS_A_NAME * distinct else 0
