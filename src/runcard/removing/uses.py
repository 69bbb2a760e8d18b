"""Who needs a run, study or bundle: a process that writes it, a service that answers with it, what is made of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runcard import files, runs
from runcard.advice import advise
from runcard.errors import BundleError, RunError
from runcard.packaging import stored
from runcard.packaging.manifest import MOST_BYTES
from runcard.regular import read_regular
from runcard.runs import RunFolder
from runcard.studies import StudyFolder

# Of a study, beside its own: of each trial, and of each run.
LOCKS = (".*lock", "*/.lock")


def refuse_work(folder: Path, what: str) -> None:
    """Look whether a process holds a lock in a run or study.

    Raises:
        RunError: If one does.
    """
    for lock in (path for pattern in LOCKS for path in folder.glob(pattern)):
        if lock.is_file() and files.is_locked(lock):
            raise RunError(f"the {what} {folder} is being written by another process: let it end, or stop it first")


def refuse_service(folder: Path, tag: str) -> None:
    """Look whether a service answers with a bundle, or a Bento needs it.

    Raises:
        BundleError: If one does: a worker that starts anew reads the bundle again, and a Bento only names it.
    """
    from runcard.packaging.bentos import newest_holding

    process = next(_serving(folder), None)
    if process is not None:
        raise BundleError(f"the bundle {tag} is being served by process {process}: stop the service first")
    bento = newest_holding(tag)
    if bento is not None:
        command = advise("bentoml", "delete", bento)
        raise BundleError(f"the bundle {tag} is needed by the Bento {bento}: remove that first, with `{command}`")


def notes_on_bundle(tag: str) -> list[str]:
    """What changes for others if a bundle is removed."""
    from runcard.packaging import store

    notes = []
    if os.environ.get(store.BUNDLE) == tag:
        notes.append(f"the variable {store.BUNDLE} names it here")
    with contextlib.suppress(BundleError):
        if store.find()[0] == tag:
            notes.append("it is the newest bundle, which is served where none is named")
    return notes


def notes_on_run(folder: Path) -> list[str]:
    """What was made of a run and stays, and whether it can do without."""
    return [*_notes_on_bundles(folder), *_notes_on_other_runs(RunFolder(folder))]


def _notes_on_other_runs(run: RunFolder) -> Iterator[str]:
    """Of the runs beside it: which went on from it, and which learned from the rows that it alone keeps."""
    others = [other for other in runs.find(run.path.parents[1]) if other.path != run.path]
    for other in others:
        with contextlib.suppress(RunError):
            if other.parent.is_file() and files.read_json(other.parent).get("run") == str(run.path):
                yield f"the run {other.path} went on from it and stays; it is whole without it"
    if run.rows.is_file():
        yield f"it holds the rows that it was given, {run.rows.name}; no other file may hold them"
        for other in others:
            with contextlib.suppress(OSError):
                if os.fsencode(run.rows) in read_regular(other.card, MOST_BYTES):
                    yield f"the run {other.path} learned from these rows; it stays, and cannot be resumed or packaged"


def _notes_on_bundles(folder: Path) -> list[str]:
    """The bundles that were made of a run, or of one of a study's, and stay."""
    return [f"the bundle {tag} was made of it and stays; it cannot be packaged again" for tag in stored.made_of(folder)]


def notes_on_study(folder: Path) -> list[str]:
    """As of a run; and where a server holds its trials, which stay there."""
    notes = _notes_on_bundles(folder)
    with contextlib.suppress(RunError, KeyError, TypeError, AttributeError):
        content = files.read_json(StudyFolder(folder).plan)
        if content["plan"]["settings"].get("storage") is not None:
            name = content.get("study", folder.name)
            notes.append(
                f"sweep.storage keeps its trials, as the study {name}; Optuna's delete-study removes them there"
            )
    return notes


def lock_of(kind: str, folder: Path) -> Path | None:
    """The lock of those who write; None: a bundle is never written again."""
    return {"run": RunFolder(folder).lock, "study": StudyFolder(folder).lock}.get(kind)


def _serving(folder: Path) -> Iterator[int]:
    """The processes of BentoML, of those that this user may look at, whose bundle lies in a folder; Linux tells."""
    from runcard.packaging.store import BUNDLE

    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, RuntimeError):
            variables = _variables(place / "environ")
            served = stored.folder_of(variables.get(BUNDLE, ""), variables)
            if served is not None and served.resolve() == folder and b"bentoml" in (place / "cmdline").read_bytes():
                yield int(place.name)


def _variables(environ: Path) -> Mapping[str, str]:
    parts = environ.read_bytes().decode(errors="surrogateescape").split("\0")
    return {name: value for name, _, value in (part.partition("=") for part in parts)}
