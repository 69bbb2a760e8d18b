"""Which bundles lie in BentoML's model store, as its folders say: without BentoML, which is slow to import."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from runcard.packaging.manifest import MANIFEST, SEAL, read_small

ABOUT = "bundle.json"  # as in ``bundle.py``, which imports NumPy
# A bundle by its full name; no part of it leads to another folder.
TAG = re.compile(r"([a-z0-9][a-z0-9._-]*):([a-z0-9][a-z0-9._-]*)")


def models_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Where BentoML keeps models.

    Args:
        environment: Variables of the process that asks.
    """
    home = environment.get("BENTOML_HOME", "~/bentoml")
    return Path(os.path.expandvars(os.path.expanduser(home))) / "models"


def folder_of(tag: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where a bundle of this name would lie; None: it is no full name.

    Args:
        tag: ``name:version``.
        environment: As of ``models_dir``.
    """
    parts = TAG.fullmatch(tag)
    return None if parts is None else models_dir(environment) / parts[1] / parts[2]


def is_sealed(folder: Path) -> bool:
    """Whether a folder is a bundle, which may be damaged."""
    return (folder / MANIFEST).is_file() or (folder / SEAL).is_file()


def bundles() -> list[str]:
    """The full names of all bundles in the store, newest first."""
    found = dict[str, float]()
    for folder in models_dir().glob("[!.]*/[!.]*"):
        with contextlib.suppress(OSError):
            if is_sealed(folder):
                found[f"{folder.parent.name}:{folder.name}"] = folder.stat().st_mtime
    return sorted(found, key=lambda tag: found[tag], reverse=True)


def made_of(folder: Path) -> Iterator[str]:
    """The full names of the bundles that were made of a run, or of one in a folder."""
    for tag in bundles():
        place = folder_of(tag)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError, RuntimeError):
            assert place is not None
            run = Path(json.loads(read_small(place / ABOUT))["run"])
            if run.is_relative_to(folder) or run.resolve().is_relative_to(folder):
                yield tag
