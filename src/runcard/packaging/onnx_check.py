"""A graph of ONNX, looked through before ONNX Runtime reads it: nothing outside of it, and no operators of others.

A tensor may say that its values lie in a file, which ONNX Runtime then reads, wherever it lies; so does one of its own
operators (``EPContext``). The service has no ``onnx``, so messages are walked here, as protocol buffers encode them:
https://protobuf.dev/programming-guides/encoding, with the numbers of fields from onnx.proto of ONNX 1.23.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runcard.errors import BundleError

# Message → number of a field → the message that it holds; other fields hold nothing of these.
INNER: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a Tensor
DOMAINS: Mapping[str, int] = {"Node": 7, "Function": 10}
# ONNX's own, which read nothing; its makers' exporter writes functions under names of their own, and inlines them.
KNOWN = frozenset({b"", b"ai.onnx"})
# Graphs within graphs; an If within a Loop is the fifth.
DEEPEST = 64
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10
MOST_FIELDS = 2**29
# Where ONNX Runtime looks whether it is given a format of its own.
OWN_FORMAT = b"ORTM"


def check_graph(graph: bytes) -> None:
    """Look through a graph.

    Args:
        graph: A ``ModelProto``.

    Raises:
        BundleError: If a tensor's values lie outside of it, an operator is none of ONNX's own, or it is no graph.
    """
    if graph[4:8] == OWN_FORMAT:
        raise BundleError("the graph is not to be read: it is of a format of ONNX Runtime's own")
    try:
        _walk(memoryview(graph), "Model", 0)
    except (ValueError, IndexError) as error:
        raise BundleError(f"the graph is not to be read: {error}") from error


def _walk(content: memoryview, message: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("its graphs lie too deep in each other")
    for number, value in _fields(content):
        inner = INNER[message].get(number)
        if inner is not None:
            if isinstance(value, int):
                raise ValueError(f"field {number} of a {message} is a number")
            _walk(value, inner, depth + 1)
        elif message == "Tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)):
            raise ValueError("the values of a tensor lie in another file")
        elif number == DOMAINS.get(message):
            domain = b"a number" if isinstance(value, int) else bytes(value)
            if domain not in KNOWN:
                raise ValueError(f"an operator is of {domain[:50]!r}, and ONNX's own are taken only")


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number, and its value: a number, or bytes that are not copied."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        number, kind = key >> 3, key & 7
        if not 0 < number < MOST_FIELDS:  # others would cut off what is above, and read another field
            raise ValueError("it is no protocol buffer")
        if kind == VARINT:
            value, place = _varint(content, place)
            yield number, value
            continue
        if kind == BYTES:
            size, place = _varint(content, place)
        elif kind in FIXED:
            size = FIXED[kind]
        else:
            raise ValueError("it is no protocol buffer")
        if size > len(content) - place:
            raise ValueError("it breaks off")
        yield number, content[place : place + size]
        place += size


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for position in range(LONGEST_VARINT):
        byte = content[place + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value, place + position + 1
    raise ValueError("a number is too long")
