"""A study in a tracker: in MLflow a parent run with its name, which the runs of its trials lie below.

The first trial makes it, for only trials know for certain where they are tracked. Which it is stands in the study's
``tracker.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcard.files import locked, read_json, write_json
from runcard.studies import StudyFolder
from runcard.training.trackers.stores import COMMIT

# MLflow's own word for the run above; its page of runs draws them as a tree.
PARENT = "mlflow.parentRunId"
STUDY, KIND, WINNER = "runcard.study", "runcard.kind", "runcard.winner"
# What a study's run has of the trial's that is told first.
SHARED = (COMMIT, "mlflow.user", "mlflow.source.name")
LOCK_PATIENCE_S = 60.0


def parent_of(place: Path, client: Any, trial: str, known: Mapping[str, str]) -> str:
    """The study's run in MLflow, made if there is none yet.

    Args:
        place: The study's folder.
        client: MLflow's, of the store in which the trial's run is.
        trial: The trial's run.
        known: The store's ``place``, unless it is a secret.

    Raises:
        RunError: If another process takes a minute for it, or the folder cannot be written.
    """
    folder, mine = StudyFolder(place), client.get_run(trial)
    experiment = mine.info.experiment_id
    with locked(place / ".tracker.lock", f"another process begins the run of {place}", patience_s=LOCK_PATIENCE_S):
        begun: dict[str, Any] = {"kind": "mlflow", **known}
        record = read_json(folder.tracker) if folder.tracker.is_file() else begun
        # Trials may go into several experiments, and MLflow draws no tree across them.
        parents: dict[str, str] = record.get("parents", {})
        if experiment not in parents:
            tags = {name: mine.data.tags[name] for name in SHARED if name in mine.data.tags}
            tags |= {STUDY: place.name, KIND: "study"}
            made = client.create_run(experiment, tags=tags, run_name=place.name)
            parents = {**parents, experiment: made.info.run_id}
            write_json(folder.tracker, {**record, "parents": parents})
    return parents[experiment]
