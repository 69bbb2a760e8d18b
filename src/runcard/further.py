"""Going further than a finished run: a new run that begins where the other ended, which stays as it is."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from typing import Any

from runcard import files, runs
from runcard.advice import advise
from runcard.card.check import load_saved, replaced
from runcard.card.schema import Card
from runcard.errors import CardError, Mistake, RunError
from runcard.evaluation.predictor import Run
from runcard.fitting import restored_rows, resume_run, write_beginnings
from runcard.leaves import flatten
from runcard.runs import RunFolder
from runcard.settling import check_devices
from runcard.training.checkpoint import load, save

log = logging.getLogger("runcard")

EPOCHS, STOPPING = "trainer.max_epochs", "trainer.early_stopping."


def go_further(
    parent: RunFolder, overrides: Sequence[str], *, progress: bool = False, places: Sequence[str] = ()
) -> Run:
    """Train a finished run for more epochs, as a new run.

    Its schedule is that of the longer training, so that the learning rate may jump where it goes on; early stopping
    counts anew.

    Args:
        parent: The finished run; it is only read.
        overrides: ``trainer.max_epochs=N``, above the epochs that it has, and keys of early stopping.
        progress: Whether to say on stderr how far it is.
        places: Where its rows are now, if they were moved.

    Returns:
        The finished new run; its ``parent.json`` names the other.

    Raises:
        CardError: If another key is changed, or there are no epochs to be added.
        DataError: If the data is gone or is no longer that of the run.
        RunError: If the run is not finished, or a file of it is damaged.
        TrainingError: If training fails.
    """
    parent = runs.open_run(parent.path)
    newest = load(parent.last)
    card = _further_card(parent, overrides, epochs=newest["state"]["epoch"])
    check_devices(card)
    data = restored_rows(card, parent, places)
    folder = runs.create(card.runs_dir, card.name)
    try:
        if parent.rows.is_file():  # that were at hand: each run stands by itself
            shutil.copyfile(parent.rows, folder.draft.rows)
            card = replaced(card, "data", {"path": str(folder.rows)})
        write_beginnings(folder.draft, card, data)
        files.write_json(folder.draft.parent, _parent(parent, overrides, newest["state"]["epoch"]))
        save(folder.draft.last, newest | {"state": newest["state"] | {"stopped": False, "waited": 0}})
        runs.publish(folder)
    except BaseException:
        shutil.rmtree(folder.draft.path, ignore_errors=True)
        raise
    _say(card, parent, newest, progress)
    return resume_run(folder, progress=progress, data=data)


def line_of_descent(folder: RunFolder) -> list[dict[str, Any]]:
    """What was asked of each run before this one, the oldest first; empty if it began by itself.

    Returns:
        Each with ``card``, that of the run before, and ``overrides``, with which the next one went on from it.

    Raises:
        RunError: If what was kept is damaged.
    """
    if not folder.parent.is_file():
        return []
    found, kept = [], files.read_json(folder.parent)
    while kept:
        if not isinstance(kept.get("card"), dict) or not isinstance(kept.get("overrides"), list):
            raise RunError(f"{folder.parent} is damaged: it must hold card and overrides")
        found.append(kept)
        kept = kept.get("parent") or {}
    return found[::-1]


def _further_card(parent: RunFolder, overrides: Sequence[str], *, epochs: int) -> Card:
    """The card of the longer training.

    Raises:
        CardError: If more of it is changed than that, or it is no longer.
    """
    before, card = load_saved(parent.card), load_saved(parent.card, overrides)
    then, now = flatten(before.saved()), flatten(card.saved())
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    anew = f"`{advise('runcard', 'fit', str(parent.card))}` trains another, with any overrides."
    mistakes = [
        Mistake(key, f"stays as it is where a run goes on; {EPOCHS} can be more", hint=anew)
        for key in changed
        if key != EPOCHS and not key.startswith(STOPPING)
    ]
    if not mistakes and card.trainer.max_epochs <= epochs:
        said = f"must be more than {epochs}, the epochs that the run has, not {card.trainer.max_epochs}"
        mistakes = [Mistake(EPOCHS, said)]
    if mistakes:
        raise CardError(mistakes)
    return card


def _parent(parent: RunFolder, overrides: Sequence[str], epochs: int) -> dict[str, Any]:
    return {
        "run": str(parent.path),
        "epochs": epochs,
        "overrides": list(overrides),
        "checkpoint_sha256": files.sha256([parent.last.read_bytes()]),
        "card": load_saved(parent.card).saved(),
        "parent": files.read_json(parent.parent) if parent.parent.is_file() else None,
    }


def _say(card: Card, parent: RunFolder, newest: dict[str, Any], progress: bool) -> None:
    epochs = newest["state"]["epoch"]
    log.log(
        logging.INFO if progress else logging.DEBUG,
        "going on from %s, which has %d epochs, to %d: the schedule is that of %d epochs from here on",
        parent.path,
        epochs,
        card.trainer.max_epochs,
        card.trainer.max_epochs,
    )
