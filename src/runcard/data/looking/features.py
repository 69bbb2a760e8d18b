"""The columns of a table as features: what each is by what was given, or else by a look at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from runcard.card.sections.formats import Spelling
from runcard.data.looking.columns import look_at, notes_of_texts
from runcard.data.looking.formats import formats_of
from runcard.data.looking.look import KindOrIgnore, Look, listed
from runcard.data.looking.numbers import ONLY_COUNTS
from runcard.data.looking.seen import Habits, Seen, see
from runcard.data.looking.written import look_at_written
from runcard.data.signature import Array
from runcard.data.values import is_plain, values_of
from runcard.errors import DataError

# So many different texts tell how a file writes its numbers.
SAMPLE = 1000
# So many columns are named in a sentence.
NAMED = 8


@dataclass(frozen=True)
class Given:
    """What is given of a table's columns; the rest is guessed.

    Attributes:
        kinds: Column → kind.
        formats: Column → the number 1234.5 as it writes it.
        null_values_of: Column → texts that mean missing in it.
        null_values: Texts that mean missing in every column.
        decimal: Before the fraction of a number, ``.`` or ``,``; ``auto``: as the columns without a doubt have it.
    """

    kinds: Mapping[str, KindOrIgnore] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    null_values_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    null_values: tuple[str, ...] = ()
    decimal: str = "auto"

    @property
    def habits(self) -> Habits:
        """What is given of all columns."""
        decided = self.decimal != "auto"
        return Habits(self.decimal if decided else "", decided, self.null_values)

    def spelling(self, name: str) -> Spelling:
        """How a column is said to write its values."""
        return Spelling(self.formats.get(name, ""), tuple(self.null_values_of.get(name, ())))


@dataclass(frozen=True)
class Chosen:
    """What was found.

    Attributes:
        looks: Column → what it is taken for.
        columns: The same columns, what means missing being missing.
        guessed: Those of them whose kind was not given.
        numbers: What was read of the texts of a column of plain numbers.
        habits: Of the table, as far as they had to be known.
    """

    looks: dict[str, Look]
    columns: dict[str, pl.Series]
    guessed: frozenset[str]
    numbers: dict[str, pl.Series]
    habits: Habits

    def settle(self) -> Habits:
        """The table's habits with the decimal mark that its columns agree on, where it was not known."""
        known = self.habits.decided or self.habits.decimal
        return self.habits if known else replace(self.habits, decimal=decimal_of(self.columns.values()))

    def values(self, name: str) -> Array:
        """A feature's values; see ``Columns`` for the forms. What was read of it is then let go.

        Raises:
            DataError: If one is of another kind.
        """
        look, column = self.looks[name], self.columns[name]
        assert look.kind != "ignore"
        return values_of(column, look.kind, 0, look.spelling, self.numbers.pop(name, None))

    @property
    def kinds(self) -> dict[str, KindOrIgnore]:
        """Column → kind."""
        return {name: look.kind for name, look in self.looks.items()}

    def notes(self) -> list[str]:
        """What a user should know of the columns, a sentence each, what was guessed first."""
        found = [_summary(self.looks, self.guessed)] if self.guessed else []
        for name, look in self.looks.items():
            if look.kind == "ignore" and name in self.guessed:
                found.append(f"column {name!r} is left out: {look.remark}; name its kind in data.kinds to keep it")
            elif look.doubt and not look.notes:
                found.append(f"column {name!r}: {look.remark}")
            found += look.notes
        return found


def choose(columns: Iterable[pl.Series], given: Given) -> Chosen:
    """Look at the columns of a table but the target.

    Raises:
        DataError: If a column cannot be read without a doubt; it says which keys settle it.
    """
    chosen = look_over(columns, given)
    refused = [look.refusal for look in chosen.looks.values() if look.refusal]
    if refused:
        more = f" ({len(refused) - 1} more columns are in doubt.)" if len(refused) > 1 else ""
        raise DataError(refused[0] + more)
    return chosen


def look_over(columns: Iterable[pl.Series], given: Given) -> Chosen:
    """As ``choose``, and what is in doubt is left out, with what settles it in its look."""
    habits = given.habits
    seen = {column.name: see(column, habits, given.spelling(column.name)) for column in columns}
    looks = {name: _look(one, habits, given) for name, one in seen.items()}
    if not habits.decided and any(look.depends_on_decimal for look in looks.values()):
        # What one column leaves in doubt others may settle: a file has one decimal mark.
        habits = replace(habits, decimal=decimal_of(one.column for one in seen.values()))
        looks = {name: _look(one, habits, given) for name, one in seen.items()}
    guessed = frozenset(looks) - {*given.kinds}
    looks = _something_to_learn_from(looks, guessed)
    numbers = {name: one.numbers for name, one in seen.items() if one.numbers is not None}
    same = {name: read for name, read in numbers.items() if looks[name].format == given.spelling(name).format}
    return Chosen(looks, {name: one.column for name, one in seen.items()}, guessed, same, habits)


def _look(seen: Seen, habits: Habits, given: Given) -> Look:
    name = seen.column.name
    kind, spelled = given.kinds.get(name), given.spelling(name)
    found = look_at(seen, habits, spelled) if kind is None else _given(seen, kind, habits, spelled)
    if found.kind == "number":
        found = replace(found, format=found.format or spelled.format)
    return replace(found, null_values=(*spelled.null_values, *found.null_values)) if spelled.null_values else found


def decimal_of(columns: Iterable[pl.Series]) -> str:
    """The decimal mark that the columns of a table agree on where they leave no doubt; empty: there is none."""
    found = set()
    for column in columns:
        if column.dtype == pl.String:
            found |= _certain(column.drop_nulls().head(100 * SAMPLE).unique(maintain_order=True).head(SAMPLE))
    return found.pop() if len(found) == 1 else ""


def _certain(texts: pl.Series) -> set[str]:
    """The decimal mark of a column that can have one only."""
    fractions = texts.filter(texts.str.contains(r"\d[.,]\d"))
    if not len(fractions):
        return set()
    written = formats_of(fractions)
    marks = {form.decimal for form in written.formats}
    return marks if len(marks) == 1 and written.numbers.all() else set()


def _given(seen: Seen, kind: KindOrIgnore, habits: Habits, spelled: Spelling) -> Look:
    """What is to be known of a column whose kind is given: how it writes numbers, and which texts are alike."""
    if kind == "category" and is_plain(seen.column):
        texts = seen.column.cast(pl.String).drop_nulls().unique(maintain_order=True)
        return Look(kind, notes=tuple(notes_of_texts(seen, texts, "categories")))
    if kind != "number" or seen.numbers is None or spelled.format:
        return Look(kind)
    known = seen.column.drop_nulls()
    if len(known) == len(seen.numbers.drop_nulls()):
        return Look(kind)
    found = look_at_written(seen, known.unique(maintain_order=True), habits)
    if found is None or (found.kind == "ignore" and not found.refusal):
        return Look(kind)  # reading its values says which is none
    return found if found.refusal else replace(found, kind=kind)


def _something_to_learn_from(looks: dict[str, Look], guessed: frozenset[str]) -> dict[str, Look]:
    """Where nothing else is left, whole numbers that only seem to name a row are learned from after all."""
    if any(look.kind != "ignore" or look.refusal for look in looks.values()):
        return looks
    kept = {
        name: replace(look, kind="number", remark=f"{look.remark}, and there is nothing else to learn from", doubt=True)
        for name, look in looks.items()
        if name in guessed and look.remark in ONLY_COUNTS
    }
    return {**looks, **kept}


def _summary(looks: Mapping[str, Look], guessed: frozenset[str]) -> str:
    by_kind: dict[str, list[str]] = {}
    for name, look in looks.items():
        if name in guessed:
            by_kind.setdefault("left out" if look.kind == "ignore" else look.kind, []).append(name)
    parts = [f"{kind}: {listed(names, NAMED)}" for kind, names in by_kind.items()]
    return f"kinds guessed from the values (data.kinds says otherwise): {'; '.join(parts)}"
