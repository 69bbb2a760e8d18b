"""BentoML's model store, where bundles lie: put one in, find the newest. Serving reads it, so it imports no torch."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import yaml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore

from runcard.advice import advise
from runcard.errors import BundleError
from runcard.packaging.bundle import ABOUT, TRANSFORMS, is_bundle, open_bundle
from runcard.packaging.manifest import MANIFEST, SEAL, digest_of, read_small, seal

# Names the bundle to serve; the service sets it for its workers too, so that one that is started anew serves the same.
BUNDLE = "RUNCARD_BUNDLE"
DESCRIPTION = "model.yaml"  # BentoML's own, of every model
MAX_NAME = 63  # of a name in BentoML's store
TAG_PART = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
DIGEST_DIGITS = 16  # the version of a folder that says none


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


def find_any(name: str | None) -> tuple[str, Path]:
    """A bundle in the store, or one whose folder is named.

    A folder is linked into a store of its own, which is this process's and that of those that it starts: BentoML serves
    from a store. A folder that is no bundle, such as a project called like its bundle, hides none.

    Args:
        name: As of ``find``, or a folder.

    Raises:
        BundleError: If there is none, or it is no bundle.
    """
    path = Path(name or "").expanduser()
    if name is None or not (os.sep in name or path.is_dir()):
        return find(name)
    if is_bundle(path):
        return _linked(path.resolve())
    if os.sep in name:
        raise BundleError(f"{path.absolute()} is no bundle: it holds no {MANIFEST}")
    return find(name)


def _linked(path: Path) -> tuple[str, Path]:
    """The tag under which a folder lies in a store of nothing else; gone when this process ends."""
    name, version = _described(path)
    home = Path(tempfile.mkdtemp(prefix="runcard-store-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    place = home / "models" / name / version
    place.parent.mkdir(parents=True)
    place.symlink_to(path, target_is_directory=True)
    os.environ["BENTOML_HOME"] = str(home)
    BentoMLContainer.model_store_dir.set(str(home / "models"))
    BentoMLContainer.model_store.set(ModelStore(home / "models"))
    return f"{name}:{version}", place


def _described(path: Path) -> tuple[str, str]:
    """Name and version, as BentoML's description has them; those of the folder if it has none, or none for a store."""
    said: Any = None
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
        said = yaml.safe_load(read_small(path / DESCRIPTION))
    pair = (said.get("name"), said.get("version")) if isinstance(said, dict) else (None, None)
    if all(isinstance(part, str) and TAG_PART.fullmatch(part) for part in pair):
        return str(pair[0]), str(pair[1])
    return _stored_name(path.name), digest_of(path)[:DIGEST_DIGITS]


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
