"""The end of a study, told to its tracker: which trial won, and that it is over. What fails stops nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcard.errors import RunError
from runcard.files import read_json, write_json
from runcard.runs import RunFolder
from runcard.studies import StudyFolder
from runcard.training.trackers.parents import WINNER
from runcard.training.trackers.patience import patience
from runcard.training.trackers.stores import reached

log = logging.getLogger("runcard")

# wandb's tags are words without a value.
TAG = "winner"
WANDB_TIMEOUT_S = 10


def tell_winner(folder: StudyFolder, summary: Mapping[str, Any]) -> None:
    """Mark the run of the winner, once, and no longer that of who was it before.

    Args:
        folder: The study's.
        summary: What ``study.json`` holds.
    """
    best = summary["best"]
    if best is None:
        return
    try:
        run = RunFolder(Path(best["run"]))
        kind = _read(run.tracker).get("kind")
        known = _read(folder.tracker)
        if kind not in ("mlflow", "wandb") or known.get("winner") == best["number"]:
            return
        before = folder.trial(known["winner"]) if isinstance(known.get("winner"), int) else None
        with patience():
            if kind == "mlflow":
                _tell_mlflow(run, before, known, summary)
            else:
                _tell_wandb(run, before)
        write_json(folder.tracker, {"kind": kind, **known, "winner": best["number"]})
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        log.warning("the tracker could not be told that trial %d has won: %s", best["number"], reason)


def _tell_mlflow(
    run: RunFolder, before: RunFolder | None, known: Mapping[str, Any], summary: Mapping[str, Any]
) -> None:
    best = summary["best"]
    with reached(run) as (client, winner):
        client.set_tag(winner, WINNER, "true")
        if before is not None and before.tracker.is_file():
            client.delete_tag(_read(before.tracker)["id"], WINNER)
        for parent in known.get("parents", {}).values():
            client.set_tag(parent, WINNER, str(best["number"]))
            client.log_metric(parent, summary["metric"], best["value"])
            client.set_terminated(parent, "FINISHED")


def _tell_wandb(run: RunFolder, before: RunFolder | None) -> None:
    place = _read(run.tracker).get("place")
    if not place:
        log.info("wandb is not told which trial has won: its run was kept in %s, where no tag can be added", run.path)
        return
    import wandb

    server = wandb.Api(timeout=WANDB_TIMEOUT_S)
    won = server.run(place)
    won.tags = [*won.tags, TAG]
    won.update()
    if before is not None and (there := _read(before.tracker).get("place")):
        lost = server.run(there)
        lost.tags = [tag for tag in lost.tags if tag != TAG]
        lost.update()


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except RunError:
        return {}
