"""The section ``data``: every source of rows that a card can choose, with its keys and their ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StringConstraints, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from runcard.card.sections.formats import NumberFormat
from runcard.card.sections.parts import (
    OWN,
    SHIPPED,
    Fraction,
    OwnPart,
    Part,
    Positive,
    Section,
    Text,
    is_encoding,
    kind_of_part,
)


def _check_encoding(name: str) -> str:
    if name != "auto" and not is_encoding(name):
        raise PydanticCustomError("encoding", "auto or an encoding that Python knows, such as cp1252")
    return name


def _check_format(example: str) -> str:
    try:
        NumberFormat.of(example)
    except ValueError:
        raise PydanticCustomError("format", "the number 1234.5 as the column writes it, such as 1.234,5") from None
    return example


# For editors, what the two checks say: the thousands of a number are not parted by its decimal mark.
FORMAT = r"^[^0-9+-]*1(?!([.,])234\1)[,. '_\u00a0\u202f\u2009\u2019]?234[.,]5[^0-9+-]*$"
Format = Annotated[str, AfterValidator(_check_format), WithJsonSchema({"type": "string", "pattern": FORMAT})]


def _as_tab(text: object) -> object:
    """The two letters that a shell hands over for a tab; no separator has two."""
    return "\t" if text == r"\t" else text


ONE = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1}, {"const": r"\t"}]}
Separator = Annotated[str, StringConstraints(min_length=1, max_length=1), BeforeValidator(_as_tab), WithJsonSchema(ONE)]
Encoding = Annotated[str, AfterValidator(_check_encoding)]
Ragged = Literal["refuse", "fill"]
MissingTarget = Literal["refuse", "drop"]
RareClasses = Literal["refuse", "drop", "merge"]
Decimal = Literal["auto", ".", ","]
ColumnKind = Literal["number", "category", "boolean", "text", "ignore"]


class Split(Section):
    """How the rows are divided; what is left is for training."""

    seed: Annotated[int, Field(ge=0)]
    """Which rows go where, 0 or more; apart from the card's seed, so that other runs share their test rows."""
    validation: Fraction
    """Share of rows that choose the best epoch, above 0 and below 1."""
    test: Fraction
    """Share of rows that nothing is chosen by, above 0 and below 1."""


class Data(Part):
    """What every source of rows has."""

    batch_size: Positive | Literal["auto"]
    """Rows a step, 1 or more; larger is faster an epoch; auto: by the number of rows and GPU memory."""
    last_batch: Literal["keep", "drop"] = "keep"
    """A last minibatch of fewer rows: keep, or drop, for networks that cannot learn from one row, as with BatchNorm."""
    workers: Annotated[int, Field(ge=0, le=1024)]
    """Processes that gather rows ahead, 0 to 1024; 0 is fastest for data in memory; bits are equal."""
    split: Split
    """How the rows are divided; what is left is for training."""

    @property
    def batch_rows(self) -> int:
        """``batch_size`` of a settled card."""
        assert isinstance(self.batch_size, int)
        return self.batch_size

    @property
    def drops_last(self) -> bool:
        """Whether a last minibatch of fewer rows is left out."""
        return self.last_batch == "drop"

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image; else it has columns."""
        return False

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text; only a user can say which are."""
        return ()

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for the source, which neither divides its rows nor cuts batches."""
        kept = ("batch_size", "last_batch", "workers", "split")
        return {name: value for name, value in super().arguments().items() if name not in kept}


class BuiltinData(Data):
    """Real data that comes with scikit-learn."""

    target_class: Literal["runcard.data.builtin.Builtin"] = Field(alias="_target_")
    name: Literal["digits", "breast_cancer", "wine", "diabetes"]
    """Which of scikit-learn's data sets."""

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image; else it has columns."""
        return self.name == "digits"


class TableData(Data):
    """A CSV or Parquet file."""

    target_class: Literal["runcard.data.table.Table"] = Field(alias="_target_")
    path: Text
    """The file: .csv, .tsv, .txt or .parquet; stored absolute."""
    kinds: dict[str, ColumnKind]
    """Column: number, category, boolean, text (for model=pretrained) or ignore; others are guessed."""
    separator: Separator
    """Between the fields of a CSV, one character, \\t for a tab; ignored for Parquet."""
    null_values: tuple[str, ...]
    """Texts of a CSV that mean missing."""
    encoding: Encoding = "auto"
    """Of a CSV that is not UTF-8, such as cp1252; auto: UTF-8, UTF-16 where the file shows it, or it is refused."""
    ragged: Ragged = "refuse"
    """A line of a CSV that lacks its last fields: refused, or what it lacks is missing."""
    decimal: Decimal = "auto"
    """Before the fraction of a number: . or a comma; auto: as the columns agree; 1,234 is refused where none tells."""
    formats: dict[str, Format] = Field(default_factory=dict)
    """Column: the number 1234.5 as it writes it, such as 1.234,5 or $1,234.5; others are guessed, and kept."""
    null_values_of: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Column: further texts that mean missing in it; among numbers the usual marks are found, and kept."""
    missing_target: MissingTarget = "refuse"
    """Rows without a truth: refused, or left out and counted."""
    rare_classes: RareClasses = "refuse"
    """Classes of fewer rows than min_rows: refused, left out and counted, or merged into one that is called other."""
    min_rows: Annotated[int, Field(ge=2, lt=2**31)] = 2
    """Rows that a class must have, 2 or more: one to learn and one to test."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text."""
        return tuple(name for name, kind in self.kinds.items() if kind == "text")


class ArraysData(Data):
    """NumPy arrays on disk."""

    target_class: Literal["runcard.data.arrays.Arrays"] = Field(alias="_target_")
    inputs: Text
    """.npy file of whole or real numbers, rows first; NaN is missing; stored absolute."""
    targets: Text
    """.npy file with one whole number, text or real number a row; stored absolute."""

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image, which only the file tells: a network that needs one looks again."""
        return True


class OwnData(Data, OwnPart):
    """Rows from a class of the user's own, which ``read`` gives as columns by name."""

    kinds: dict[str, ColumnKind] = Field(default_factory=dict)
    """Column: number, category, boolean, text or ignore; others are guessed."""

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image, which only the rows tell."""
        return True

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text."""
        return tuple(name for name, kind in self.kinds.items() if kind == "text")


Shipped = BuiltinData | TableData | ArraysData
AnyData = Annotated[
    Annotated[Shipped, Field(discriminator="target_class"), Tag(SHIPPED)] | Annotated[OwnData, Tag(OWN)],
    Discriminator(kind_of_part),
]
