"""How a CSV file is written: its encoding and line ends, what stands before its header, and the names there.

Only what is certain is taken unasked: UTF-8, a byte order mark, the NULs of UTF-16, the line ``sep=;`` of spreadsheets.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from runcard.errors import DataError
from runcard.regular import open_regular

NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32"}
MARKS |= {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # after those of four bytes, which begin likewise
UTF8 = ("utf-8", "utf-8-sig")
# Ends a line by itself, unless it is within quotes.
LONE_RETURN = re.compile(r"\r(?!\n)(?!\Z)")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?(\n|$)')
# The beginning of a file, which holds its header; of a wider table more is looked at.
HEADS = (2**18, 2**23, 2**28)
# Bytes that are read at once.
BLOCK = 2**23
# csv's own limit for a field is 128 KiB; a log or a series in a cell is longer.
csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True)
class Reading:
    """What is said of how a CSV is to be read.

    Attributes:
        separator: Between its fields, one character.
        null_values: Texts that mean missing.
        encoding: Of what is not UTF-8, as Python names it; ``auto``: none is guessed.
        ragged: Whether a line that lacks its last fields is refused, or what it lacks is missing.
        advice: Where a refusal may say what would settle it: in a ``card``, in the words of ``init``, or nowhere.
    """

    separator: str = ","
    null_values: Sequence[str] = NULL_VALUES
    encoding: str = "auto"
    ragged: str = "refuse"
    advice: Literal["card", "init", ""] = "card"

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Reading:
        """How rows to answer are read: as a card's section ``data`` has its own file read.

        Args:
            data: The section as plain values; of a source that is no file, nothing of it counts.
        """
        named = ("separator", "null_values", "encoding") if "separator" in data else ()
        return cls(**{name: data[name] for name in named if name in data}, advice="")


# With commas, as UTF-8.
PLAIN = Reading()


@dataclass(frozen=True)
class Source:
    """A CSV: a file on this machine, or the content of one.

    Attributes:
        of: The file or the content.
        name: For people.
    """

    of: Path | bytes
    name: str

    def open(self) -> BinaryIO:
        """Its bytes, from the first on."""
        return io.BytesIO(self.of) if isinstance(self.of, bytes) else open_regular(self.of)


@dataclass(frozen=True)
class Layout:
    """How a CSV is written.

    Attributes:
        encoding: As Python names it.
        separator: Between its fields.
        skipped: Lines before its header.
        names: Of its columns, no two alike; a nameless one is ``""``, and further ones are called by their number.
        nameless: Those of the names that no header says.
        ends: Whether its lines end with a line feed, as far as it was looked at.
    """

    encoding: str
    separator: str
    skipped: int
    names: tuple[str, ...]
    nameless: frozenset[str] = field(default_factory=frozenset)
    ends: bool = True


def find_layout(source: Source, reading: Reading) -> Layout:
    """Look at the beginning of a CSV.

    Raises:
        DataError: If it holds no text, or a name twice.
        OSError: If it cannot be read.
    """
    for size in HEADS:
        with source.open() as file:
            head = file.read(size)
        encoding = _encoding(head, reading.encoding)
        text = head.decode(encoding, "replace")
        try:
            return _layout(text, encoding, reading.separator, source.name, whole=len(head) < size)
        except EOFError:
            continue
    raise DataError(f"{source.name}: its header is longer than anyone writes")


def _layout(text: str, encoding: str, separator: str, name: str, *, whole: bool) -> Layout:
    """Raises EOFError where the header does not end within the text."""
    lines = io.StringIO(text, newline="")
    first = SEPARATOR_LINE.match(text)
    skipped = 0
    if first:
        separator, skipped = first[1], 1
        lines.readline()
    header, lines_before = _first_record(lines, separator, whole=whole)
    names, nameless = _names(header, name)
    return Layout(encoding, separator, skipped + lines_before, names, nameless, not LONE_RETURN.search(text))


def _first_record(lines: io.StringIO, separator: str, *, whole: bool) -> tuple[list[str], int]:
    """The header's fields, and how many blank lines stand before it."""
    reader, before = csv.reader(lines, delimiter=separator), 0
    for fields in reader:
        if any(map(str.strip, fields)) or len(fields) > 1:
            if not whole and not lines.read(1):
                raise EOFError
            return fields, before
        before = reader.line_num
    if not whole:
        raise EOFError
    return [""], 0


def _names(header: Sequence[str], name: str) -> tuple[tuple[str, ...], frozenset[str]]:
    refuse_doubled([each for each in header if each], name)
    if any("\0" in each for each in header):
        raise DataError(
            f"{name}: its header holds NUL bytes, as UTF-16 and files that are no text do. Save it as UTF-8."
        )
    taken, names = set(header) - {""}, list[str]()
    for number, each in enumerate(header, 1):
        called = each
        if not each and "" in taken:
            called = f"column {number}"
            while called in taken:
                called += "'"
        taken.add(called)
        names.append(called)
    return tuple(names), frozenset(called for called, each in zip(names, header, strict=True) if not each)


def refuse_doubled(names: Sequence[str], what: str) -> None:
    """Refuse a header in which a name stands twice.

    Args:
        names: Those of the header.
        what: Whose they are, for people.

    Raises:
        DataError: If one does.
    """
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise DataError(f"{what} has a column twice: {', '.join(map(repr, doubled))}")


def is_remote(path: str | Path) -> bool:
    """Whether a file is not on this machine: polars fetches it."""
    return "://" in str(path)


def _encoding(head: bytes, named: str) -> str:
    """The encoding that a beginning shows; that which is named only where it is no UTF-8."""
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        for encoding, high in (("utf-16-le", 1), ("utf-16-be", 0)):
            if _is_utf16(head, encoding, high):
                return encoding
    if named != "auto" and not _is_utf8([head]):
        return named
    return "utf-8"


def _is_utf16(head: bytes, encoding: str, high: int) -> bool:
    """Whether NULs stand only where the high bytes of Latin letters would, in the header too, and there are lines."""
    first = re.split(rb"[\r\n]", head.lstrip(b"\r\n\0"), maxsplit=1)[0]
    if b"\0" not in first or b"\0" in head[1 - high :: 2]:
        return False
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    # A byte that would end a line by itself is then half of something else, but seldom.
    ends = [text.count(end) * 2 > head.count(end.encode()) for end in "\n\r" if end.encode() in head]
    return "\0" not in text and bool(ends) and all(ends)


def _is_utf8(blocks: Iterable[bytes], *, whole: bool = False) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in blocks:
            decoder.decode(block)
        decoder.decode(b"", final=whole)
    except UnicodeDecodeError:
        return False
    return True


def first_lines(source: Source, reading: Reading, count: int) -> list[str]:
    """The beginning of a CSV, to be looked at."""
    with source.open() as file:
        head = file.read(HEADS[0])
    return head.decode(_encoding(head, reading.encoding), "replace").splitlines(keepends=True)[:count]


def settled_encoding(source: Source, layout: Layout, reading: Reading) -> str:
    """The encoding, after a look at all of it: what is no UTF-8 further down is what is named."""
    if layout.encoding not in UTF8 or reading.encoding == "auto":
        return layout.encoding
    return layout.encoding if _is_utf8(blocks_of(source, layout.encoding), whole=True) else reading.encoding


def blocks_of(source: Source, encoding: str) -> Iterator[bytes]:
    """A CSV as UTF-8, in pieces.

    Raises:
        UnicodeDecodeError: If it is not in the encoding; where it is UTF-8, nobody looks.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    with source.open() as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            yield block if encoding in UTF8 else decoder.decode(block).encode()
        if encoding not in UTF8:
            yield decoder.decode(b"", final=True).encode()


def lines_of(source: Source, encoding: str) -> Iterator[str]:
    """The lines of a CSV, each with its end.

    Raises:
        UnicodeDecodeError: If it is not in the encoding.
    """
    with source.open() as file, io.TextIOWrapper(file, encoding, newline="") as text:
        yield from text
