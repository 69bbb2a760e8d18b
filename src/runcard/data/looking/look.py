"""What a column seems to be, as a look at its values tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from runcard.card.sections.formats import Spelling

# Nobody guesses text: what reads it takes a network of its own and hours.
KindOrIgnore = Literal["number", "boolean", "category", "text", "ignore"]
# Fewer values repeat or do not by chance.
FEW = 10
# Of so many values in a hundred that are alike the rest are slips; more than so many different ones are none.
NEARLY, SLIPS = 0.9, 5
# So many classes or rows are named in a message.
LISTED = 5


@dataclass(frozen=True)
class Look:
    """What a column seems to be.

    Attributes:
        kind: As ``data.kinds`` names it.
        remark: Why it is left out, or what its owner should know; may be empty.
        doubt: Whether it is learned from and yet should be looked at.
        format: How its numbers are written, as the number 1234.5; empty: plainly.
        null_values: Texts that mean missing in it, beside those that do in every column.
        notes: What was read as something else than stands there, each a sentence about the column.
        refusal: What must be settled before the column can be learned from, and the keys that settle it.
        is_temporal: Whether it holds dates or times.
    """

    kind: KindOrIgnore
    remark: str = ""
    doubt: bool = False
    format: str = ""
    null_values: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: str = ""
    is_temporal: bool = False

    @property
    def spelling(self) -> Spelling:
        """How the column writes its values."""
        return Spelling(self.format, self.null_values)

    @property
    def depends_on_decimal(self) -> bool:
        """Whether the decimal mark of the table's other columns may change it."""
        return bool(self.refusal) or self.spelling.decimal == ","


def listed(names: Sequence[str], most: int = LISTED) -> str:
    """So many names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def first_row(marks: pl.Series) -> int:
    """The first row that is marked, counted from 1."""
    return int(marks.arg_true()[0]) + 1


def joined(*parts: str) -> str:
    """Remarks as one."""
    return "; ".join(filter(None, parts))


def rows_said(count: int) -> str:
    """``one row``, or how many."""
    return "one row" if count == 1 else f"{count} rows"


def gaps_said(count: int) -> str:
    """How many rows lack the value; empty if none does."""
    return f"missing in {rows_said(count)}" if count else ""
