"""Card and rows → a finished run: settle what was left open, train, evaluate, and keep what happened."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from runcard import environment, files, runs
from runcard.advice import advise
from runcard.card.check import load_saved, replaced
from runcard.card.moved import advise_place, with_places
from runcard.card.schema import Card
from runcard.card.sections.data import TableData
from runcard.data.dataset import Dataset, restore
from runcard.data.split import labels_to_parquet
from runcard.errors import DataError, Pruned, RunError, Stopped
from runcard.evaluation.evaluate import evaluate, warn_of_test_rows
from runcard.evaluation.predictor import Run, open_trained
from runcard.hiding import Hiding, hidden
from runcard.runs import RunFolder
from runcard.settling import check_devices, found, settle
from runcard.training.checkpoint import load, load_last
from runcard.training.fit import train
from runcard.training.loggers import Guarded, told
from runcard.training.pruning import Report, note_pruned
from runcard.training.ranks import Rank, children, outside_rank, ready, share
from runcard.yamltext import dump_yaml

log = logging.getLogger("runcard")

# What bits depend on; a commit or a package that only serves does not change them.
MATTERS: tuple[str, ...] = ("python", "processor", "instructions", "gpu", "cuda", "cudnn")
MATTERS += ("packages.torch", "packages.numpy", "packages.pytorch-lightning", "packages.runcard")

UNKNOWN = "not recorded"  # by the versions of Runcard before it was known to matter


def fit_card(
    card: Card,
    data: Dataset,
    make_folder: Callable[[str], RunFolder],
    *,
    progress: bool = False,
    report: Report | None = None,
) -> Run:
    """Train and evaluate.

    Args:
        card: The card.
        data: Its rows.
        make_folder: Called with the card's name when all is known to fit; begins a run.
        progress: Whether to say on stderr how far it is.
        report: Who is told of each epoch and may end training there.

    Returns:
        The finished run.

    Raises:
        CardError: If the card does not fit the data or the machine.
        Pruned: If ``report`` ended training; the run is unfinished and can be gone on with.
        RunError: If the run folder cannot be written.
        TrainingError: If training fails.
    """
    _follow_if_not_first(card)
    asked, card = card, settle(card, data)
    folder = make_folder(card.name)
    try:
        write_beginnings(folder.draft, card, data)
        runs.publish(folder)
    except BaseException:
        shutil.rmtree(folder.draft.path, ignore_errors=True)
        raise
    with opened(folder):
        said = log.info if progress else log.debug
        sizes = [len(data.indices(part)) for part in ("train", "validation", "test")]
        said("run %s: %d rows to learn from, %d to choose the epoch, %d to test", folder.path, *sizes)
        for what in found(asked, card):
            said("%s", what)
        for note in data.rows.notes:
            (log.warning if progress else log.debug)("%s", note)
        return _go_on(card, data, folder, None, progress, report)


def resume_run(
    folder: RunFolder,
    *,
    progress: bool = False,
    report: Report | None = None,
    data: Dataset | None = None,
    places: Sequence[str] = (),
) -> Run:
    """Go on with a run that was stopped, to the same end as if it had not been; a finished one is left as it is.

    Args:
        folder: The run's.
        progress: Whether to say on stderr how far it is.
        report: Who is told of each epoch that is left, and may end training there.
        data: The run's rows, if they are at hand.
        places: Where they are now, if they were moved, such as ``data.path=rows.csv``.

    Returns:
        The finished run.

    Raises:
        CardError: If a place is not one of this run's.
        Pruned: If ``report`` ended training.
        DataError: If the data is gone or is no longer that of the run.
        RunError: If a file of the run is damaged, or another process writes it.
        TrainingError: If training fails.
    """
    if folder.finished:
        run = open_trained(folder)
        with_places(run.card, places, folder.path)  # refuses what a finished run would ignore
        return run
    card = load_saved(folder.card)
    check_devices(card)
    _follow_if_not_first(card)
    with opened(folder):
        here = environment.describe() | graphics(card.trainer.accelerator)
        for name, (then, now) in moved(files.read_json(folder.environment), here).items():
            level = logging.DEBUG if then == UNKNOWN else logging.WARNING
            log.log(level, "%s was %s and is %s: the bits may be others from here on", name, then, now)
        if data is None or json.loads(json.dumps(data.to_dict())) != files.read_json(folder.data):
            data = restored_rows(card, folder, places)
        newest = load_last(folder)
        where = "its beginning" if newest is None else f"epoch {newest['epoch']}, step {newest['stepper']['step']}"
        log.log(logging.INFO if progress else logging.DEBUG, "run %s: going on from %s", folder.path, where)
        if folder.card_changed:
            log.warning("%s was changed since the run began: from here on the run trains as it says", folder.card)
        return _go_on(card, data, folder, newest, progress, report)


def restored_rows(card: Card, folder: RunFolder, places: Sequence[str] = ()) -> Dataset:
    """The rows of a run, with its split and its transforms.

    Args:
        card: The run's.
        folder: The run's.
        places: Where the rows are now, if they were moved.

    Raises:
        CardError: If a place is not one of this run's.
        DataError: If the rows are gone or are no longer those of the run.
        RunError: If what was stored is damaged.
    """
    card = with_own_rows(with_places(card, places, folder.path), folder)
    try:
        return restore(card, files.read_json(folder.data), folder.split)
    except DataError as error:
        if way := advise_place(card):
            raise DataError(f"{error}{way}") from error
        raise


def with_own_rows(card: Card, folder: RunFolder) -> Card:
    """The card of a run that keeps its rows itself, with the file where it is now, wherever the run was moved."""
    moved_away = isinstance(card.data, TableData) and not os.path.exists(card.data.path)
    return replaced(card, "data", {"path": str(folder.rows)}) if moved_away and folder.rows.is_file() else card


def ask_again(folder: RunFolder, report: Report) -> None:
    """Ask once more about the last epoch of an unfinished run: whoever asked before may have died with the answer.

    Raises:
        Pruned: If it is not to be gone on with.
    """
    if folder.pruned.is_file():
        raise Pruned(int(files.read_json(folder.pruned).get("epochs", 0)))
    newest = load_last(folder)
    history = newest["state"]["history"] if newest is not None and not newest["state"]["stopped"] else []
    if history and report(int(history[-1]["epoch"]), history[-1]):
        note_pruned(folder, len(history))
        raise Pruned(len(history))


def _follow_if_not_first(card: Card) -> None:
    """Where torchrun or SLURM started several processes, all but the first train and write nothing."""
    outside = _outside(card)
    if outside is not None and not outside.first:
        follow(RunFolder(share(None, outside)), outside)
        raise SystemExit(0)  # the first process says what came of it


def _outside(card: Card) -> Rank | None:
    """This process among those that torchrun or SLURM started for the card; None: nobody did."""
    return outside_rank(card.trainer.devices) if card.trainer.strategy != "single" else None


def follow(folder: RunFolder, rank: Rank) -> None:
    """Train as one of the processes that share each minibatch of a run, and write nothing.

    Args:
        folder: Which the first process has begun.
        rank: Which process this is; not the first.
    """
    card = load_saved(folder.card)
    data = restore(card, files.read_json(folder.data), folder.split)
    newest = next((load(path) for path in (folder.last, folder.last_before) if path.exists()), None)
    ready()
    train(card, data, folder, resumed=newest, rank=rank)


def _go_on(
    card: Card,
    data: Dataset,
    folder: RunFolder,
    resumed: dict[str, Any] | None,
    progress: bool,
    report: Report | None,
) -> Run:
    history = resumed["state"]["history"] if resumed is not None else []
    with told(card, folder, history) as loggers:
        with _others(card, folder, resumed) as rank:
            training = train(
                card, data, folder, resumed=resumed, progress=progress, rank=rank, loggers=loggers, report=report
            )
        folder.pruned.unlink(missing_ok=True)
        run = open_trained(folder)
        metrics = evaluate(run, data, training, report=card.report)
        if progress:
            warn_of_test_rows(run, data)
        for logger in loggers:
            logger.log_metrics({name: value for name, value in metrics.items() if not name.startswith("val/")})
            if isinstance(logger, Guarded):
                logger.attach()
    log.debug("finished: %s", json.dumps(metrics))
    return run


@contextlib.contextmanager
def _others(card: Card, folder: RunFolder, resumed: dict[str, Any] | None) -> Iterator[Rank]:
    """The processes that share each minibatch with this one, if the card wants any."""
    over = resumed is not None and resumed["state"]["stopped"]
    outside = _outside(card)
    if outside is not None:
        share(folder.path, outside)
        yield outside
    elif card.trainer.strategy == "single" or over:
        yield Rank()
    else:
        with children(folder.path, card.trainer.devices) as rank:
            yield rank


def graphics(accelerator: str) -> dict[str, Any]:
    """The GPU and its libraries, for what is trained on one."""
    if accelerator != "gpu":
        return {}
    return {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}


def moved(then: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What bits depend on and is not as it was, of two descriptions of machines."""
    found = {}
    for key in MATTERS:
        group, _, name = key.rpartition(".")
        was, is_now = ((content.get(group, {}) if group else content).get(name) for content in (then, now))
        if was != is_now:
            found[name] = (UNKNOWN if name == "instructions" and was is None else was, is_now)
    return found


def write_beginnings(folder: RunFolder, card: Card, data: Dataset) -> None:
    """Write all that is known before training."""
    text = dump_yaml(card.saved())
    files.write_text(folder.card, text)
    files.write_json(folder.origin, card.origins)
    described = environment.describe() | graphics(card.trainer.accelerator) | {"threads": card.trainer.threads}
    if described["uncommitted_diff"]:
        described["uncommitted_diff"] = hidden(described["uncommitted_diff"])
    described[runs.CARD_DIGEST] = files.sha256([text.encode()])
    files.write_json(folder.environment, described)
    files.write_json(folder.data, data.to_dict())
    files.write_bytes(folder.split, labels_to_parquet(data.split))


@contextlib.contextmanager
def opened(folder: RunFolder) -> Iterator[None]:
    """Write a run as the one process that does, with a log, and say how to go on if a signal ends it.

    Raises:
        RunError: If another process writes it, or the folder cannot be written.
    """
    with files.locked(folder.lock, f"another process is writing the run {folder.path}"), logged(folder):
        try:
            yield
        except Stopped as stopped:
            stopped.go_on = advise("runcard", "resume", str(folder.path))
            raise


@contextlib.contextmanager
def logged(folder: RunFolder) -> Iterator[None]:
    """Keep what is logged, and how it ended, in the run's ``run.log``."""
    try:
        handler = _LogFile(folder.log, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {folder.log}: {error.strerror or error}") from error
    handler.setFormatter(Hiding("%(asctime)s %(levelname)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    except Pruned as pruned:
        log.debug("%s", pruned)
        raise
    except BaseException as error:
        # At this level the traceback reaches the file and not the terminal, where one line says what to do.
        log.debug("ended early: %s", error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        with contextlib.suppress(OSError):  # a full disk
            handler.close()


class _LogFile(logging.FileHandler):
    """On a full disk the log ends early; what is written for keeps says so, and in one line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        pass
