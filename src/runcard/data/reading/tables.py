"""A CSV as a table of texts: by polars where that is certain, else line by line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import polars as pl

from runcard.data.reading.careful import checked_layout, frames_of, not_decoded, read_carefully
from runcard.data.reading.layout import UTF8, Layout, Reading, Source, blocks_of, settled_encoding
from runcard.data.reading.quick import DoubtError, read_quickly

# Line ends that are tried as the end of a piece, before it is read line by line: others lie within quotes.
TRIED = 1000


def read_table(source: Source, reading: Reading) -> pl.DataFrame:
    """Read a CSV whole, each value as it is written.

    Args:
        source: The CSV.
        reading: How it is to be read.

    Returns:
        The rows; of several columns without a name those that have no value are left out.

    Raises:
        DataError: If a line has more or fewer fields than the header, a quote does not end, a name stands twice, or
            the encoding is not certain.
        OSError: If it cannot be read.
    """
    layout = checked_layout(source, reading)
    frame = _whole(source, layout, reading)
    if len(layout.nameless) < 2:
        return frame
    return frame.drop(name for name in layout.nameless if frame[name].null_count() == frame.height)


def _whole(source: Source, layout: Layout, reading: Reading) -> pl.DataFrame:
    with contextlib.suppress(DoubtError):
        return _quickly(source, layout, reading)
    return read_carefully(source, layout, reading)


def _quickly(source: Source, layout: Layout, reading: Reading) -> pl.DataFrame:
    if not layout.ends:
        raise DoubtError
    if layout.encoding in UTF8:
        with contextlib.suppress(DoubtError):
            return read_quickly(source, layout, reading)
    encoding = settled_encoding(source, layout, reading)
    if encoding in UTF8:
        raise DoubtError
    try:
        content = b"".join(blocks_of(source, encoding))
    except UnicodeDecodeError:
        raise not_decoded(source, encoding, layout, reading) from None
    return read_quickly(Source(content, source.name), layout, reading)


def table_batches(source: Source, layout: Layout, reading: Reading, rows: int) -> Iterator[pl.DataFrame]:
    """Read a CSV a few megabytes at a time, in memory that does not grow with it.

    Args:
        source: The CSV.
        layout: How it is written.
        reading: How it is to be read.
        rows: About how many at a time, where it is read line by line.

    Raises:
        DataError: As of ``read_table``; what came before the line that is wrong has been handed out.
        OSError: If it cannot be read.
    """
    done = 0
    try:
        for frame in _pieces_read(source, layout, reading):
            yield frame
            done += frame.height
        return
    except DoubtError:
        pass
    for frame in frames_of(source, layout, reading, rows):
        if frame.height > done:
            yield frame[done:]
        done = max(0, done - frame.height)


def _pieces_read(source: Source, layout: Layout, reading: Reading) -> Iterator[pl.DataFrame]:
    if not layout.ends:
        raise DoubtError
    header = True
    for piece in _pieces(blocks_of(source, layout.encoding)):
        yield read_quickly(Source(piece, source.name), layout, reading, header=header)
        header = False


def _pieces(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut where a line ends that is not within quotes."""
    rest = b""
    try:
        for block in blocks:
            content = rest + block
            end = _end_of_line(content)
            if end:
                yield content[:end]
            rest = content[end:]
    except UnicodeDecodeError:
        raise DoubtError from None
    if rest.strip(b"\r\n"):
        yield rest


def _end_of_line(content: bytes) -> int:
    end, quotes = len(content), content.count(b'"')
    for _ in range(TRIED):
        place = content.rfind(b"\n", 0, end)
        if place < 0:
            break
        quotes -= content.count(b'"', place, end)
        if quotes % 2 == 0:
            return place + 1
        end = place
    if len(content) > 2**26:
        raise DoubtError
    return 0
