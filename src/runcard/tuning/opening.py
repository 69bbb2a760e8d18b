"""Which study a sweep is: a new one, or one that was begun before and is gone on with."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna

from runcard import files, studies
from runcard.advice import advise
from runcard.card.metrics import maximizes
from runcard.card.plan import Plan
from runcard.errors import CardError, Mistake, RunError, Stopped
from runcard.studies import StudyFolder
from runcard.tuning.listening import longest
from runcard.tuning.pruners import make_pruner
from runcard.tuning.storage import Storage, quietly
from runcard.tuning.trials import Trials
from runcard.yamltext import dump_yaml

log = logging.getLogger("runcard")

# The study's attribute that holds what it was made for.
MADE_FOR = "runcard"


def _other_name() -> str:
    return f"Choose another sweep.name, or {advise('sweep.if_exists=new')} to begin another study."


@contextlib.contextmanager
def opened(plan: Plan, metrics: Sequence[str]) -> Iterator[tuple[StudyFolder, Trials]]:
    """The study of a sweep, for as long as the context lasts.

    Args:
        plan: What is tried.
        metrics: What decides.

    Raises:
        CardError: If there is a study of this name, and it was made for something else or is not to be gone on with.
        RunError: If folder or storage cannot be had, or another process runs the study.
    """
    folder = _folder(plan)
    there = folder.path.exists()
    if not there:
        studies.create_at(folder)
    with _locked(plan, folder):  # whoever does not get it leaves the folder alone: another has just begun the study
        try:
            _look_at(plan, folder)
            storage = Storage(plan.settings.storage or folder.database)
            try:
                yield folder, Trials(_study(plan, metrics, folder, storage), storage, plan)
            finally:
                storage.close()
        except BaseException as error:
            if not there and not folder.summary.is_file():  # the name is free again
                _take_back(plan, folder)
                if isinstance(error, Stopped) and not folder.path.exists():
                    error.go_on = ""  # there is nothing to go on with
            raise


def _take_back(plan: Plan, folder: StudyFolder) -> None:
    """Remove the folder of a study that did not begin; of one on a server only if nobody has written to it."""
    if plan.settings.storage is None:
        shutil.rmtree(folder.path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        folder.cards.rmdir()
        folder.path.rmdir()


def _folder(plan: Plan) -> StudyFolder:
    """Where the study is, or will be."""
    settings = plan.settings
    parent = Path(settings.studies_dir).expanduser().absolute()
    if settings.name is None:
        found = _unfinished(parent, plan) if settings.if_exists == "resume" else None
        if found is None:
            return StudyFolder(studies.free(parent, f"{plan.name}-"))
        another = advise("sweep.if_exists=new")
        log.info("going on with %s, which is the same sweep; %s begins another", found.path, another)
        return found
    folder = StudyFolder(parent / settings.name)
    if settings.if_exists == "resume" or not (folder.path.exists() or _in_storage(plan, settings.name)):
        return folder
    if settings.if_exists == "refuse":
        raise RunError(f"there is a study {folder.path} already: choose another name with {advise('sweep.name=NAME')}")
    numbered = (f"{settings.name}-{number}" for number in range(2, 10_000))
    return StudyFolder(parent / next(name for name in numbered if not _taken(plan, parent, name)))


def _taken(plan: Plan, parent: Path, name: str) -> bool:
    return (parent / name).exists() or _in_storage(plan, name)


def _in_storage(plan: Plan, name: str) -> bool:
    """Whether a server has a study of this name."""
    if plan.settings.storage is None:
        return False
    storage = Storage(plan.settings.storage)
    try:
        with quietly():
            return name in optuna.get_all_study_names(storage.optuna)
    finally:
        storage.close()


def _unfinished(parent: Path, plan: Plan) -> StudyFolder | None:
    """The newest study without a name of its own that was begun for the same sweep and is not done."""
    for folder in studies.unfinished(parent, f"{plan.name}-"):
        with contextlib.suppress(RunError):
            same = not Plan.from_dict(files.read_json(folder.plan)["plan"]).differences(plan)
            if same and not files.is_locked(folder.lock):
                return folder
    return None


@contextlib.contextmanager
def _locked(plan: Plan, folder: StudyFolder) -> Iterator[None]:
    """Be the one process that runs a study in a file; one on a server has as many as want."""
    if plan.settings.storage is not None:
        yield
        return
    shared = advise("sweep.storage=postgresql://USER@HOST/DATABASE")
    busy = f"another process runs the study {folder.path}; many can share one with {shared}"
    with files.locked(folder.lock, busy):
        yield


def _look_at(plan: Plan, folder: StudyFolder) -> None:
    """Refuse to begin in the place of a study whose file is gone.

    Raises:
        RunError: If it is.
    """
    lost = not folder.database.is_file() or not folder.database.stat().st_size
    if plan.settings.storage is None and folder.plan.is_file() and lost:
        hint = "What is finished is still in study.json and the run folders."
        raise RunError(f"{folder.database} is damaged: it is missing or empty. {hint} {_other_name()}")


def _study(plan: Plan, metrics: Sequence[str], folder: StudyFolder, storage: Storage) -> optuna.Study:
    """The study in the storage, made if it is not there.

    Raises:
        CardError: If it was made for something else.
    """
    name = _name(folder)
    made_for: dict[str, Any] = {"plan": plan.to_dict(), "metrics": list(metrics)}

    def open_study() -> optuna.Study:
        with storage.alone(name):
            # plan.json is written when the study is in the storage.
            if folder.plan.is_file() and name not in optuna.get_all_study_names(storage.optuna):
                lost = f"{storage.name} does not hold the study {name!r} that {folder.plan} tells of"
                raise RunError(f"{lost}: put the right storage in its place. {_other_name()}")
            study = optuna.create_study(
                storage=storage.optuna,
                study_name=name,
                directions=["maximize" if maximizes(metric) else "minimize" for metric in metrics],
                pruner=make_pruner(plan.settings, max_epochs=longest(plan)),
                load_if_exists=True,
            )
            stored = study.user_attrs.get(MADE_FOR)
            if stored is None and not study.get_trials(deepcopy=False):
                study.set_user_attr(MADE_FOR, json.dumps(made_for))
                study.set_metric_names(list(metrics))
                return study
        _refuse_another(stored, made_for, name, storage)
        return study

    with quietly():
        study = storage.patiently(open_study)
    for choices, content in plan.composed():
        files.write_text(folder.cards / f"{choices}.yaml", dump_yaml(content))
    files.write_json(folder.plan, made_for | {"study": name})
    return study


def _name(folder: StudyFolder) -> str:
    """The study's name in its storage, which it keeps when its folder gets another."""
    kept = files.read_json(folder.plan).get("study") if folder.plan.is_file() else None
    return kept if isinstance(kept, str) else folder.path.name


def _refuse_another(stored: str | None, made_for: dict[str, Any], name: str, storage: Storage) -> None:
    """Refuse to go on with what was made for another space or another objective.

    Raises:
        CardError: If it was.
    """
    if stored is None:
        raise CardError(f"sweep.name: {storage.name} holds a study {name!r} that no sweep made. {_other_name()}")
    before = json.loads(stored)
    differences = Plan.from_dict(before["plan"]).differences(Plan.from_dict(made_for["plan"]))
    if before["metrics"] != made_for["metrics"]:
        was, now = (" and ".join(one["metrics"]) for one in (before, made_for))
        differences.append(f"what decides: was {was}, is {now}")
    if differences:
        said = f"the study {name!r} was begun with another space, objective or card"
        raise CardError(
            [Mistake("sweep", said + "".join(f"\n      {line}" for line in differences), hint=_other_name())]
        )
