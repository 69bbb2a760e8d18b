"""A CSV line by line, by Python's csv: slow, exact, and able to say which line is wrong.

For what polars does not read, or reads as something else: other encodings and line ends, quotes within fields, blank
lines, lines with more or fewer fields than the header.
"""

from __future__ import annotations

import csv
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from runcard.advice import advise
from runcard.data.reading.layout import Layout, Reading, Source, find_layout, lines_of, settled_encoding
from runcard.errors import DataError

# Rows that become a table at once.
ROWS = 20_000
# First cells of a line that a message shows, and letters of each.
SHOWN, LETTERS = 3, 40
QUOTES = "A field that holds a quote is written in quotes, and the quote within it twice."
# Stands for what could not be decoded; a name may hold it itself.
REPLACED = "\ufffd"
# What a byte that is not UTF-8 most often is.
LIKELY = ("cp1252", "cp1250", "cp1251")


def checked_layout(source: Source, reading: Reading) -> Layout:
    """How a CSV is written, as ``find_layout`` finds it, and a header that is in that encoding.

    Raises:
        DataError: As of ``find_layout``, and if a name in the header is not.
    """
    layout = find_layout(source, reading)
    if any(REPLACED in name for name in layout.names):
        lines = 1 + layout.skipped + sum(name.count("\n") for name in layout.names)
        try:
            deque(itertools.islice(lines_of(source, layout.encoding), lines), maxlen=0)
        except UnicodeDecodeError:
            raise not_decoded(source, layout.encoding, layout, reading) from None
    return layout


def read_carefully(source: Source, layout: Layout, reading: Reading) -> pl.DataFrame:
    """Read all rows as texts.

    Raises:
        DataError: If a line is wrong, or the encoding.
    """
    frames = [*frames_of(source, layout, reading, ROWS)]
    return pl.concat(frames) if frames else _frame([], layout, reading)


def frames_of(source: Source, layout: Layout, reading: Reading, rows: int) -> Iterator[pl.DataFrame]:
    """Read all rows as texts, so many at a time; none if there are none.

    Raises:
        DataError: If a line is wrong, or the encoding.
    """
    records = _records(source, layout, reading)
    while some := [*itertools.islice(records, rows)]:
        yield _frame(some, layout, reading)


def _frame(records: Sequence[Sequence[str]], layout: Layout, reading: Reading) -> pl.DataFrame:
    columns = zip(*records, strict=True) if records else ([] for _ in layout.names)
    frame = pl.DataFrame(
        [pl.Series(name, values, dtype=pl.String) for name, values in zip(layout.names, columns, strict=True)]
    )
    return frame.with_columns(pl.all().replace(dict.fromkeys(reading.null_values)))


def _records(source: Source, layout: Layout, reading: Reading) -> Iterator[list[str]]:
    encoding = settled_encoding(source, layout, reading)
    try:
        lines = itertools.islice(lines_of(source, encoding), layout.skipped, None)
        yield from _checked(lines, source.name, layout, reading)
    except UnicodeDecodeError:
        raise not_decoded(source, encoding, layout, reading) from None


def _checked(lines: Iterable[str], name: str, layout: Layout, reading: Reading) -> Iterator[list[str]]:
    reader, width = csv.reader(lines, delimiter=layout.separator, strict=True), len(layout.names)
    reading = replace(reading, separator=layout.separator)
    line = 0
    try:
        for number, fields in enumerate(reader):
            began, line = layout.skipped + line + 1, reader.line_num
            if len(fields) != width and number:
                fields = _fitted(fields, width, f"{name}, line {began:,}", reading)
            if fields and number:
                yield fields
    except csv.Error as error:
        raise DataError(_said(str(error), f"{name}, line {layout.skipped + line + 1:,}")) from None


def _fitted(fields: list[str], width: int, where: str, reading: Reading) -> list[str]:
    """A line with as many fields as the header has; without any, if it is blank.

    Raises:
        DataError: If it has more or fewer, or is blank where there is one column.
    """
    if not fields and width == 1:
        raise DataError(f'{where}: it is blank, and may be a missing value or none. Write "" or remove the line.')
    if len(fields) <= 1 and not any(map(str.strip, fields)):
        return []
    if len(fields) > width and not any(fields[width:]):
        return fields[:width]
    if len(fields) < width and reading.ragged == "fill":
        return fields + [""] * (width - len(fields))
    shown = ", ".join(repr(each[:LETTERS]) for each in fields[:SHOWN])
    count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
    message = f"{where}: it has {count}, and the header has {width}; it begins with {shown}. "
    raise DataError(message + _cure(fields, width, reading), shown)


def _cure(fields: Sequence[str], width: int, reading: Reading) -> str:
    if len(fields) > width:
        return (
            f"A value that holds {reading.separator!r} must stand in quotes; a column without a name needs an empty "
            "one in the header."
        )
    words = {"card": ["data.ragged=fill"], "init": ["--ragged", "fill"]}.get(reading.advice)
    return (
        "Mend the line."
        if words is None
        else f"Mend the line; {advise(*words)} takes what lines lack at their end as missing."
    )


def _said(error: str, where: str) -> str:
    """What csv says of quotes, with what to do."""
    if "end of data" in error:
        return f"{where}: a field begins with a quote and does not end. {QUOTES}"
    if "expected after" in error:
        return f"{where}: a field goes on after its closing quote. {QUOTES}"
    return f"{where}: {error}"


def not_decoded(source: Source, encoding: str, layout: Layout, reading: Reading) -> DataError:
    """Name the first cell that is not in the encoding, and what it would be in others."""
    with source.open() as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding.removesuffix("-sig"))
            except UnicodeDecodeError as error:
                if "16" in encoding or "32" in encoding:
                    break
                return _other(line, error.start, f"{source.name}, line {number:,}", encoding, layout, reading)
    return DataError(f"{source.name} begins as {encoding}, and is not that to its end: save it as UTF-8")


def _other(line: bytes, place: int, where: str, encoding: str, layout: Layout, reading: Reading) -> DataError:
    by = layout.separator.encode()
    begin, end = line.rfind(by, 0, place) + 1, line.find(by, place)
    cell = line[begin : end if end >= 0 else None].strip(b' "\r\n')[:LETTERS]
    read = ", ".join(f"{cell.decode(name, 'replace')!r} as {name}" for name in LIKELY)
    message = f"{where}: it is not {encoding.upper().removesuffix('-SIG')}. {cell!r} would be {read}. "
    words = {"card": ["data.encoding=cp1252"], "init": ["--encoding", "cp1252"]}.get(reading.advice)
    advice = "" if words is None else f", or say which it is: {advise(*words)}"
    return DataError(f"{message}Save the file as UTF-8{advice}.", f"{cell!r} would be {read}")
