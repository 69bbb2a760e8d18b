"""The line from Python, for notebooks and scripts: ``load_card fit sweep evaluate load_run package``.

    card = runcard.load_card(["data=wine", "model=linear"])
    run = runcard.fit(card)
    print(run.metrics["test/accuracy"], run.predict("bottles.csv"))

Imports nothing heavy before it is called, for ``runcard check`` passes through here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcard import runs, studies
from runcard.card import check as judge
from runcard.card.origins import place_of
from runcard.card.schema import Card
from runcard.card.sections.data import Shipped, TableData
from runcard.card.sections.parts import AbsentValue
from runcard.data.sources import source_of
from runcard.errors import CardError, DataError, Mistake

if TYPE_CHECKING:
    from runcard.card.plan import Plan
    from runcard.card.sections.serve import Examples
    from runcard.data.dataset import Dataset
    from runcard.evaluation.otherrows import FileScores
    from runcard.evaluation.predictor import Run
    from runcard.packaging.package import Packaged
    from runcard.tuning.sweep import Study
    from runcard.verifying import Verdict

log = logging.getLogger("runcard")


def load_card(overrides: str | Sequence[str] = (), config_dir: str | Path | None = None) -> Card:
    """Compose a card and check every key and value of it; reads no data.

    Args:
        overrides: ``group=choice`` and ``key=value``, a list of them or one text as it is typed in a shell; the first
            may be a saved ``card.yaml``.
        config_dir: A folder with groups of your own.

    Raises:
        CardError: If anything is wrong; its ``mistakes`` name each with its place.
    """
    return judge.load(_words(overrides), config_dir)


def _words(overrides: str | Sequence[str]) -> Sequence[str]:
    """The words of a line.

    Raises:
        CardError: If a quote in it is not closed.
    """
    if not isinstance(overrides, str):
        return overrides
    try:
        return shlex.split(overrides)
    except ValueError as error:
        raise CardError(f"{overrides!r} is no line that a shell would take: {str(error).lower()}") from None


def load_checked(
    overrides: Sequence[str] = (), config_dir: str | Path | None = None, *, many: bool = False
) -> Card | Plan:
    """``load_card`` and ``check``, or ``load_sweep`` if a file that is chosen asks for a sweep: what the command does.

    Of a card with mistakes, the columns that it names are looked at too.

    Args:
        overrides: As for ``load_card`` or ``load_sweep``.
        config_dir: A folder with groups of your own.
        many: Whether a sweep is asked for in any case.

    Raises:
        CardError: If anything is wrong; its ``mistakes`` name each with its place.
        DataError: If the file is missing or unreadable, and nothing else is wrong.
    """
    from runcard.card.sweep import load_card_or_sweep

    found = load_card_or_sweep(overrides, config_dir, many=many, outside=_outside)
    if not isinstance(found, Card):
        return found
    try:
        check(found)
    except DataError as error:
        place = place_of(found.origins, _rows_key(found))
        raise DataError(f"{error}  ({place})" if place else str(error)) from error
    return found


def _rows_key(card: Card) -> str:
    return "data.path" if isinstance(card.data, TableData) else "data"


def _outside(card: Card) -> list[Mistake]:
    """What is wrong with what the card, or its valid part, names outside itself."""
    with contextlib.suppress(AbsentValue):
        if not isinstance(card.data, Shipped):
            return []  # of the user's own code, nothing runs for a card that is wrong
        try:
            check(card)
        except CardError as error:
            return error.mistakes
        except DataError as error:
            return [Mistake(_rows_key(card), str(error), place_of(card.origins, _rows_key(card)))]
    return []


def check(card: Card) -> None:
    """Compare a card with what it names outside itself: of a table or an array, the header alone is read.

    Raises:
        CardError: If it names a column that is not there.
        DataError: If the file is missing or unreadable.
    """
    try:
        source_of(card).check_columns(card.problem.target)
    except CardError as error:
        placed = [replace(one, where=one.where or place_of(card.origins, one.key)) for one in error.mistakes]
        raise CardError(placed) if placed else error from None


def check_sweep(plan: Plan) -> list[str] | None:
    """As ``check``, for every card of a sweep that can be foreseen; and that its trials can be compared.

    Returns:
        What decides, such as ``["val/accuracy"]``; None if that follows from the data, which is not read.

    Raises:
        CardError: If one names a column that is not there, or the trials do not share what decides.
        DataError: If a file is missing or unreadable.
    """
    from runcard.tuning.objective import objectives

    for card in plan.unlike_in("data", "problem"):
        check(card)
    return objectives(plan, lambda card: card.problem.task)


def load_sweep(overrides: str | Sequence[str], config_dir: str | Path | None = None) -> Plan:
    """Compose a sweep and check every card of it that can be foreseen; reads no data.

    Args:
        overrides: As for ``load_card``; those that name many values, such as ``seed=1,2,3``, are the space.
        config_dir: A folder with groups of your own.

    Raises:
        CardError: If anything is wrong; its ``mistakes`` name each with its place.
    """
    from runcard.card.sweep import load_sweep as load

    return load(_words(overrides), config_dir)


def fit(card: Card | str | Sequence[str], *, data: Any = None, progress: bool = False) -> Run:
    """Train the card's model and evaluate it.

    Args:
        card: From ``load_card``, or what it takes.
        data: Rows at hand, to be learned from and kept in the run: a table of polars, pandas or Arrow, columns by name,
            or rows as mappings. The card is then said in words, ``problem.target=NAME`` among them.
        progress: Whether to show on stderr how far it is.

    Returns:
        The finished run; ``run.path`` is its folder, ``run.metrics`` its numbers.

    Raises:
        CardError: If the card does not fit the data or the machine.
        DataError: If the rows cannot be learned from.
        RunError: If the run folder cannot be written.
        TrainingError: If training fails.
    """
    # Imported here: `runcard check` passes through this file and must not wait for torch.
    from runcard.data.dataset import load_dataset
    from runcard.fitting import fit_card

    if data is not None:
        from runcard.rowsathand import fit_rows

        if isinstance(card, Card):
            raise CardError("a card is composed for its rows: with rows at hand, say it in words")
        return fit_rows(_words(card), data, progress=progress)
    card = card if isinstance(card, Card) else load_card(card)
    return fit_card(card, load_dataset(card), lambda name: runs.create(card.runs_dir, name), progress=progress)


def resume(
    path: str | Path, *, progress: bool = False, places: Sequence[str] = (), overrides: Sequence[str] = ()
) -> Run:
    """Go on with a run that was stopped, to the same bits as if it had not been; a finished one is left as it is.

    With overrides a finished run is gone on from by a new one, whose ``parent.json`` names it.

    Args:
        path: The run folder; nothing else is needed.
        progress: Whether to show on stderr how far it is.
        places: Where its rows are now, if they were moved, such as ``data.path=rows.csv``.
        overrides: How much further a finished run goes: ``trainer.max_epochs=60``, and keys of early stopping.

    Raises:
        CardError: If a place is not one of this run's.
        DataError: If the data is gone or is no longer that of the run.
        RunError: If there is no such run, a file of it is damaged, or another process writes it.
        TrainingError: If training fails.
    """
    from runcard.fitting import resume_run

    if overrides:
        from runcard.further import go_further

        return go_further(runs.open_any(path), overrides, progress=progress, places=places)
    return resume_run(runs.open_any(path), progress=progress, places=places)


def verify(path: str | Path, *, tolerance: float = 0.05) -> Verdict:
    """Run a finished run again from its own card in a fresh process, and compare the two bit for bit.

    Args:
        path: The run folder; it is only read.
        tolerance: Relative difference of losses and scores that is let pass where versions or processor are not those
            of the run, 0 to below 1; there, other bits are no surprise.

    Raises:
        DataError: If the data is gone or is no longer that of the run.
        RunError: If there is no such run, it is unfinished, or a file of it is damaged.
    """
    from runcard.verifying import verify_run

    return verify_run(runs.open_run(path), tolerance)


def sweep(plan: Plan | str | Sequence[str]) -> Study:
    """Try many cards and name the best.

    Args:
        plan: From ``load_sweep``, or what it takes.

    Returns:
        The study; ``study.best`` is the winner.

    Raises:
        CardError: If the trials cannot be compared; nothing was tried.
        DataError: If the rows cannot be learned from; nothing was tried.
        RunError: If the study folder cannot be made or written.
        TrainingError: If not one trial was finished.
    """
    from runcard.tuning.sweep import run_sweep

    return run_sweep(load_sweep(plan) if isinstance(plan, str | Sequence) else plan)


def resume_sweep(path: str | Path) -> Study:
    """Go on with a study that was stopped, to the same total; one that is over is left as it is.

    Args:
        path: The study folder; nothing else is needed.

    Raises:
        DataError: If the rows cannot be learned from.
        RunError: If there is no such study, a file of it is damaged, or another process runs it.
        TrainingError: If not one trial was finished, or too many failed.
    """
    from runcard.tuning.sweep import resume_sweep as resume_study

    return resume_study(path)


def load_run(path: str | Path) -> Run:
    """Load a finished run, to look at it or to predict with it.

    Args:
        path: The run folder.

    Raises:
        RunError: If there is none, it is unfinished, or a file of it is damaged.
    """
    from runcard.evaluation.predictor import open_trained

    return open_trained(runs.open_run(path))


def evaluate(path: str | Path, places: Sequence[str] = ()) -> Run:
    """Score a finished run again from its stored weights, fit the baselines, and write its report.

    Args:
        path: The run folder.
        places: Where its rows are now, if they were moved, such as ``data.path=rows.csv``.

    Raises:
        CardError: If a place is not one of this run's.
        DataError: If the data is gone or is no longer that of the run.
        RunError: If there is no such run, or a file of it is damaged.
    """
    from runcard.evaluation.evaluate import evaluate as evaluate_run
    from runcard.evaluation.evaluate import warn_of_test_rows
    from runcard.fitting import opened

    run = load_run(path)
    data = _restored(run, places)
    training = {name: value for name, value in run.metrics.items() if not name.startswith(("test/", "baseline/"))}
    with opened(run.folder):
        metrics = evaluate_run(run, data, training, report=True)
        log.debug("evaluated again: %s", json.dumps(metrics))
        warn_of_test_rows(run, data)
    return run


def evaluate_rows(path: str | Path, rows: str | Path) -> FileScores:
    """Score a finished run on a file of other rows, which hold the truth too; the run stays as it is.

    Args:
        path: The run folder.
        rows: The file: CSV, TSV, Parquet or JSON.

    Returns:
        The metrics of these rows, how many were scored and left out for lack of a truth, and what is unusual of them.

    Raises:
        DataError: If the file has not the model's columns and its target, or holds values of another kind.
        RunError: If there is no such run, or a file of it is damaged.
    """
    from runcard.evaluation.otherrows import score_file

    return score_file(load_run(path), rows)


def package(
    path: str | Path,
    *,
    http: bool = True,
    sign: str | Path | None = None,
    places: Sequence[str] = (),
    accept: bool = False,
    examples: Examples | None = None,
) -> Packaged:
    """Put a run, or the winner of a study, into BentoML's model store as a bundle.

    It answers without torch, unless ONNX cannot express its network.

    Args:
        path: The run folder, or the study folder.
        http: Whether to start the service with it on a free port of this machine and compare what it answers too;
            without, where no port can be opened.
        sign: A PEM file with the elliptic-curve key to sign it with; None: it is not signed.
        places: Where the rows are now, if they were moved, such as ``data.path=rows.csv``.
        accept: Whether a model is packaged whose score on the test rows is worse than ``problem.least_value``.
        examples: Whether strangers are shown made rows or real ones of the data; None: as ``serve.examples`` says.

    Returns:
        The bundle's tag and folder.

    Raises:
        BundleError: If the service does not start, or the store cannot be written.
        CardError: If the key cannot be read; nothing was done.
        DataError: If the data is gone or is no longer that of the run.
        ParityError: If the bundle would not answer as the run did.
        RunError: If there is no such run or study, or a file of it is damaged.
        ScoreError: If the model is not as good as its card asks, and that is not accepted; nothing was made.
    """
    from runcard.packaging.acceptance import accept_run
    from runcard.packaging.package import package as package_run
    from runcard.training.trackers.bundles import attach_bundle

    signer = None
    if sign is not None:
        from runcard.packaging.signing import Signer

        signer = Signer(sign)
    run = load_run(studies.winner(path).path if studies.is_study(path) else path)
    accept_run(run, path, anyhow=accept)
    packaged = package_run(run, _restored(run, places), examples=examples, http=http, signer=signer)
    attach_bundle(run.card, run.folder, packaged.tag, packaged.path)
    return packaged


def tested_rows(path: str | Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """A run's test rows as a client of the service would send them, and the truth.

    Args:
        path: The run folder.

    Returns:
        Rows by the features' names, as JSON has them, and as many classes or numbers.

    Raises:
        DataError: If the data is gone or is no longer that of the run.
        RunError: If there is no such run, or a file of it is damaged.
    """
    from runcard.data.fields import to_fields

    run = load_run(path)
    data = _restored(run)
    columns = data.rows.pick(data.indices("test"))
    return to_fields(run.signature, columns), data.truth("test").tolist()


def _restored(run: Run, places: Sequence[str] = ()) -> Dataset:
    """The run's rows, with its split and its transforms."""
    from runcard.fitting import restored_rows

    return restored_rows(run.card, run.folder, places)
