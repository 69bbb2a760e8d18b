"""Where a card's rows come from: a source of Runcard's own, or a class of the user's that only has to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from runcard.card.naming.targets import build
from runcard.card.naming.trust import said
from runcard.card.schema import Card
from runcard.card.sections.data import OwnData
from runcard.errors import DataError, RuncardError

if TYPE_CHECKING:
    from runcard.data.signature import Rows, TaskOrAuto

Found = TypeVar("Found")


class Source(Protocol):
    """Where rows come from."""

    def check_columns(self, target: str) -> None:
        """Refuse a card that names what the data does not have, reading as little as that takes."""

    def read(self, target: str, task: TaskOrAuto) -> Rows:
        """All rows, with the column ``target`` as the truth; they may lie on disk."""


def source_of(card: Card) -> Source:
    """The card's source of rows.

    Raises:
        CardError: If an object of the user's own class cannot be made.
    """
    if not isinstance(card.data, OwnData):
        source: Source = build(card.data)
        return source
    return OwnSource(build(card.data, section="data"), card.data.target_class, card.data.kinds)


class OwnSource:
    """A user's object with a method ``read``, and perhaps ``columns``, as a source.

    Args:
        rows: The object. ``read()`` gives the columns by name, the target among them: a polars table, or a mapping of
            arrays ``(rows, ...)``. ``columns()`` gives their names alone, for a card to be compared with.
        name: Of its class.
        kinds: Column → kind, for those not to be guessed.
    """

    def __init__(self, rows: Any, name: str, kinds: Mapping[str, Any]) -> None:
        self.rows = rows
        self.name = name
        self.kinds = dict(kinds)

    def check_columns(self, target: str) -> None:
        """As ``Source.check_columns``; without a method ``columns`` nothing is known before the rows are read.

        Raises:
            CardError: If the target or a column of ``kinds`` is not there; it holds every mistake.
            DataError: If the user's method fails.
        """
        from runcard.data.table import compare_columns

        if hasattr(self.rows, "columns"):
            names = called(f"{self.name}.columns", lambda: [str(name) for name in self.rows.columns()])
            compare_columns(names, target, self.kinds, self.name)

    def read(self, target: str, task: TaskOrAuto) -> Rows:
        """As ``Source.read``.

        Raises:
            CardError: If the target or a column of ``kinds`` is not there.
            DataError: If the user's method fails, or gives what cannot be used.
        """
        from runcard.data.own import rows_of

        found = called(f"{self.name}.read", self.rows.read)
        return rows_of(found, target, task, self.kinds, self.name)


def called(name: str, call: Callable[[], Found]) -> Found:
    """What a call of the user's code gives.

    Raises:
        DataError: If it fails, with the place in the user's code.
    """
    try:
        return call()
    except RuncardError:
        raise
    except Exception as error:
        raise DataError(f"{name} failed: {said(error)}") from error
