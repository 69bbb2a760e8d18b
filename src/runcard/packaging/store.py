"""BentoML's model store, where bundles lie: put one in, find the newest. Serving reads it, so it imports no torch."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path

# BentoML reports each use to its makers; a user who wants that says so.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException

from runcard.errors import BundleError
from runcard.packaging.bundle import ABOUT, MANIFEST, open_bundle, seal, verify

# Names the bundle to serve; the service sets it for its workers too, so that one that is started anew serves the same.
BUNDLE = "RUNCARD_BUNDLE"
MAX_NAME = 63  # of a name in BentoML's store


def add(name: str, write: Callable[[Path], None], *, labels: dict[str, str]) -> tuple[str, Path]:
    """Put a bundle into the store, sealed and opened once.

    Args:
        name: The card's name; the store adds a version.
        write: Writes the bundle's files into a folder; if it raises, nothing is stored.
        labels: Shown by ``bentoml models list``.

    Returns:
        The tag, ``name:version``, and the folder.

    Raises:
        BundleError: If the store cannot be written, or what was written cannot be opened.
    """
    try:
        with bentoml.models.create(_stored_name(name), labels={"made_by": "runcard", **labels}) as model:
            folder = Path(model.path_of(""))
            write(folder)
            model.flush()  # type: ignore[no-untyped-call]  # the description has to be there to be sealed; leaving writes the same once more
            seal(folder)
            open_bundle(folder)
    except OSError as error:
        raise BundleError(f"cannot write into BentoML's model store {_folder()}: {error.strerror or error}") from error
    tag = str(model.tag)
    return tag, Path(bentoml.models.get(tag).path)


def find(tag: str | None = None) -> tuple[str, Path]:
    """A bundle in the store.

    Args:
        tag: ``name:version``, or ``name`` for its newest version; None: the newest of all.

    Returns:
        The full tag and the folder.

    Raises:
        BundleError: If there is none, or it is no bundle.
    """
    if tag is None:
        return _newest()
    try:
        model = bentoml.models.get(tag)
    except (BentoMLException, ValueError, OSError) as error:
        raise BundleError(f"there is no bundle {tag}: {error}. `bentoml models list` lists them.") from error
    path = Path(model.path)
    if not (path / MANIFEST).is_file():
        raise BundleError(f"{tag} in BentoML's model store is no bundle: it holds no {MANIFEST}")
    return str(model.tag), path


def _newest() -> tuple[str, Path]:
    # BentoML's own list stops at the first model of whatever maker that has a damaged description.
    bundles = [manifest.parent for manifest in _folder().glob(f"*/*/{MANIFEST}")]
    if not bundles:
        raise BundleError("there is no bundle to serve: make one with `runcard package RUN`")
    path = max(bundles, key=_made_at)
    return f"{path.parent.name}:{path.name}", path


def _made_at(path: Path) -> float:
    """When a bundle was made, in seconds since 1970.

    A damaged one is as old as its manifest: an old one is passed over, while the newest has to be refused, and not an
    older one served in its place.
    """
    try:
        created: str = json.loads(verify(path, ABOUT)[ABOUT])["created"]
        return datetime.datetime.fromisoformat(created).timestamp()
    except (BundleError, ValueError, KeyError, TypeError):
        return (path / MANIFEST).stat().st_mtime


def _folder() -> Path:
    return Path(BentoMLContainer.model_store_dir.get())


def _stored_name(name: str) -> str:
    return name.lower()[:MAX_NAME].strip("._-")
