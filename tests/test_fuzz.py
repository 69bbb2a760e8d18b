"""Files and bodies of every structure, and damaged ones: refused in words, or read rightly; never much memory.

A minute together. For longer: ``FUZZ_EXAMPLES=50000 .venv/bin/python -m pytest tests/test_fuzz.py``.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runcard.data.reading.frames import column_names, read_csv_text, read_frame
from runcard.data.reading.layout import Reading
from runcard.data.signature import Feature
from runcard.errors import DataError
from runcard.packaging.bundle import open_bundle
from runcard.serving.http import Answer, Asked, RefusedError
from runcard.serving.images import read_png
from runcard.serving.predictor import Predictor
from runcard.serving.reading import Requests
from tests.conftest import Made
from tests.serving.arrow_streams import STREAMS
from tests.serving.hostile import ARROW, CSV, GOOD, JSON, arrow

pytestmark = pytest.mark.slow

Found = TypeVar("Found")
Wrong = TypeVar("Wrong", bound=Exception)

PATH = "/predict/batch"
MOST_MB = 100
FUZZED = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "500")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# What polars can write, by the values that it is written from.
NUMBERS: list[Any] = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
NUMBERS += [pl.Float32, pl.Float64, pl.Decimal(20, 3)]
OTHERS: list[Any] = [pl.String, pl.Categorical, pl.Boolean, pl.Binary, pl.Date, pl.Datetime("us"), pl.Time, pl.Null]
OTHERS += [pl.Datetime("ns", "Europe/Berlin"), pl.Duration("ms"), pl.Int128, pl.Enum(["Ulm", "Bonn", ""])]
PLAIN = st.sampled_from(NUMBERS + OTHERS)
KINDS = st.one_of(
    PLAIN,
    PLAIN.map(pl.List),
    st.tuples(PLAIN, st.integers(0, 3)).map(lambda each: pl.Array(*each)),
    st.dictionaries(st.text(max_size=3), PLAIN, max_size=3).map(lambda each: pl.Struct(each)),
)
NAMES = st.one_of(st.sampled_from(list(GOOD)), st.text(max_size=8))
BYTE = st.one_of(st.sampled_from([0, 1, 127, 128, 255]), st.integers(0, 255))
# Where and what; places are shares of the length, and most often near the beginning, where the description is.
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), BYTE), max_size=8)


@st.composite
def frames(draw: st.DrawFn, kinds: st.SearchStrategy[Any] = KINDS) -> pl.DataFrame:
    """A table of columns of any kind; often those that the model asks for."""
    names = draw(st.one_of(st.just(list(GOOD)), st.lists(NAMES, min_size=1, max_size=6, unique=True)))
    height = draw(st.integers(0, 5))
    columns = []
    for name in names:
        kind = draw(kinds)
        whole = draw(st.lists(st.integers(-3, 200), min_size=height, max_size=height))
        columns.append(_column(name, whole, kind))
    return pl.DataFrame(columns)


def _column(name: str, whole: list[int], kind: Any) -> pl.Series:
    """Whole numbers as a column of a kind; what it has no value for is missing."""
    if kind == pl.Enum(["Ulm", "Bonn", ""]) or kind in (pl.String, pl.Categorical):
        return pl.Series(name, [("Ulm", "Bonn", "")[each % 3] for each in whole], dtype=kind)
    if isinstance(kind, pl.List):
        return pl.Series(name, [_column("", [each] * (each % 3), kind.inner) for each in whole], dtype=kind)
    if isinstance(kind, pl.Array):
        return pl.Series(name, [_column("", [each] * kind.size, kind.inner) for each in whole], dtype=kind)
    if isinstance(kind, pl.Struct):
        parts = [_column(field.name, whole, field.dtype) for field in kind.fields]
        return pl.DataFrame(parts).to_struct(name) if parts else pl.Series(name, [{}] * len(whole), dtype=kind)
    if kind == pl.Binary:
        return pl.Series(name, [bytes([each % 256]) for each in whole], dtype=kind)
    if kind == pl.Null:
        return pl.Series(name, [None] * len(whole), dtype=kind)
    return pl.Series(name, whole, dtype=pl.Int64).cast(kind, strict=False)


def damaged(content: bytes, damage: list[tuple[float, int]]) -> bytes:
    """Content with some bytes changed."""
    changed = bytearray(content)
    for share, byte in damage:
        if changed:
            changed[int(share * share * len(changed))] = byte
    return bytes(changed)


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail if this process takes much more memory meanwhile than it had."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    yield
    grown = (_memory("VmHWM") - before) / 1024
    assert grown <= MOST_MB, f"{grown:.0f} MB"


def _memory(name: str) -> int:
    (found,) = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found)


@pytest.fixture(scope="module")
def requests(table_made: Made) -> Requests:
    return Requests(Predictor(open_bundle(table_made.bundle.path), table_made.bundle.tag))


def ask(requests: Requests, body: bytes, kind: str, path: str = PATH) -> Answer | None:
    """The answer; None: it was refused as the client's mistake."""
    asked = Asked("POST", path, {b"content-type": kind.encode()}, body)
    answer, refused = tried(lambda: requests.routes()[path](asked), RefusedError)
    if refused is not None:
        assert 400 <= refused.status < 500
        assert "Traceback" not in refused.message
    return answer


def tried(call: Callable[[], Found], kind: type[Wrong]) -> tuple[Found | None, Wrong | None]:
    """What a call gives, or the one error that it may raise; with little memory."""
    with little_memory():
        try:
            return call(), None
        except kind as error:
            return None, error


def one_line(error: Exception | None) -> bool:
    """Whether a table is read, or refused in a line."""
    return error is None or "\n" not in str(error)


@FUZZED
@given(frames(), st.sampled_from([None, pl.CompatLevel.oldest()]), DAMAGE)
def test_arrow_streams(requests: Requests, frame: pl.DataFrame, level: Any, damage: list[tuple[float, int]]) -> None:
    settings = {} if level is None else {"compat_level": level}
    ask(requests, damaged(arrow(frame, **settings), damage), ARROW)


@FUZZED
@given(st.sampled_from(sorted(STREAMS)), DAMAGE)
def test_arrow_streams_of_others(requests: Requests, name: str, damage: list[tuple[float, int]]) -> None:
    ask(requests, damaged(STREAMS[name], damage), ARROW)


@FUZZED
@given(frames(st.sampled_from(NUMBERS)), st.lists(st.sampled_from(["Ulm", "Bonn", "Rom"]), min_size=5, max_size=5))
def test_arrow_is_answered_as_json_is(requests: Requests, frame: pl.DataFrame, cities: list[str]) -> None:
    """Numbers of whatever width and text of whatever form are what they are as JSON."""
    assume(set(GOOD) <= set(frame.columns) and len(frame))
    texts = pl.Series("city", cities[: len(frame)])
    member = (frame["member"].cast(pl.Float64) > 50).alias("member")
    frame = frame.with_columns(texts.cast(pl.Categorical), member)
    answer = ask(requests, arrow(frame), ARROW)
    assert answer is not None
    rows = frame.select(list(GOOD)).cast(dict.fromkeys(("age", "spent"), pl.Float64)).to_dicts()
    said = [requests.predict(Asked("POST", "/predict", {b"content-type": JSON.encode()}, json.dumps(rows).encode()))]
    expected = [each["probabilities"]["yes"] for each in json.loads(said[0].body)]
    found = pl.read_ipc_stream(io.BytesIO(answer.body))["probability_yes"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


CELL = st.one_of(
    st.sampled_from(
        ["", "1", "-0", "1e400", "nan", "Ulm", "true", "TRUE", '"', '""', '"a,b"', '"a\nb"', "\x00", "é", "1,5"]
    ),
    st.text(max_size=6),
)


@FUZZED
@given(
    st.lists(NAMES, max_size=6),
    st.lists(st.lists(CELL, max_size=6), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    DAMAGE,
)
def test_csv(requests: Requests, head: list[str], rows: list[list[str]], by: str, end: str, damage: Any) -> None:
    body = end.join(map(by.join, [head, *rows])).encode("utf-8", "surrogatepass")
    ask(requests, damaged(body, damage), CSV)
    assert one_line(tried(lambda: read_csv_text(damaged(body, damage), Reading(by)), DataError)[1])


JSON_VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=8,
)
ROW = st.fixed_dictionaries({}, optional={name: st.one_of(st.just(value), JSON_VALUE) for name, value in GOOD.items()})


@FUZZED
@given(st.one_of(ROW, st.lists(ROW, max_size=3), JSON_VALUE), DAMAGE, st.sampled_from(["/predict", "/explain", PATH]))
def test_json(requests: Requests, content: Any, damage: list[tuple[float, int]], path: str) -> None:
    answer = ask(requests, damaged(json.dumps(content).encode(), damage), JSON, path)
    if answer is not None:
        json.loads(answer.body, parse_constant=pytest.fail)


COMPRESSIONS: Any = st.sampled_from(["uncompressed", "snappy", "zstd", "gzip", "lz4"])


@FUZZED
@given(frames(), COMPRESSIONS, st.integers(1, 3), DAMAGE)
def test_parquet_files(
    tmp_path_factory: pytest.TempPathFactory, frame: pl.DataFrame, packed: Any, group: int, damage: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.parquet"
    try:
        frame.write_parquet(path, compression=packed, row_group_size=group)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        assume(False)  # a kind that Parquet has not
    # The description stands at the end.
    path.write_bytes(damaged(path.read_bytes()[::-1], damage)[::-1])
    assert one_line(tried(lambda: column_names(path), DataError)[1])
    assert one_line(tried(lambda: read_frame(path), DataError)[1])


CHUNK = st.tuples(
    st.sampled_from(
        [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"fdAT"]
    ),
    st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(zlib.compress), st.just(zlib.compress(bytes(10**7)))),
)
HEAD = st.tuples(
    st.sampled_from([0, 1, 8, 2**31 - 1]),
    st.sampled_from([0, 8, 50_000]),
    st.sampled_from([0, 1, 2, 4, 8, 16, 255]),
    st.integers(0, 7),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 2),
)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.filterwarnings("ignore:Invalid APNG:UserWarning")
@FUZZED
@given(HEAD, st.lists(CHUNK, max_size=5), st.sampled_from([1, 3, 4]), DAMAGE)
def test_png(head: tuple[int, ...], chunks: list[tuple[bytes, bytes]], channels: int, damage: Any) -> None:
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", *head)),
        *chunks,
        (b"IDAT", zlib.compress(bytes(8 * 33))),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in parts)
    feature = Feature(name="image", kind="image", shape=(channels, 8, 8), low=0.0, high=16.0)
    image, error = tried(lambda: read_png(damaged(content, damage), feature), ValueError)
    if image is None:
        assert str(error).startswith("must be")
    else:
        assert image.shape == feature.shape
        assert np.isfinite(image).all()
