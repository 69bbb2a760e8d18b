"""Rows of the shop's own: one a visit, made of its clicks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

PROJECT = Path(__file__).parents[1]
PAGES = ("home", "search", "product", "reviews", "basket")


class Sessions:
    """Visits to the shop, with what was seen in each and whether something was bought.

    The arguments are keys of the section ``data``, checked against these annotations.

    Args:
        path: A CSV file of clicks; relative to this project's folder, so that a run can be resumed from anywhere.
        days: Visits of the last days, counted from the newest click.
    """

    def __init__(self, path: str, days: Annotated[int, Field(gt=0)] = 60) -> None:
        self.path = PROJECT / path
        self.days = days

    def columns(self) -> list[str]:
        """The names of the columns that ``read`` gives, for ``runcard check``; reads nothing."""
        return ["seconds", *PAGES, "last", "bought"]

    def read(self) -> pl.DataFrame:
        """All rows, the target among their columns."""
        clicks = pl.read_csv(self.path)
        clicks = clicks.filter(pl.col("day") > pl.col("day").max() - self.days).sort("session", "second")
        seen = [(pl.col("page") == page).sum().alias(page) for page in PAGES]
        visits = clicks.group_by("session", maintain_order=True).agg(
            pl.col("second").max().alias("seconds"),
            *seen,
            pl.col("page").last().alias("last"),
            pl.col("bought").first(),
        )
        return visits.select(self.columns())
