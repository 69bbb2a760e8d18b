"""Who hears of a trial's steps: the study, whose pruner answers; also from a process that the driver does not hear."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from runcard.card.kept import read_settings
from runcard.card.plan import Plan
from runcard.studies import StudyFolder
from runcard.tuning.pruners import make_pruner
from runcard.tuning.storage import Storage, quietly
from runcard.tuning.task import Told


def report(study: optuna.Study, trial_id: int, step: int, value: float) -> bool:
    """Note how a trial stands at a step; whether its study's pruner would end it.

    Not by way of ``optuna.Trial``, which would draw the trial's values again.
    """
    study._storage.set_trial_intermediate_value(trial_id, step, value)
    return bool(study.pruner.prune(study, study._storage.get_trial(trial_id)))


class Address:
    """Where trials that run elsewhere tell of their steps.

    Args:
        plan: The sweep.
        folder: Of the study.
        name: Its name in the storage.
    """

    def __init__(self, plan: Plan, folder: StudyFolder, name: str) -> None:
        self._same = {
            "settings": plan.written_settings,  # with no password in it
            "database": str(folder.database),
            "name": name,
            "max_epochs": longest(plan),
        }

    def of(self, trial_id: int) -> dict[str, Any]:
        """A trial's, by its key in the storage, as JSON values."""
        return self._same | {"trial_id": trial_id}


def listening(study: Mapping[str, Any]) -> Told:
    """Who hears of the steps of a trial that runs elsewhere.

    Args:
        study: As ``Address.of`` gives it.

    Raises:
        RunError: If the storage cannot be reached.
    """
    settings, _ = read_settings(study["settings"])
    storage = Storage(settings.storage or Path(study["database"]))
    with quietly():
        pruner = make_pruner(settings, max_epochs=study["max_epochs"])
        opened = optuna.load_study(study_name=study["name"], storage=storage.optuna, pruner=pruner)

    def told(step: int, value: float) -> bool:
        with quietly():
            return storage.patiently(lambda: report(opened, study["trial_id"], step, value))

    return told


def longest(plan: Plan) -> int:
    """The most epochs that a trial of a plan may have."""
    return max(card.trainer.max_epochs for card in plan.unlike_in("trainer.max_epochs"))
