"""A file of answers that is written while there are more to come."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
from polars import selectors

from runcard.data.reading.frames import CSV
from runcard.errors import CardError, RunError
from runcard.files import writing

# How a text begins that a spreadsheet runs, and which of these are numbers.
FORMULA, NUMBER = r"^[=+\-@\x00-\x1f]", r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# Values in one piece of a Parquet file, 8 MB.
PIECE = 2**20


def check_output(path: Path) -> None:
    """Refuse a file of answers that could not be written, before any row is answered.

    Raises:
        CardError: If its ending names no format, or its folder is not there.
    """
    if path.suffix.lower() not in (".parquet", ".ndjson", ".jsonl", *CSV):
        endings = ".csv, .tsv, .txt, .parquet or .ndjson"
        raise CardError(f"{path}: files of answers end in {endings}, not {path.suffix or 'nothing'}")
    if not path.parent.is_dir():
        raise CardError(f"{path}: there is no folder {path.parent}")


def put_beside(frame: pl.DataFrame, names: Sequence[str], answers: pl.DataFrame) -> pl.DataFrame:
    """The answers, after columns of their rows.

    Args:
        frame: The rows.
        names: Of the columns.
        answers: As many.

    Raises:
        CardError: If a column is not there, holds lists, or is called as one of the answers is.
    """
    for name in names:
        if name not in frame.columns:
            raise CardError(f"--keep {name}: the rows have no such column")
        if name in answers.columns:
            raise CardError(f"--keep {name}: a column of the answers is called so too; rename the one of the rows")
        if frame[name].dtype.is_nested():
            raise CardError(f"--keep {name}: it holds lists, and a file of answers one value a cell")
    return frame.select(selectors.by_name([*names])).hstack(answers) if names else answers


def quote_formulas(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Put ``'`` before each text that a spreadsheet would run as a formula; numbers stay.

    Args:
        frame: A table that is to be written as CSV.

    Returns:
        The table, and how many of its cells were quoted.
    """
    marks = {
        column.name: column.str.contains(FORMULA) & ~column.str.contains(NUMBER)
        for column in frame
        if column.dtype == pl.String
    }
    quoted = {
        name: frame[name].zip_with(~marked.fill_null(value=False), "'" + frame[name])
        for name, marked in marks.items()
        if marked.any()
    }
    columns = {column.name: quoted.get(column.name, column) for column in frame}
    return pl.DataFrame(columns), sum(int(marked.sum()) for marked in marks.values())


@contextlib.contextmanager
def writing_frames(path: Path) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Write a file table by table, in the format that its ending names; it is there when all of them are.

    Yields:
        What takes the next table; the first, which may have no rows, gives the columns.

    Raises:
        RunError: If the file cannot be written; what was there before is still there.
    """
    with writing(path) as file:
        kind, begun = path.suffix.lower(), False
        if kind == ".parquet":
            with _in_pieces(path) as (write, gather):
                yield write
                gather(file.name)
            return

        def write_text(frame: pl.DataFrame) -> None:
            nonlocal begun
            if kind in CSV:
                text = frame.write_csv(separator="\t" if kind == ".tsv" else ",", include_header=not begun)
            else:
                text = frame.write_ndjson()
            file.write(text.encode())
            begun = True

        yield write_text


@contextlib.contextmanager
def _in_pieces(path: Path) -> Iterator[tuple[Callable[[pl.DataFrame], None], Callable[[str], None]]]:
    """Files beside a Parquet file, and how they become one: polars begins one only when it has all the rows to come.

    Yields:
        What takes the next table, and what writes all of them to a file.
    """
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        waiting, pieces = list[pl.DataFrame](), list[Path]()

        def close_piece() -> None:
            if waiting:
                pieces.append(Path(folder) / f"{len(pieces)}.parquet")
                with _writable(path):
                    pl.concat(waiting).write_parquet(pieces[-1])
                waiting.clear()

        def write(frame: pl.DataFrame) -> None:
            waiting.append(frame)
            if sum(each.height * each.width for each in waiting) >= PIECE:
                close_piece()

        def gather(name: str) -> None:
            close_piece()
            with _writable(path):
                pl.scan_parquet(pieces, glob=False).sink_parquet(name)

        yield write, gather


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """What polars makes of a full disk, as what it is."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise RunError(f"cannot write {path}: {str(error).splitlines()[0]}") from error
