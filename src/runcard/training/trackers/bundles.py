"""A bundle, kept by the tracker of the run that it was made of; what fails makes no bundle undone."""

from __future__ import annotations

import logging
from pathlib import Path

from runcard.card.schema import Card
from runcard.card.sections.loggers import MlflowLogger
from runcard.runs import RunFolder
from runcard.training.trackers.patience import patience
from runcard.training.trackers.stores import reached

log = logging.getLogger("runcard")


def attach_bundle(card: Card, run: RunFolder, tag: str, path: Path) -> None:
    """Have MLflow keep a bundle below ``bundle/VERSION`` of the run, if the card chooses it.

    Args:
        card: The run's.
        run: Its folder.
        tag: The bundle's ``name:version``.
        path: Its folder.
    """
    if not isinstance(card.logger, MlflowLogger) or "bundle" not in card.logger.artifacts:
        return
    try:
        with patience(), reached(run) as (client, known):
            client.log_artifacts(known, str(path), f"bundle/{tag.rpartition(':')[2]}")
        log.info("mlflow keeps the bundle too, as logger.artifacts says")
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        log.warning("mlflow could not take the bundle %s: %s. It is in the store all the same", tag, reason)
