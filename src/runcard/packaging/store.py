"""BentoML's model store, where bundles lie: put one in, find the newest. Serving reads it, so it imports no torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# BentoML reports each use to its makers; a user who wants that says so.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from bentoml.exceptions import BentoMLException

from runcard.errors import BundleError
from runcard.packaging.bundle import MANIFEST, seal, verify

# Names the bundle to serve; the service sets it for its workers too, so that one that is started anew serves the same.
BUNDLE = "RUNCARD_BUNDLE"
# BentoML's own description of a stored model, which tells its age.
DESCRIPTION = "model.yaml"
MAX_NAME = 63  # of a name in BentoML's store


def add(name: str, write: Callable[[Path], None], *, labels: dict[str, str]) -> tuple[str, Path]:
    """Put a bundle into the store, sealed.

    Args:
        name: The card's name; the store adds a version.
        write: Writes the bundle's files into a folder; if it raises, nothing is stored.
        labels: Shown by ``bentoml models list``.

    Returns:
        The tag, ``name:version``, and the folder.
    """
    with bentoml.models.create(_stored_name(name), labels={"made_by": "runcard", **labels}) as model:
        folder = Path(model.path_of(""))
        write(folder)
        model.flush()  # type: ignore[no-untyped-call]  # the description has to be there to be sealed; leaving writes the same once more
        seal(folder)
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
    except (BentoMLException, ValueError) as error:
        raise BundleError(f"there is no bundle {tag}: {error}. `bentoml models list` lists them.") from error
    path = Path(model.path)
    if not (path / MANIFEST).is_file():
        raise BundleError(f"{tag} in BentoML's model store is no bundle: it holds no {MANIFEST}")
    return str(model.tag), path


def _newest() -> tuple[str, Path]:
    try:
        models = [model for model in bentoml.models.list() if (Path(model.path) / MANIFEST).is_file()]
    except Exception as error:  # whatever a damaged description makes BentoML stumble over
        raise BundleError(f"BentoML's model store cannot be read: {error}; a {DESCRIPTION} in it is damaged") from error
    if not models:
        raise BundleError("there is no bundle to serve: make one with `runcard package RUN`")
    for model in models:
        verify(Path(model.path), DESCRIPTION)  # a changed date would have an old bundle served
    model = max(models, key=lambda model: model.creation_time)
    return str(model.tag), Path(model.path)


def _stored_name(name: str) -> str:
    return name.lower()[:MAX_NAME].strip("._-")
