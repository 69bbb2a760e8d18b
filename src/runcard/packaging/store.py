"""BentoML's model store, where bundles lie: put one in, find the newest. Serving reads it, so it imports no torch."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import yaml
from bentoml._internal.configuration.containers import BentoMLContainer

from runcard.advice import advise
from runcard.errors import BundleError
from runcard.packaging.bundle import ABOUT, TRANSFORMS, open_bundle
from runcard.packaging.manifest import MANIFEST, SEAL, read_small, seal

# Names the bundle to serve; the service sets it for its workers too, so that one that is started anew serves the same.
BUNDLE = "RUNCARD_BUNDLE"
DESCRIPTION = "model.yaml"  # BentoML's own, of every model
MAX_NAME = 63  # of a name in BentoML's store


def add(
    name: str, write: Callable[[Path, str], None], finish: Callable[[Path, str], None], *, labels: dict[str, str]
) -> tuple[str, Path]:
    """Put a bundle into the store, sealed and opened once.

    Args:
        name: The card's name; the store adds a version.
        write: Writes the files of the bundle of a tag into a folder; if it raises, nothing is stored.
        finish: What has to be done with the sealed folder before it is in the store; likewise.
        labels: Shown by ``bentoml models list``.

    Returns:
        The tag, ``name:version``, and the folder.

    Raises:
        BundleError: If the store cannot be written, or what was written cannot be opened.
    """
    try:
        with bentoml.models.create(_stored_name(name), labels={"made_by": "runcard", **labels}) as model:
            folder, tag = Path(model.path_of("")), str(model.tag)
            write(folder, tag)
            model.flush()  # type: ignore[no-untyped-call]  # the description has to be there to be sealed; leaving writes the same once more
            seal(folder)
            open_bundle(folder)
            finish(folder, tag)
    except OSError as error:
        raise BundleError(f"cannot write into BentoML's model store {_folder()}: {error.strerror or error}") from error
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
    except Exception as error:  # BentoML lets through what its parts stumble over in a damaged description
        raise BundleError(
            f"there is no bundle {tag}: {error}. `{advise('bentoml', 'models', 'list')}` lists them."
        ) from error
    path = Path(model.path)
    if not (path / MANIFEST).is_file():
        raise BundleError(f"{tag} in BentoML's model store is no bundle: it holds no {MANIFEST}")
    return f"{path.parent.name}:{path.name}", path  # where it lies; its description may say another


def _newest() -> tuple[str, Path]:
    # BentoML's own list stops at the first model of whatever maker that has a damaged description. Two files tell a
    # bundle, so that one which lacks either is still seen.
    bundles = {file.parent for name in (SEAL, TRANSFORMS) for file in _folder().glob(f"*/*/{name}")}
    if not bundles:
        raise BundleError(f"there is no bundle to serve: make one with `{advise('runcard', 'package', 'RUN')}`")
    path = max(bundles, key=_made_at)
    return f"{path.parent.name}:{path.name}", path


def _made_at(path: Path) -> float:
    """When a bundle was made, in seconds since 1970: the later one of its two dates; infinite if neither can be read.

    A damaged bundle that may be the newest is to be chosen and refused, and no older one served in its place; one that
    is old is passed over.
    """
    dates = [math.inf]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        dates.append(_seconds(json.loads(read_small(path / ABOUT))["created"]))
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        dates.append(_seconds(yaml.safe_load(read_small(path / DESCRIPTION))["creation_time"]))
    return max(dates[1:] or dates)


def _seconds(date: Any) -> float:
    return datetime.datetime.fromisoformat(str(date)).timestamp()


def _folder() -> Path:
    return Path(BentoMLContainer.model_store_dir.get())


def _stored_name(name: str) -> str:
    return name.lower()[:MAX_NAME].strip("._-")
