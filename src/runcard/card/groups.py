"""The groups of a card and where their choices lie. Imports nothing but Python's own: one TAB waits for it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

GROUPS = (
    "problem",
    "data",
    "augment",
    "model",
    "optimizer",
    "scheduler",
    "trainer",
    "logger",
    "serve",
    "sweep",
    "experiment",
    "debug",
)
# What a card can be without: changes to the other groups, and how a sweep goes about it.
OPTIONAL_GROUPS = ("sweep", "experiment", "debug")
# Beside the groups: a JSON Schema for each, which an editor reads.
SCHEMAS = ".schemas"


@functools.cache  # asked for each value of a card that is shown
def shipped_conf() -> Path:
    """The folder of the shipped groups: inside an installed wheel, else beside ``src/``."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def choices_in(places: Sequence[Path]) -> dict[str, list[str]]:
    """The choices of every group in some folders."""
    found = {group: [file for folder in places for file in (folder / group).glob("[!.]*.yaml")] for group in GROUPS}
    return {group: sorted({file.stem for file in files}) for group, files in found.items()}
