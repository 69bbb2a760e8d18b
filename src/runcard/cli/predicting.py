"""``predict``: a file of rows → a file of answers, batch by batch, by a run or by a bundle."""

from __future__ import annotations

import contextlib
import csv
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcard.advice import advise
from runcard.errors import BundleError, CardError
from runcard.runs import RunFolder
from runcard.studies import is_study

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcard.data.signature import Columns, Signature
    from runcard.data.transforms import Transforms


@dataclass(frozen=True)
class Answering:
    """A run or a bundle, open to be asked.

    Attributes:
        folder: Where it lies.
        named: What it is called, as ``--json`` has it: under ``run`` or under ``bundle``.
        signature: What it takes and gives.
        transforms: How rows become numbers.
        answer: Columns → probabilities ``(rows, classes)``, or numbers ``(rows,)``.
        data: Its card's section ``data``, as plain values.
    """

    folder: Path
    named: Mapping[str, str]
    signature: Signature
    transforms: Transforms
    answer: Callable[[Columns], NDArray[Any]]
    data: Mapping[str, Any]


def answering(what: str) -> Answering:
    """Open what is to answer.

    Args:
        what: A run folder; or a bundle's folder or tag.

    Raises:
        CardError: If it is neither, or cannot be used.
    """
    path = Path(what)
    if os.sep in what or path.is_file() or _holds_something(path):
        folder = path.parent if path.is_file() else path
        return _bundle(str(folder.absolute()), folder) if _holds_bundle(folder) else _run(what)
    from runcard.packaging import store

    try:
        tag, folder = store.find(what)
    except BundleError as error:
        here = path.absolute()
        neither = f"{here} is no run folder: it holds no card.yaml" if path.is_dir() else f"there is no folder {here}"
        raise BundleError(f"{neither}, and {error} `{advise('runcard', 'ls')}` lists the runs.") from error
    return _bundle(tag, folder)


def _holds_something(folder: Path) -> bool:
    """Whether a folder is a run, a study or a bundle; a project may be called like its bundle."""
    return RunFolder(folder).card.is_file() or is_study(folder) or _holds_bundle(folder)


def _holds_bundle(folder: Path) -> bool:
    if not folder.is_dir() or RunFolder(folder).best.parent.is_dir():  # a run loads torch, and need not wait for more
        return False
    from runcard.packaging.bundle import is_bundle

    return is_bundle(folder)


def _run(path: str) -> Answering:
    from runcard import api

    run = api.load_run(path)
    data = run.card.values()["data"]
    return Answering(run.path, {"run": str(run.path)}, run.signature, run.transforms, run.answer, data)


def _bundle(name: str, folder: Path) -> Answering:
    from runcard.packaging.bundle import open_bundle
    from runcard.packaging.trial import try_out

    bundle = open_bundle(folder, digest=try_out(folder))
    return Answering(folder, {"bundle": name}, bundle.signature, bundle.transforms, bundle.answer, bundle.card["data"])


def split_names(text: str) -> list[str]:
    """Names with commas between them; one that has a comma of its own is quoted, as in a CSV."""
    return next(csv.reader([text]), []) if text else []


def answer_file(
    what: Answering, rows: str, output: Path, *, shown: bool, raw: bool = False, keep: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Answer a file of rows in memory that does not grow with it.

    Args:
        what: What answers.
        rows: The file.
        output: Where the answers go; the file is there when all of them are.
        shown: Whether to draw a bar on stderr.
        raw: Whether a CSV keeps texts that a spreadsheet would run as formulas.
        keep: Columns of the file that go before the answers, of a CSV as they are written.

    Returns:
        How many rows were answered, and what is unusual about them, a line a feature.

    Raises:
        CardError: If the output could not be written, or holds what the answers come from; or if a column to keep is
            not there, or could not stand beside the answers.
        DataError: If the file or a row of it is wrong.
        RunError: If the output cannot be written.
    """
    from runcard.data.answers import Unusual, answers_frame
    from runcard.data.output import check_output, put_beside, quote_formulas, writing_frames
    from runcard.data.reading.batches import batch_rows, read_batches
    from runcard.data.reading.frames import CSV
    from runcard.data.reading.layout import Reading
    from runcard.data.values import as_written, columns_of

    check_output(output)
    _check_apart(what, rows, output)
    signature, unusual = what.signature, Unusual(what.signature)
    size = batch_rows(what.transforms.input_shape(signature))
    quotes, quoted = output.suffix.lower() in CSV and not raw, 0
    names = [*dict.fromkeys([*as_written(signature), *keep])]
    batches = read_batches(rows, names, size, Reading.of(what.data))
    with contextlib.closing(batches), _progress(rows, shown=shown) as move, writing_frames(output) as write:
        for frame in batches:
            columns = columns_of(frame, signature, before=unusual.rows)
            answers = put_beside(frame, keep, answers_frame(signature.target, what.answer(columns)))
            answers, count = quote_formulas(answers) if quotes else (answers, 0)
            quoted += count
            write(answers)
            unusual.add(columns)
            move(unusual.rows)
    said = (
        f"{quoted} answers begin as a spreadsheet's formula does: ' stands before them; {advise('--raw')} leaves them"
    )
    return unusual.rows, [*unusual.lines(), *([said] if quoted else [])]


def _check_apart(what: Answering, rows: str, output: Path) -> None:
    if not output.exists():
        return
    if what.folder.resolve() in output.resolve().parents or (Path(rows).exists() and output.samefile(rows)):
        raise CardError(f"--output {output}: this holds what the answers come from; name another file")


@contextlib.contextmanager
def _progress(path: str, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar that is told how many rows are done."""
    if not shown:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from runcard.data.reading.batches import expected_rows

    total, started = expected_rows(path), time.monotonic()
    columns = (BarColumn(20), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("", total=total)

        def move(done: int) -> None:
            speed = done / max(time.monotonic() - started, 1e-9)
            bar.update(row, completed=done, description=f"{done:,} rows, {speed:,.0f} a second")

        yield move
