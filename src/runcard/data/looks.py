"""What one column seems to be: a kind to learn from, or why it had better be left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from runcard.data.table import MAX_TEXTS, KindOrIgnore, guess_kind

# Fewer values repeat or do not by chance.
FEW = 10
# Of so many values that differ in every row, from a range of so many times their number, none would by chance.
MANY, DENSE = 30, 10
# A look at so many different values tells what form they have; of so many in a hundred, what most are.
SAMPLE, MOST = 1000, 0.95
# A text of so many words on the average is a sentence, no name.
SENTENCE = 4
# So few different whole numbers may be codes.
CODES = 10
KEY = re.compile(r"(^|_)(id|ids|nr|no|num|number|key|index|row|uuid|guid)$")
CLOCK = re.compile(r"(^|_)(date|day|time|timestamp|ts|at|created|updated)$")
DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d-%m-%Y"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y"),
)
HOURS = ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f")
SHAPES = {
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "web addresses": r"^(https?://|www\.)\S+$",
    "UUIDs": r"^\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$",
}
# 1.234,50 and $1,200 and 12 %: what stands around digits, and a comma for the point.
DRESS = r"[\s€$£¥%']|EUR|USD|GBP|CHF"
TELLING = "derive numbers from them, such as days or the hour"


@dataclass(frozen=True)
class Look:
    """What a column seems to be.

    Attributes:
        kind: As ``data.kinds`` names it.
        remark: Why it is left out, or what its owner should know; may be empty.
        doubt: Whether it is learned from and yet should be looked at.
    """

    kind: KindOrIgnore
    remark: str = ""
    doubt: bool = False


def look_at(column: pl.Series) -> Look:
    """Look at the values of a column that is not the target."""
    column = column.fill_nan(None) if column.dtype.is_float() else column
    known, kind = column.drop_nulls(), column.dtype
    gaps = len(column) - len(known)
    if not len(known):
        return Look("ignore", "empty")
    if kind.is_temporal():
        return Look("ignore", f"dates or times: {TELLING}")
    if not (kind.is_numeric() or kind in (pl.Boolean, pl.String, pl.Categorical, pl.Enum)):
        return Look("ignore", f"values of type {kind} are neither numbers, categories nor booleans")
    if known.n_unique() == 1:
        return Look("ignore", "the same wherever it is known" if gaps else "the same in every row")
    if kind == pl.Boolean:
        return Look("boolean", _gaps(gaps))
    return _number(known, gaps) if kind.is_numeric() else _text(known.cast(pl.String), gaps)


def _number(known: pl.Series, gaps: int) -> Look:
    kind, why = guess_kind(known)
    if kind == "ignore":
        return Look(kind, why)
    whole = known.dtype.is_integer() or bool((known == known.round()).all())
    if whole and _is_clock(known):
        return Look("ignore", f"dates or times written as numbers: {TELLING}")
    if whole and len(known) >= FEW and known.n_unique() == len(known):
        return _unique(known.cast(pl.Int64, strict=False), gaps)
    distinct = known.n_unique()
    if whole and 2 < distinct <= CODES and len(known) >= FEW * distinct:
        return Look(kind, _joined(f"{distinct} different whole numbers: category if they are codes", _gaps(gaps)))
    return Look(kind, _gaps(gaps))


def _unique(known: pl.Series, gaps: int) -> Look:
    """Whole numbers that differ in every row: an identifier has no meaning, a quantity may differ by chance."""
    count = len(known)
    if count >= MANY and bool((known.diff().drop_nulls() == 1).all()):
        return Look("ignore", "goes up by one from row to row")
    span = int(known.max()) - int(known.min())  # type: ignore[arg-type]
    if KEY.search(_snake(known.name)) or (count >= MANY and span < DENSE * count):
        return Look("ignore", "a different whole number in every row, as identifiers are")
    doubt = "a different whole number in every row: is it an identifier? Then say ignore"
    return Look("number", _joined(doubt, _gaps(gaps)), doubt=True) if count >= MANY else Look("number", _gaps(gaps))


def _is_clock(known: pl.Series) -> bool:
    """20260131, or seconds or milliseconds since 1970 in a column that is named after time."""
    if bool(known.is_between(19_000_101, 21_001_231).all()):
        days = known.cast(pl.Int64).cast(pl.String).unique().head(SAMPLE)
        return not days.str.to_date("%Y%m%d", strict=False).null_count()
    named = CLOCK.search(_snake(known.name)) is not None
    return named and any(bool(known.is_between(6e8 * unit, 5e9 * unit).all()) for unit in (1, 1000))


def _text(known: pl.Series, gaps: int) -> Look:
    sample = known.head(100 * SAMPLE).unique(maintain_order=True).head(SAMPLE)
    if _are_dates(sample):
        return Look("ignore", f"dates or times: {TELLING}")
    shape = next((name for name, form in SHAPES.items() if _share(sample.str.contains(form)) >= MOST), "")
    if shape:
        return Look("ignore", f"{shape}, which name a row and do not describe it")
    kind, why = guess_kind(known)
    if kind == "boolean":
        return Look(kind, _gaps(gaps))
    dressed = sample.filter(sample.cast(pl.Float64, strict=False).is_null())
    if len(dressed) and not _numbers(sample).null_count():
        return Look("ignore", f"numbers written as {dressed[0]!r}: written as 1234.5 they can be learned from")
    return _words(known, gaps, why if kind == "category" else "")


def _words(known: pl.Series, gaps: int, doubt: str) -> Look:
    """Texts that are texts: sentences, names or categories."""
    distinct, count = known.n_unique(), len(known)
    rare = count >= FEW and distinct > count / 2
    if rare and float(known.str.strip_chars().str.split(" ").list.len().mean()) >= SENTENCE:  # type: ignore[arg-type]
        return Look("ignore", "free text: model=pretrained reads it as kind text, with every other column on ignore")
    if rare and distinct == count:
        return Look("ignore", "a different text in every row, as names and identifiers are")
    if rare:
        return Look("ignore", f"{distinct} different texts in {count} rows look like names")
    said = doubt.partition("taken for a category: ")[2]
    many = f"{distinct} different values: rare ones teach little" if distinct > MAX_TEXTS else ""
    told = _joined(said or many or f"{distinct} values", _gaps(gaps))
    return Look("category", told, doubt=said.startswith("most"))


def _are_dates(sample: pl.Series) -> bool:
    texts = sample.str.strip_chars()
    days = [texts.str.to_date(form, strict=False) for form in DATES]
    days += [texts.str.to_time(form, strict=False) for form in HOURS]
    if any(not parsed.null_count() for parsed in days):
        return True
    # With a time of day behind it, after a blank or a T.
    first = texts.str.extract(r"^(\S{6,10})[T ]\d{1,2}:\d{2}", 1)
    return any(not first.str.to_date(form, strict=False).null_count() for form in DATES)


def _numbers(sample: pl.Series) -> pl.Series:
    """What texts such as ``$1,200`` or ``12,5`` may mean; null where it is no number."""
    bare = sample.str.replace_all(DRESS, "")
    thousands = bare.str.contains(r"^[-+]?\d{1,3}([.,]\d{3})+([.,]\d+)?$")
    return bare.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).set(thousands, 0.0)


def _share(marks: pl.Series) -> float:
    return float(marks.mean() or 0.0)  # type: ignore[arg-type]


def _snake(name: str) -> str:
    """``customerId`` and ``Customer ID`` as ``customer_id``."""
    return re.sub(r"\W+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name)).lower().strip("_")


def _gaps(count: int) -> str:
    return "" if not count else f"missing in {count} rows" if count > 1 else "missing in one row"


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
