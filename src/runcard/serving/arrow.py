"""Arrow streams from strangers: looked through before a library unpacks them.

A stream is a row of messages, each a length, a FlatBuffer that says what follows, and buffers. Only what would take
more memory than the body, or point outside of it, is looked for: packed buffers, and lengths that are not true.
https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

from __future__ import annotations

import struct

from flatbuffers import number_types
from flatbuffers.table import Table

from runcard.serving.http import RefusedError, check_count

CONTINUATION = 0xFFFFFFFF
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3  # kinds of message
# Places in a FlatBuffer's table of fields: 4, 6, 8 ... in the order of the format's own definition.
HEADER_TYPE, HEADER, BODY_LENGTH = 6, 8, 10
ROWS, NODES, BUFFERS, COMPRESSION = 4, 6, 8, 10
DATA = 6  # of a dictionary, the records that hold it
FIELDS = 6  # of a schema
TYPE, ENCODING, CHILDREN = 8, 12, 14  # of a field
# What polars does not read, and dies of: intervals, unions, runs, and lists that overlap.
UNREAD = frozenset({11, 14, 22, 25, 26})
# What stands in a dictionary: numbers, booleans and texts. Lists there are unfolded for each row that names them.
LISTED = frozenset({2, 3, 5, 6, 20, 24})
# Fields of all columns together, and how deep they lie in each other.
MOST_FIELDS, MOST_DEEP = 20_000, 8


def check_stream(body: bytes | bytearray, max_rows: int) -> None:
    """Look through a stream.

    Args:
        body: All of it.
        max_rows: Most rows of one request.

    Raises:
        RefusedError: If it is no stream (400), is packed (415), or holds too many rows (413).
    """
    try:
        rows, place = 0, 0
        while place < len(body):
            place, count = _message(body, place, max_rows)
            rows += count
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        raise RefusedError(400, "the body is no Arrow stream") from error
    check_count(rows, max_rows)


def _message(body: bytes | bytearray, place: int, max_rows: int) -> tuple[int, int]:
    """Where the next message begins, and how many rows this one has."""
    marker, length = struct.unpack_from("<Ii", body, place)
    if marker != CONTINUATION:
        raise ValueError("the format before 0.15 is not taken")
    start = place + 8
    if length == 0:  # the stream's end
        return len(body), 0
    if not 0 < length <= len(body) - start:
        raise ValueError("a message is longer than the body")
    metadata = body[start : start + length]
    (root,) = struct.unpack_from("<I", metadata)
    message = Table(metadata, root)
    kind = _number(message, HEADER_TYPE, number_types.Uint8Flags)
    size = _number(message, BODY_LENGTH, number_types.Int64Flags)
    end = start + length + size
    if size < 0 or end > len(body):
        raise ValueError("a message's buffers are longer than the body")
    if kind == SCHEMA:
        _check_schema(_inner(message, HEADER))
    if kind not in (DICTIONARY, RECORDS):
        return end, 0
    records = _inner(message, HEADER)
    count = _records(_inner(records, DATA) if kind == DICTIONARY else records, size, max_rows)
    return end, count if kind == RECORDS else 0


def _records(records: Table, size: int, max_rows: int) -> int:
    if records.Offset(COMPRESSION):
        raise RefusedError(415, "a packed Arrow stream is not taken; write it without compression")
    rows = _number(records, ROWS, number_types.Int64Flags)
    if rows < 0:
        raise ValueError("a negative length")
    check_count(rows, max_rows)
    for length, gaps in _pairs(records, NODES):
        if not 0 <= gaps <= length <= size * 8 + rows:
            raise ValueError("a column is longer than its buffers")
    for offset, length in _pairs(records, BUFFERS):
        if offset < 0 or length < 0 or offset + length > size:
            raise ValueError("a buffer lies outside of its message")
    return rows


def _check_schema(schema: Table) -> None:
    """Look through the fields of all columns, and those within them."""
    waiting = [(field, 1) for field in _tables(schema, FIELDS)]
    for count, (field, depth) in enumerate(waiting):
        if count > MOST_FIELDS or depth > MOST_DEEP:
            raise RefusedError(400, "the Arrow stream has too many columns, or lists within lists")
        kind = _number(field, TYPE, number_types.Uint8Flags)
        if kind in UNREAD or (field.Offset(ENCODING) and kind not in LISTED):
            raise RefusedError(400, "the Arrow stream has a column of a type that is not taken; write plain values")
        waiting += [(child, depth + 1) for child in _tables(field, CHILDREN)]


def _tables(table: Table, field: int) -> list[Table]:
    """A vector of tables."""
    offset = table.Offset(field)
    if not offset:
        return []
    count, start = table.VectorLen(offset), table.Vector(offset)
    if count > MOST_FIELDS:
        raise ValueError("more fields than anyone has")
    return [Table(table.Bytes, table.Indirect(start + 4 * number)) for number in range(count)]


def _pairs(table: Table, field: int) -> list[tuple[int, int]]:
    """A vector of structures of two whole numbers."""
    offset = table.Offset(field)
    if not offset:
        return []
    count, start = table.VectorLen(offset), table.Vector(offset)
    content = bytes(table.Bytes[start : start + 16 * count])
    if len(content) != 16 * count:
        raise ValueError("a vector is longer than its message")
    return list(struct.iter_unpack("<qq", content))


def _number(table: Table, field: int, flags: type) -> int:
    offset = table.Offset(field)
    return int(table.Get(flags, table.Pos + offset)) if offset else 0


def _inner(table: Table, field: int) -> Table:
    offset = table.Offset(field)
    if not offset:
        raise ValueError("a message without content")
    return Table(table.Bytes, table.Indirect(table.Pos + offset))
