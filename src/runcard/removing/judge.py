"""What may be removed: a whole run, a whole study, a bundle of the store; and not while anybody needs it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runcard import studies
from runcard.advice import advise
from runcard.errors import BundleError, CardError, RunError
from runcard.owner import not_ours_in
from runcard.packaging import stored
from runcard.removing import uses
from runcard.runs import RunFolder
from runcard.studies import StudyFolder


@dataclass(frozen=True)
class Removal:
    """A thing that may be removed.

    Attributes:
        kind: ``run``, ``study`` or ``bundle``.
        name: The folder, or ``name:version`` of a bundle.
        path: The folder, with no link on the way to it.
        size: Bytes of its files.
        made: When it was begun, in seconds since 1970.
        notes: What else changes with it.
    """

    kind: str
    name: str
    path: Path
    size: int
    made: float
    notes: Sequence[str] = field(default_factory=tuple)


def judge(names: Sequence[str | Path]) -> list[Removal]:
    """Look whether all that is named may be removed; removes nothing.

    Args:
        names: Run folders, study folders, and bundles as ``name:version``.

    Returns:
        Each thing once, in the order of the names.

    Raises:
        RunError: If one of them may not; all reasons are said.
    """
    found, refused = dict[Path, Removal](), list[str]()
    for name in names:
        try:
            one = _judge(str(name))
            found[one.path] = one
        except CardError as error:
            refused.append(str(error))
    if refused:
        listed = refused[0] if len(refused) == 1 else "".join(f"\n  - {reason}" for reason in refused)
        raise RunError(f"nothing is removed: {listed}")
    return list(found.values())


def _judge(name: str) -> Removal:
    place = Path(name).expanduser()
    if os.path.lexists(place) and name:
        return _folder(place)
    if ":" in name and os.sep not in name:
        return _bundle(name)
    raise RunError(f"there is no folder {place.absolute()}. {_others()}")


def _others() -> str:
    listing = advise("runcard", "ls")
    return f"`{listing}` lists runs and studies; a bundle is named in full, as NAME:VERSION."


def _folder(place: Path) -> Removal:
    """A run or study, by its place.

    Raises:
        RunError: If it is none, or must stay.
    """
    path, kind = _found(place)
    _refuse_strangers(path, f"{kind} {path}")
    uses.refuse_work(path, kind)
    notes = uses.notes_on_run(path) if kind == "run" else uses.notes_on_study(path)
    first = RunFolder(path).card if kind == "run" else StudyFolder(path).cards
    return Removal(kind, str(path), path, _size(path), first.stat().st_mtime, notes)


def _found(place: Path) -> tuple[Path, str]:
    """A folder without the links on the way to it, and whether it is a run or a study.

    Links further up, such as of ``runs`` to another disk, are the owner's own order.

    Raises:
        RunError: If it is neither, is a link, or is part of a study.
    """
    path = Path(os.path.realpath(place)) if ".." in place.parts else place.absolute()
    _refuse_link(path)
    real = path.resolve()
    kind = _kind(real)
    if kind == "run":
        _refuse_link(path.parent)
    return real, kind


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise RunError(f"{path} is a link to {path.resolve()}: nothing is removed through links; name that folder")


def _kind(path: Path) -> str:
    if not path.is_dir():
        raise RunError(f"{path} is a file: a run or study is named by its folder. {_others()}")
    if studies.is_study(path.parent):
        command = advise("runcard", "rm", str(path.parent))
        raise RunError(
            f"{path} is part of the study {path.parent}, which would name what is gone. `{command}` removes all of it."
        )
    run, study = RunFolder(path), StudyFolder(path)
    if path.name.startswith("."):
        raise RunError(f"{path} is no run or study but what one leaves while it is made or removed. {_others()}")
    # More than the one file by which they are found elsewhere: a project may hold a card.yaml or a plan.json too.
    if studies.is_study(path) and study.cards.is_dir():
        return "study"
    if run.card.is_file() and run.data.is_file() and run.environment.is_file():
        return "run"
    raise RunError(f"{path} is no run or study: {_lacking(path)}. {_others()}")


def _lacking(path: Path) -> str:
    if stored.is_sealed(path):
        return "it is a bundle"
    if studies.is_study(path):
        return "it holds no folder cards"
    run = RunFolder(path)
    return f"it holds no {next(file.name for file in (run.card, run.data, run.environment) if not file.is_file())}"


def _bundle(tag: str) -> Removal:
    """A bundle in BentoML's store, by its full name.

    Raises:
        BundleError: If there is none, or it must stay.
    """
    path = stored.folder_of(tag)
    if path is None or not path.is_dir():
        listing = advise("bentoml", "models", "list")
        raise BundleError(f"there is no bundle {tag} in {stored.models_dir()}. `{listing}` lists them.")
    _refuse_link(path)
    path = path.resolve()
    if not stored.is_sealed(path):
        raise BundleError(f"{tag} in BentoML's model store is a model of another maker, and no bundle of Runcard")
    _refuse_strangers(path, f"bundle {tag}")
    uses.refuse_service(path, tag)
    return Removal("bundle", tag, path, _size(path), path.stat().st_mtime, uses.notes_on_bundle(tag))


def _refuse_strangers(path: Path, what: str) -> None:
    """Refuse what another user made, what this one cannot remove, and what somebody stands in.

    Raises:
        RunError: If it is such.
    """
    theirs = path if path.lstat().st_uid not in (0, os.geteuid()) else not_ours_in(path)
    if theirs is not None:
        raise RunError(f"the {what} is not yours alone: {theirs} belongs to another user, who can remove it")
    for folder in (path, path.parent):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunError(f"the {what} cannot be removed: no permission to write in {folder}")
    if Path.cwd().is_relative_to(path):
        raise RunError(f"the {what} is the folder that this command runs in: leave it first")


def _size(path: Path) -> int:
    sizes = 0
    for root, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                sizes += os.lstat(os.path.join(root, name)).st_size
    return sizes
