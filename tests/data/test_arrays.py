"""Arrays on disk: what they become, what is refused, and that a fit of them is a fit like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard.data import dataset
from runcard.data.arrays import Arrays
from runcard.data.dataset import Dataset, learn
from runcard.data.split import split
from runcard.evaluation import baselines
from tests.conftest import TINY, Command, Made, write_arrays

pytestmark = pytest.mark.usefixtures("undrawn")

FILES = ["data=arrays", "data.inputs=inputs.npy", "data.targets=targets.npy"]
DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool", ">f4"]


def prepared(inputs: Any, targets: Any) -> Dataset:
    np.save("inputs.npy", inputs)
    np.save("targets.npy", targets)
    rows = Arrays("inputs.npy", "targets.npy").read("target", "auto")
    return learn(rows, split(rows, seed=0, validation=0.2, test=0.2))


@pytest.mark.parametrize(("shape", "kind"), [((7,), "vector"), ((5, 2), "sequence"), ((3, 4, 5), "image")])
def test_dimensions_tell_the_kind(shape: tuple[int, ...], kind: str) -> None:
    write_arrays(Path(), *shape)
    rows = Arrays("inputs.npy", "targets.npy").read("target", "auto")
    assert rows.kinds == {kind: kind}
    assert rows.mapped
    data = learn(rows, split(rows, seed=0, validation=0.2, test=0.2))
    assert data.lazy
    assert data.signature.features[0].shape == data.transforms.input_shape(data.signature) == shape


@given(st.sampled_from(DTYPES), st.sampled_from([(7,), (5, 2), (2, 3, 4)]), st.integers(0, 1000), st.data())
@settings(deadline=None, max_examples=20)
def test_any_rows_are_taken_as_numpy_would_scale_them(
    dtype: str, shape: tuple[int, ...], seed: int, draws: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    inputs = (random.normal(size=(60, *shape)) * 50).clip(0, 120).astype(dtype)
    gaps = np.dtype(dtype).kind == "f" and len(shape) < 3
    if gaps:
        inputs[random.random(inputs.shape) < 0.1] = np.nan
    data = prepared(inputs, np.arange(60) % 2)
    rows = np.array(draws.draw(st.lists(st.integers(0, 59), max_size=20)), dtype=np.int64)
    axes = (0, 1, 2, 3) if len(shape) == 3 else tuple(range(inputs.ndim - 1))
    learned = inputs[data.indices("train")].astype(np.float64)
    mean, std = np.nanmean(learned, axis=axes), np.nanstd(learned, axis=axes)
    expected = (inputs.astype(np.float64) - mean) / np.where(std > 0, std, np.inf)
    taken = data.take(rows)
    assert taken.dtype == np.float32
    assert taken.shape == (len(rows), *shape)
    np.testing.assert_allclose(taken, np.nan_to_num(expected)[rows], rtol=1e-4, atol=1e-4)
    assert data.signature.features[0].missing == (gaps and bool(np.isnan(learned).any()))


def test_large_images_are_learned_from_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 255, size=(80, 3, 16, 16)).astype(np.uint8)
    whole = prepared(images, np.arange(80) % 2).transforms.steps[0]
    monkeypatch.setattr("runcard.data.transforms.MAX_PIXELS", 1000)
    monkeypatch.setattr("runcard.data.moments.STRETCH", 1000)
    parts = prepared(images, np.arange(80) % 2).transforms.steps[0]
    assert (parts.mean, parts.std) == pytest.approx((whole.mean, whole.std), rel=1e-5)
    assert parts.fill == parts.mean


TARGETS: dict[str, tuple[Any, str, list[str]]] = {
    "whole numbers": (np.tile([10, 2], 20), "auto", ["2", "10"]),
    "more than twenty of them": (np.repeat(np.arange(25), 2), "auto", [str(name) for name in range(25)]),
    "texts": (np.tile(["b", "a"], 20), "auto", ["a", "b"]),
    "truth values": (np.tile([True, False], 20), "auto", ["false", "true"]),
    "numbers": (np.linspace(0, 1, 40), "auto", []),
    "whole numbers to measure": (np.arange(40), "regression", []),
    "numbers to tell apart": (np.tile([0.0, 1.5], 20), "classification", ["0", "1.5"]),
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets(case: str) -> None:
    targets, task, classes = TARGETS[case]
    np.save("inputs.npy", np.zeros((len(targets), 3)))
    np.save("targets.npy", targets)
    rows = Arrays("inputs.npy", "targets.npy").read("target", task)  # type: ignore[arg-type]
    assert list(rows.classes) == classes
    assert rows.task == ("classification" if classes else "regression")
    if not classes:
        np.testing.assert_array_equal(rows.target, targets.astype(np.float64))


def save(inputs: Any = None, targets: Any = None) -> None:
    np.save("inputs.npy", np.zeros((40, 3)) if inputs is None else inputs)
    np.save("targets.npy", np.arange(40) % 2 if targets is None else targets)


def cut(count: int, key: bytes = b"") -> None:
    save()
    content = Path("inputs.npy").read_bytes().replace(key, key[::-1])
    Path("inputs.npy").write_bytes(content[:count] if count else content + b"\0")


def with_value(value: float, *place: int, shape: tuple[int, ...] = (40, 3), dtype: str = "float32") -> Any:
    values = np.zeros(shape, dtype=dtype)
    values[place] = value
    return values


BAD: dict[str, tuple[Callable[[], Any], list[str], int, str]] = {
    "missing file": (lambda: np.save("inputs2.npy", np.zeros(3)), [], 4, "inputs.npy. In that folder are: inputs2.npy"),
    "a folder": (lambda: Path("inputs.npy").mkdir(), [], 4, "Is a directory"),
    "an empty file": (lambda: Path("inputs.npy").write_bytes(b""), [], 4, "it is no .npy file"),
    "another ending": (save, ["data.inputs=inputs.npz"], 2, "data.inputs: 'inputs.npz' is no .npy file"),
    "another ending of both": (save, ["data.inputs=a.csv", "data.targets=b.csv"], 2, "the card has 2 mistakes"),
    "another format": (lambda: Path("inputs.npy").write_text("x,y\n" * 99), [], 4, "it is no .npy file"),
    "a later version": (lambda: Path("inputs.npy").write_bytes(b"\x93NUMPY\x09\x00" * 9), [], 4, "version 9.0"),
    "a damaged header": (lambda: cut(0, b"descr"), [], 4, "its header is damaged"),
    "cut in the header": (lambda: cut(30), [], 4, "its header is damaged"),
    "cut in the numbers": (lambda: cut(500), [], 4, "promises 1,088 bytes, and it holds 500"),
    "longer than it says": (lambda: cut(0), [], 4, "promises 1,088 bytes, and it holds 1,089"),
    "pickled objects": (lambda: save(np.array([{}] * 40)), [], 4, "only pickle can read"),
    "pickled targets": (lambda: save(None, np.array(["a", None] * 20)), [], 4, "only pickle can read"),
    "structured": (lambda: save(np.zeros(40, dtype=[("a", "f4")])), [], 4, "a structured array"),
    "complex": (lambda: save(np.zeros((40, 3), dtype=complex)), [], 4, "holds complex128"),
    "texts as inputs": (lambda: save(np.full((40, 3), "x")), [], 4, "holds <U1"),
    "dates as inputs": (lambda: save(np.zeros((40, 3), dtype="M8[s]")), [], 4, "holds datetime64[s]"),
    "column by column": (lambda: save(np.asfortranarray(np.zeros((40, 3)))), [], 4, "ascontiguousarray"),
    "one dimension": (lambda: save(np.zeros(40)), [], 4, "has the shape (40,)"),
    "five dimensions": (lambda: save(np.zeros((40, 1, 1, 1, 1))), [], 4, "inputs are (rows, width)"),
    "rows of nothing": (lambda: save(np.zeros((40, 0))), [], 4, "its rows hold nothing"),
    "no rows": (lambda: save(np.zeros((0, 3)), np.zeros(0, dtype=int)), [], 4, "has no rows"),
    "few rows": (lambda: save(np.zeros((4, 3)), np.arange(4) % 2), [], 4, "4 rows are too few"),
    "unequal rows": (lambda: save(None, np.arange(39) % 2), [], 4, "has 40 rows, and"),
    "targets of two dimensions": (lambda: save(None, np.zeros((40, 1))), [], 4, "targets are (rows,)"),
    "bytes as targets": (lambda: save(None, np.array([b"a", b"b"] * 20)), [], 4, "holds |S1"),
    "complex targets": (lambda: save(None, np.zeros(40, dtype="c8")), [], 4, "holds complex64"),
    "NaN as a target": (lambda: save(None, with_value(np.nan, 7, shape=(40,))), [], 4, "1 of 40 rows (row 7; counted"),
    "an infinite target": (lambda: save(None, with_value(np.inf, 7, shape=(40,))), [], 4, "no finite number"),
    "an empty text": (lambda: save(None, np.array(["a", "b", "c", ""] * 10)), [], 4, "an empty text in 10 of 40"),
    "one class": (lambda: save(None, np.zeros(40, dtype=int)), [], 4, "'0' in every row"),
    "a class in one row": (lambda: save(None, np.arange(40) // 39), [], 4, "single row: '1'"),
    "hardly two rows a class": (lambda: save(None, np.arange(40)), [], 4, "say problem.task=regression"),
    "the same number": (lambda: save(None, np.zeros(40)), [], 4, "nothing to predict"),
    "texts to measure": (
        lambda: save(None, np.array(["a", "b"] * 20)),
        ["problem.task=regression"],
        4,
        "choose classification",
    ),
    "infinite": (lambda: save(with_value(np.inf, 5, 1)), [], 4, "row 5, counted from 0, holds inf"),
    "infinite half": (lambda: save(with_value(-np.inf, 5, 1, dtype="float16")), [], 4, "row 5, counted from 0, holds"),
    "a mark for missing": (lambda: save(with_value(-1e31, 5, 1)), [], 4, "row 5, counted from 0, holds -1e+31"),
    "NaN in an image": (lambda: save(with_value(np.nan, 5, 0, 1, 1, shape=(40, 1, 2, 2))), [], 4, "holds nan; a pixel"),
    "the name of the inputs": (save, ["problem.target=vector"], 2, "the inputs are called 'vector'"),
    "no convolution for a vector": (save, ["model=cnn"], 2, "Choose model=mlp"),
    "not given": (save, ["data.inputs=???"], 2, "data.inputs: must be given"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(case: str, command: Command) -> None:
    prepare, words, code, says = BAD[case]
    prepare()
    said = command("fit", *FILES, *words, *TINY)
    assert (said.code, says in said.err) == (code, True), said.err
    assert "Traceback" not in said.err
    assert not Path("runs").exists()


def test_headers_alone_are_checked_before_a_fit(command: Command) -> None:
    save(with_value(np.inf, 5, 1))
    assert command("check", *FILES).code == 0
    save(None, np.zeros(39))
    assert command("check", *FILES).code == 4


def test_the_files_are_stored_absolute_and_their_bytes_are_the_fingerprint(command: Command) -> None:
    write_arrays(Path())
    run = runcard.fit(runcard.load_card([*FILES, *TINY]))
    assert run.card.to_dict()["data"]["inputs"] == str(Path("inputs.npy").absolute())
    assert run.card.to_dict()["data"]["targets"] == str(Path("targets.npy").absolute())
    before = run.metrics
    assert runcard.evaluate(run.path).metrics.items() >= before.items()
    for name in ("inputs.npy", "targets.npy"):
        content = bytearray(Path(name).read_bytes())
        content[-4] ^= 1
        Path(name).write_bytes(content)
        said = command("evaluate", str(run.path))
        assert (said.code, "the data has changed" in said.err) == (4, True), said.err
        content[-4] ^= 1
        Path(name).write_bytes(content)


@pytest.mark.parametrize("task", ["regression", pytest.param("classification", marks=pytest.mark.slow)])
def test_stretches_change_nothing_that_matters(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(Path(), 4, 3)
    if task == "regression":
        np.save("targets.npy", np.load("inputs.npy").sum(axis=(1, 2)))
    run = runcard.fit(runcard.load_card([*FILES, "model=linear", "trainer.max_epochs=2"]))
    before = run.metrics
    monkeypatch.setattr(dataset, "TAKEN_NUMBERS", 50)
    assert runcard.evaluate(run.path).metrics == pytest.approx(before, rel=1e-4, abs=1e-6)
    if task == "classification":
        packaged = runcard.package(run.path, http=False)
        assert packaged.deviation <= 1e-5
        assert packaged.compared == 200 + 2


def test_the_report_says_that_baselines_learned_from_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(Path(), 4, 3)
    run = runcard.fit(runcard.load_card([*FILES, "trainer.max_epochs=1"]))
    assert "baselines learned from" not in run.folder.report.read_text()
    assert "4×3" in run.folder.report.read_text()
    monkeypatch.setattr(baselines, "MAX_LAZY_ROWS", 50)
    runcard.evaluate(run.path)
    assert "baselines learned from 50 of the" in run.folder.report.read_text()


@pytest.mark.parametrize("kind", ["sequence", pytest.param("vector", marks=pytest.mark.slow)])
def test_a_run_answers_rows_from_a_file(kind: str, request: pytest.FixtureRequest, command: Command) -> None:
    run = request.getfixturevalue(f"{kind}_made").run
    rows, _ = runcard.tested_rows(run.path)
    expected = pl.read_parquet(run.folder.predictions)["prediction"].to_list()
    Path("rows.json").write_text(json.dumps(rows))
    pl.DataFrame({kind: [json.dumps(row[kind]) for row in rows]}).write_csv("rows.csv")
    for file in ("rows.json", "rows.csv"):
        said = command("predict", str(run.path), file, "-o", "answers.csv")
        assert said.code == 0, said.err
        assert pl.read_csv("answers.csv")["prediction"].to_list() == expected
    assert run.predict(pl.DataFrame({kind: []})).height == 0


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("[1, 2]", "must hold vectors of 12 numbers each, as lists"),
        (json.dumps(["x"] * 12), "must hold vectors of 12 numbers each, as lists"),
        (json.dumps([1e31] + [0] * 11), "the vector in row 1 has a number above 1e+30"),
        (json.dumps([[0] * 11 + [10**400]]), "must hold vectors of 12"),
    ],
)
def test_a_file_of_other_rows_is_refused(cell: str, says: str, vector_made: Made, command: Command) -> None:
    pl.DataFrame({"vector": [cell]}).write_csv("rows.csv")
    said = command("predict", str(vector_made.run.path), "rows.csv", "-o", "answers.csv")
    assert (said.code, says in said.err) == (4, True), said.err
