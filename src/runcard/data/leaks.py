"""Columns that tell the target by themselves: most often they were written down after it, and will not be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from runcard.data.looking.look import Look

# With fewer rows a column may tell the target by chance.
ROWS = 30
# Groups of fewer rows tell little; a column of the most rows in a group is one of the least.
ROWS_A_GROUP = 5
# What may be left of the errors that are made without the column, or of the variance.
LEFT, LEFT_VARIANCE = 0.02, 0.001
RANKS = 0.999


def give_away(frame: pl.DataFrame, looks: Mapping[str, Look], target: str, task: str) -> dict[str, Look]:
    """The looks, with a word on each column that tells the target nearly or wholly.

    Args:
        frame: All rows.
        looks: Column → what it seems to be.
        target: The column to predict.
        task: ``classification`` or ``regression``.
    """
    frame = frame.filter(frame[target].is_not_null()) if frame.height else frame
    tells = _tells_class if task == "classification" else _tells_number
    found = dict(looks)
    for name, look in looks.items():
        if look.kind != "ignore" and frame.height >= ROWS and (how := tells(frame[name], frame[target])):
            said = f"{how}: would it be known beforehand? If not, say ignore"
            found[name] = replace(look, remark=said, doubt=True)
    return found


def _tells_class(column: pl.Series, truth: pl.Series) -> str:
    truth = truth.cast(pl.String)
    without = len(truth) - _most(truth)
    if not without:
        return ""
    if _wrong(column.is_null(), truth) <= LEFT * without:
        return f"whether it is missing tells {truth.name!r}"
    grouped = column.n_unique() <= len(column) / ROWS_A_GROUP
    if (grouped and _wrong(column, truth) <= LEFT * without) or (column.dtype.is_numeric() and _parted(column, truth)):
        return f"it alone tells {truth.name!r}"
    return ""


def _tells_number(column: pl.Series, truth: pl.Series) -> str:
    pairs = pl.DataFrame({"x": column, "y": truth.cast(pl.Float64)}).drop_nulls()
    if pairs.height < ROWS:
        return ""
    told = _ranked_alike(pairs) if column.dtype.is_numeric() else False
    if not told and pairs["x"].n_unique() <= pairs.height / ROWS_A_GROUP:
        inside = pairs.select(((pl.col("y") - pl.col("y").mean().over("x")) ** 2).mean()).item()
        told = inside <= LEFT_VARIANCE * (pairs["y"].var(ddof=0) or 0.0)
    return f"it alone tells {truth.name!r}" if told else ""


def _ranked_alike(pairs: pl.DataFrame) -> bool:
    alike = pairs.select(pl.corr(pl.col("x").rank(), pl.col("y").rank())).item()
    return alike is not None and abs(alike) >= RANKS


def _most(truth: pl.Series) -> int:
    return int(truth.alias("").value_counts(name="count")["count"].max())  # type: ignore[arg-type]


def _wrong(column: pl.Series, truth: pl.Series) -> int:
    """Rows that do not have the most frequent class of those with their value."""
    counts = pl.DataFrame({"x": column, "y": truth}).group_by("x", "y").len()
    return len(truth) - int(counts.group_by("x").agg(pl.col("len").max())["len"].sum())


def _parted(column: pl.Series, truth: pl.Series) -> bool:
    """Whether each class has a range of numbers of its own, without a gap or a row on the wrong side."""
    pairs = pl.DataFrame({"x": column, "y": truth})
    if column.null_count() or pairs.group_by("x").agg(pl.col("y").n_unique())["y"].max() != 1:
        return False
    in_order = pairs.sort("x")["y"]
    return int((in_order != in_order.shift()).sum()) + 1 == truth.n_unique()
