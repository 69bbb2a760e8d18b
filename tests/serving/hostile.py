"""Requests that mean harm, or come from a program that knows no better; none of them may be answered with 2xx."""

from __future__ import annotations

import base64
import gzip
import io
import json
import pickle
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from tests.serving.conftest import MAX_ROWS, TOKEN

GOOD: dict[str, Any] = {"age": 45.0, "city": "Ulm", "member": True, "spent": 100.0}
COLUMNS = {name: [value] for name, value in GOOD.items()}
JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
PICKLES = ["application/vnd.bentoml+pickle", "application/x-pickle", "application/python-pickle"]
PICKLES += ["application/octet-stream", "application/x-python-serialize", "application/vnd.bentoml.io+pickle"]
MB = 2**20
SENT = f"authorization: Bearer {TOKEN}"


class Bomb:
    """Unpickled, it would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("/tmp/runcard-was-unpickled", "w"))


class Case(NamedTuple):
    """A request, as bytes of HTTP."""

    name: str
    content: bytes
    harmless: bool = False  # it may be answered, if that costs no more than another


def post(body: bytes, kind: str = JSON, path: str = "/predict", **headers: str) -> bytes:
    """A whole request."""
    lines = {"host": "localhost", "content-type": kind, "content-length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{SENT}\r\n{head}\r\n".encode() + body


def bare(method: str, path: str) -> bytes:
    """A request without a body."""
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{SENT}\r\n\r\n".encode()


def rows(change: dict[str, Any]) -> bytes:
    """A row in which something is otherwise."""
    return post(json.dumps(GOOD | change).encode())


def png(width: int, height: int, *chunks: tuple[bytes, bytes], colour: int = 0) -> bytes:
    """A PNG of pixels that need not be there; 0: gray, 3: of a palette."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = b"".join(chunk(*each) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def form(name: str, content: bytes, boundary: str = "x") -> bytes:
    """A form with one file."""
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def arrow(frame: pl.DataFrame, **settings: Any) -> bytes:
    """A table as an Arrow stream."""
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, **settings)
    return buffer.getvalue()


def cases() -> Iterator[Case]:
    """All that can be sent in one piece."""
    yield from malformed_json()
    yield from wrong_values()
    yield from heavy()
    yield from columns()
    yield from other_kinds()
    yield from tricks()


def malformed_json() -> Iterator[Case]:
    for name, body in {
        "nothing": b"",
        "an open brace": b"{",
        "no UTF-8": b'{"age": "\xff\xfe"}',
        "half a surrogate pair": b'{"\\ud800": 1}',
        "arrays, deep": b"[" * 1_000_000,
        "objects, deep": b'{"age":' * 200_000,
        "arrays in a field, deep": b'{"age":' + b"[" * 400_000 + b"]" * 400_000 + b"}",
        "NaN": b'{"age": NaN}',
        "a number without end": b'{"age": ' + b"9" * 1_000_000 + b"}",
        "an exponent without end": b'{"age": 1e999999999}',
        "null bytes": b"\x00" * 1000,
        "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    }.items():
        yield Case(name, post(body))


def wrong_values() -> Iterator[Case]:
    value: Any
    for value in ("x", True, [], {}, [[1]], 1e31, 10**300):
        yield Case(f"age is {str(value)[:10]}", rows({"age": value}))
    yield Case("city is a number", rows({"city": {"$ne": None}}))
    for name in ("__proto__", "__class__", "model_config", "../../etc/passwd", "a\x00b", "<script>", "x" * 100_000):
        yield Case(f"a field {name[:20]!r}", rows({name: 1}))


def heavy() -> Iterator[Case]:
    yield Case("an unknown field with a million numbers", rows({"x": [1] * 1_000_000}))
    yield Case("a field with a million numbers", rows({"age": [1] * 190_000}))
    yield Case("a million empty rows", post(b"[" + b"{}," * 95_000 + b"{}]"))
    yield Case("16 MiB of digits", post(b"[" + b"1," * (8 * MB - 8) + b"1]"))
    yield Case("16 MiB of braces", post(b"[" + b"{}," * (5 * MB) + b"{}]"))
    yield Case("many unknown fields", post(json.dumps({f"x{number}": 0 for number in range(22_000)}).encode()))
    named = json.dumps({f"x{number}": 0 for number in range(1_000_000)}).encode()
    yield Case("a million unknown fields", post(named))
    yield Case("a text of 15 MiB for a number", rows({"age": "x" * (15 * MB)}))
    yield Case("60 MB", post(b" " * 60_000_000))
    yield Case("a length that is not true", post(b"{}", content_length=str(10**12)))
    yield Case("a length below 0", post(b"{}", content_length="-1"))
    yield Case("a packed body", post(gzip.compress(b" " * 50_000_000), content_encoding="gzip"))
    many = json.dumps(GOOD).encode()
    yield Case("too many rows", post(b"[" + (many + b",") * MAX_ROWS + many + b"]"))


def columns() -> Iterator[Case]:
    path = "/predict/batch"
    for name, body in {
        "rows in place of columns": json.dumps([GOOD]).encode(),
        "columns of unlike length": json.dumps(COLUMNS | {"age": [1, 2]}).encode(),
        "a column that is missing": b"{}",
        "a value of another kind": json.dumps(COLUMNS | {"age": ["x"]}).encode(),
        "a million of another kind": json.dumps(COLUMNS | {"age": ["x"] * 190_000}).encode(),
    }.items():
        yield Case(name, post(body, path=path))
    for name, body in {
        "an empty CSV": b"",
        "a CSV with an open quote": b'age,city,member,spent\n1,"Ulm,true,1\n',
        "a ragged CSV": b"age,city,member,spent\n1\n1,2,3,4,5,6\n",
        "a CSV of null bytes": b"\x00" * 100_000,
        "a CSV of a million columns": b"," * 1_000_000,
        "a CSV with a column twice": b"age,age\n1,2\n",
        "a CSV of other things": b"age,city,member,spent\n1e400,Ulm,perhaps,x\n",
        "a CSV of lines": b"age,city,member,spent\n" + b"\n" * (5 * MB),
        "a CSV that is no UTF-8": b"age,city,member,spent\n1,\xff\xfe,true,1\n",
    }.items():
        yield Case(name, post(body, CSV, path))
    table = pl.DataFrame(COLUMNS)
    stream = arrow(table)
    long = pl.DataFrame({name: values * (MAX_ROWS + 1) for name, values in COLUMNS.items()})
    for name, body in {
        "an Arrow stream of nothing": b"",
        "an Arrow stream of zeros": b"\x00" * 1000,
        "an Arrow stream cut off": stream[: len(stream) // 2],
        "a packed Arrow stream": arrow(pl.DataFrame({"age": [0.0] * 10_000_000}), compression="zstd"),
        "an Arrow stream of too many rows": arrow(long),
        "an Arrow stream of other columns": arrow(table.drop("age")),
        "an Arrow stream of other kinds": arrow(table.with_columns(age=pl.Series(["x"]))),
        "an Arrow stream of lists": arrow(table.with_columns(age=pl.Series([[1.0]]))),
        "an Arrow file": b"ARROW1\x00\x00" + stream + b"ARROW1",
    }.items():
        yield Case(name, post(body, ARROW, path))
    for place in range(0, len(stream), 23):
        broken = bytearray(stream)
        broken[place : place + 8] = b"\xff" * 8
        yield Case(f"an Arrow stream with ones at {place}", post(bytes(broken), ARROW, path), harmless=True)


def other_kinds() -> Iterator[Case]:
    for path in ("/predict", "/predict/batch", "/explain"):
        for kind in PICKLES:
            yield Case(f"a pickle as {kind} to {path}", post(pickle.dumps(Bomb()), kind, path))
        yield Case(f"a pickle as JSON to {path}", post(pickle.dumps(Bomb()), path=path))
        yield Case(
            f"a pickle in parts to {path}", post(pickle.dumps(Bomb()), PICKLES[0], path, Payload_Container="ndarray")
        )
    for kind in ("application/x-www-form-urlencoded", "text/plain", "text/xml", "x" * 10_000, "application/json5"):
        yield Case(f"{kind[:30]}", post(json.dumps(GOOD).encode(), kind))
    yield Case("a form for a table", post(form("age", b"1"), "multipart/form-data; boundary=x"))
    yield Case("many rows to explain", post(json.dumps([GOOD, GOOD]).encode(), path="/explain"))


def tricks() -> Iterator[Case]:
    paths = ["/../../etc/passwd", "/static_content/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//predict"]
    paths += [
        "/predict/",
        "/predict/../model",
        "/predict%00",
        "/static_content/",
        "/static_content/index.css",
        "/schema.json",
    ]
    paths += ["/PREDICT", "/a" * 5_000, "/model?x=../..", "/docs/..%2f..%2fbundle.json", "/metrics/../livez/x"]
    for path in paths:
        if path != "/model?x=../..":
            yield Case(f"GET {path[:40]}", bare("GET", path))
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET", "PROPFIND"):
        yield Case(f"{method} /predict", bare(method, "/predict"))
    yield Case("POST /", post(b"{}", path="/"))
    yield Case("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200)
    yield Case("a version that is none", b"GET / HTTP/9.9\r\n\r\n")
    yield Case("a header of a megabyte", b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * MB + b"\r\n\r\n")
    heads = [*bare("POST", "/predict").split(b"\r\n")[:-2], b"content-length: 4", b"transfer-encoding: chunked"]
    both = b"\r\n".join([*heads, b"", b"0", b"", b""])
    yield Case("two lengths", both)
    yield Case(
        "chunks that are none", both.replace(b"content-length: 4\r\n", b"").replace(b"0\r\n\r\n", b"zz\r\nxx\r\n")
    )


def pictures() -> Iterator[Case]:
    """For a model of images."""
    whole = png(8, 8, (b"IDAT", zlib.compress(b"\x00" * 72)))
    bombs = {
        "a PNG of 2 billion pixels": png(50_000, 50_000, (b"IDAT", zlib.compress(b"\x00" * 1000))),
        "a PNG with a text that unpacks to 100 MB": png(
            8, 8, (b"zTXt", b"a\x00\x00" + zlib.compress(b"x" * 100_000_000))
        ),
        "a PNG whose pixels unpack to 100 MB": png(8, 8, (b"IDAT", zlib.compress(b"\x01" * 100_000_000))),
        "a PNG cut off": whole[:40],
        "a PNG whose palette is missing": png(8, 8, (b"IDAT", zlib.compress(b"\x00" * 72)), colour=3),
        "a GIF": b"GIF89a" + b"\x00" * 100,
        "a TIFF": b"II*\x00" + b"\x00" * 100,
        "nothing": b"",
    }
    for name, content in bombs.items():
        text = base64.b64encode(content).decode()
        harmless = name == "a PNG whose pixels unpack to 100 MB"
        yield Case(f"{name}, in JSON", post(json.dumps({"image": text}).encode()), harmless)
        yield Case(f"{name}, as a body", post(content, "image/png"), harmless)
        yield Case(f"{name}, in a form", post(form("image", content), "multipart/form-data; boundary=x"), harmless)
    for name, body, kind in (
        ("a form without a boundary", form("image", whole), "multipart/form-data"),
        ("a form with another boundary", form("image", whole, "y"), "multipart/form-data; boundary=x"),
        ("a form with another field", form("other", whole), "multipart/form-data; boundary=x"),
        (
            "a form with a text",
            form("image", whole).replace(b'; filename="a.png"', b""),
            "multipart/form-data; boundary=x",
        ),
        ("a form that never ends", form("image", whole)[:-9], "multipart/form-data; boundary=x"),
        (
            "a form with a file twice",
            form("image", whole).replace(b"--x--", b"") + form("image", whole),
            "multipart/form-data; boundary=x",
        ),
        ("a form with a long boundary", form("image", whole), "multipart/form-data; boundary=" + "x" * 10_000),
        ("a form of nothing", b"", "multipart/form-data; boundary=x"),
        ("a form with a header of a megabyte", form("x" * MB, whole), "multipart/form-data; boundary=x"),
        (
            "a form of many parts",
            (form("image", b"").replace(b"--x--\r\n", b"")) * 20_000,
            "multipart/form-data; boundary=x",
        ),
    ):
        yield Case(name, post(body, kind))
