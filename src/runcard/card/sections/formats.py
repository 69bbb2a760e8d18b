"""How a column writes its numbers, said by an example: ``$1,234.5`` is the number 1234.5 as the column writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Blanks that keep a number in one line, and apostrophes, are read as the plain ones.
ALIKE = {"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'", "\u2212": "-"}
THOUSANDS = (",", ".", " ", "'", "_")
EXAMPLE = re.compile(r"(?P<before>[^\d+-]*)1(?P<thousands>[,. '_]?)234(?P<decimal>[.,])5(?P<after>[^\d+-]*)")


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written.

    Attributes:
        decimal: Before the fraction, ``.`` or ``,``.
        thousands: Between groups of three digits; empty: digits are not grouped.
        before: What stands before each number, such as ``$``, without blanks around it; may be empty.
        after: What stands behind it, such as ``%``, likewise.
    """

    decimal: str = "."
    thousands: str = ""
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, example: str) -> NumberFormat:
        """Read an example.

        Args:
            example: The number 1234.5 as the column writes it.

        Raises:
            ValueError: If it is not that number.
        """
        found = EXAMPLE.fullmatch(alike(example))
        if found is None or found["thousands"] == found["decimal"]:
            raise ValueError(example)
        return cls(found["decimal"], found["thousands"], found["before"].strip(), found["after"].strip())

    def __str__(self) -> str:
        """The example; of a format that is plain, ``1234.5``."""
        after = f" {self.after}" if self.after else ""
        return f"{self.before}1{self.thousands}234{self.decimal}5{after}"


@dataclass(frozen=True)
class Spelling:
    """How a column writes its values.

    Attributes:
        format: The number 1234.5 as the column writes it; empty: as 1234.5.
        null_values: Texts that mean missing in this column, beside those that do in every one.
    """

    format: str = ""
    null_values: tuple[str, ...] = ()

    @property
    def decimal(self) -> str:
        """What stands before a fraction, ``.`` or ``,``."""
        return NumberFormat.of(self.format).decimal if self.format else "."


PLAIN_NUMBERS, PLAIN_SPELLING = NumberFormat(), Spelling()


def alike(text: str) -> str:
    """The text with plain blanks, apostrophes and minus signs."""
    for other, plain in ALIKE.items():
        text = text.replace(other, plain)
    return text
