"""Bundles as a stranger would make them: each a change of a sound one, sealed again so that its digests fit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from runcard.packaging.manifest import MANIFEST, SEAL, seal, sum_of

Change = Callable[[Path], None]
# More than any process may take of memory here: 400 million numbers of 4 bytes.
HUGE = 400_000_000


def reseal(folder: Path) -> None:
    for name in (MANIFEST, SEAL):
        (folder / name).unlink(missing_ok=True)
    seal(folder)


def _text(name: str, content: str) -> Change:
    def edit(folder: Path) -> None:
        (folder / name).write_text(content)

    return edit


def _parsed(name: str, change: Callable[[dict], object]) -> Change:  # type: ignore[type-arg]
    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return edit


def _graph(make: Callable[[int, int], ModelProto]) -> Change:
    """Another graph, of the same inputs and outputs as the one that is there."""

    def edit(folder: Path) -> None:
        old = onnx.load(folder / "model.onnx").graph
        widths = [value.type.tensor_type.shape.dim[1].dim_value for value in (old.input[0], old.output[0])]
        (folder / "model.onnx").write_bytes(make(*widths).SerializeToString())

    return edit


def _model(nodes: list[onnx.NodeProto], wide: int, outputs: int, tensors: list[TensorProto]) -> ModelProto:
    x = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", wide])
    y = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    made = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], initializer=tensors), opset_imports=[helper.make_opsetid("", 20)]
    )
    made.ir_version = 10
    return made


def unfolds(wide: int, outputs: int) -> ModelProto:
    """A graph of 300 bytes that takes 1.6 GB."""
    shape = numpy_helper.from_array(np.array([HUGE], np.int64), "shape")
    zero = numpy_helper.from_array(np.array([0], np.int64), "axes")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceSum", ["huge", "axes"], ["one"], keepdims=1),
        helper.make_node("Add", ["input", "one"], ["output"]),
    ]
    return _model(nodes, wide, outputs, [shape, zero])


def unfolds_with_rows(wide: int, outputs: int) -> ModelProto:
    """One that takes it only when it answers: its size hangs on the rows."""
    nodes = [
        helper.make_node("Shape", ["input"], ["shape"], start=0, end=1),
        helper.make_node("Mul", ["shape", "many"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceSum", ["huge", "axes"], ["one"], keepdims=1),
        helper.make_node("Add", ["input", "one"], ["output"]),
    ]
    tensors = [
        numpy_helper.from_array(np.array([HUGE], np.int64), "many"),
        numpy_helper.from_array(np.array([0], np.int64), "axes"),
    ]
    return _model(nodes, wide, outputs, tensors)


def never_ends(wide: int, outputs: int) -> ModelProto:
    """A loop of as many rounds as there are numbers."""
    flag = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    count = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    state, after = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("s", "t"))
    out = helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["goes_on"]), helper.make_node("Sin", ["s"], ["t"])],
        "body",
        [count, flag, state],
        [out, after],
    )
    nodes = [helper.make_node("Loop", ["most", "true", "input"], ["output"], body=body)]
    tensors = [
        numpy_helper.from_array(np.array(2**62, np.int64), "most"),
        numpy_helper.from_array(np.array(True), "true"),
    ]
    return _model(nodes, wide, outputs, tensors)


def _linked(name: str, target: str) -> Change:
    def edit(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return edit


def _pipe(folder: Path) -> None:
    (folder / "metrics.json").unlink()
    os.mkfifo(folder / "metrics.json")


def _hole(name: str, size: int) -> Change:
    """A file that ends in nothing: it takes no room on the disk, and all memory once it is read."""

    def edit(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.truncate(size)

    return edit


def _named(name: str) -> Change:
    """A manifest that names one more file."""

    def edit(folder: Path) -> None:
        listing = json.loads((folder / MANIFEST).read_text()) | {name: "0" * 64}
        _write_manifest(folder, json.dumps(listing))

    return edit


def _write_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    (folder / SEAL).write_text(sum_of(text.encode()) + "\n")


DEEP = "[" * 100_000 + "]" * 100_000
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)

# Whose digests fit once they are sealed again; refused when they are read.
SEALED: dict[str, Change] = {
    "a card of aliases": _text("card.yaml", BOMB),
    "a card that is a list": _text("card.yaml", "[1, 2]"),
    "a card that names a class": _text("card.yaml", "a: !!python/object/apply:os.system [id]"),
    "a card without end": _text("card.yaml", "a: " + "[" * 10_000),
    "a card of two megabytes": _text("card.yaml", f"a: {'x' * 2_000_000}"),
    "a card whose limit is a text": _text("card.yaml", "data: {}\nserve: {max_rows: many}"),
    "a card whose limit is a list": _text("card.yaml", "data: {}\nserve: {timeout_s: [1]}"),
    "a card whose limit is not above 0": _text("card.yaml", "data: {}\nserve: {max_rows: -1}"),
    "a card whose limit is no number": _text("card.yaml", "data: {}\nserve: {timeout_s: .nan}"),
    "a card whose section is a list": _text("card.yaml", "data: {}\nserve: [1]"),
    "a card without rows": _text("card.yaml", "name: a"),
    "a card whose separator is a list": _text("card.yaml", "data: {separator: [1]}"),
    "a card whose separator is long": _text("card.yaml", "data: {separator: abc}"),
    "a card whose encoding is a list": _text("card.yaml", 'data: {separator: ",", encoding: [1]}'),
    "a card whose encoding is none": _text("card.yaml", 'data: {separator: ",", encoding: rot13}'),
    "a card whose marks are numbers": _text("card.yaml", "data: {null_values: [1]}"),
    "a signature nested deep": _text("signature.json", DEEP),
    "a signature that is a list": _text("signature.json", "[]"),
    "a signature of no fields": _text("signature.json", "{}"),
    "transforms nested deep": _text("transforms.json", DEEP),
    "transforms that are not JSON": _text("transforms.json", "\x00"),
    "transforms that are a number": _text("transforms.json", "1e999"),
    "a description nested deep": _text("bundle.json", '{"a": ' + DEEP + "}"),
    "a description of two megabytes": _text("bundle.json", json.dumps({"a": "x" * 2_000_000})),
    "a runtime that nobody knows": _parsed("bundle.json", lambda about: about.update(runtime="pickle")),
    "a runtime that is a path": _parsed("bundle.json", lambda about: about.update(runtime="../../evil")),
    "reference rows without answers": _parsed("reference.json", lambda said: said.pop("answers")),
    "reference rows that are a text": _parsed("reference.json", lambda said: said.update(rows="rows")),
    "reference answers of another shape": _parsed("reference.json", lambda said: said.update(answers=[[1.0]])),
    "no graph": lambda folder: (folder / "model.onnx").unlink(),
    "an empty graph": _text("model.onnx", ""),
    "a graph that is a text": _text("model.onnx", "import os"),
    "a graph whose answers are others": _graph(
        lambda wide, outputs: _model([helper.make_node("Identity", ["input"], ["output"])], wide, outputs, [])
    ),
}
# Refused for what lies in the folder, whatever the digests are: sealed before the change.
UNSEALED: dict[str, Change] = {
    "a name that leads up": _named("../../dev/zero"),
    "a name that begins at the root": _named("/dev/zero"),
    "a name of nothing": _named(""),
    "a name that moves the cursor": _named("\x1b[2J"),
    "names by the thousand": lambda folder: _write_manifest(
        folder, json.dumps({f"n{number}": "0" * 64 for number in range(1000)})
    ),
    "a manifest nested deep": lambda folder: _write_manifest(folder, DEEP),
    "a manifest that is a list": lambda folder: _write_manifest(folder, "[]"),
    "a digest that is a number": lambda folder: _write_manifest(folder, '{"model.onnx": 1}'),
    "a manifest of a terabyte": _hole(MANIFEST, 2**40),
    "a graph of a terabyte": _hole("model.onnx", 2**40),
    "a signature of a terabyte": _hole("signature.json", 2**40),
    "a pipe": _pipe,
    "a device": _linked("metrics.json", "/dev/zero"),
    "another's file": _linked("README.md", "/etc/passwd"),
    "a link to itself": _linked("README.md", "README.md"),
}
# Refused only by what they do.
ACTING: dict[str, Change] = {
    "a graph that unfolds": _graph(unfolds),
    "a graph that unfolds with its rows": _graph(unfolds_with_rows),
    "a graph that never ends": _graph(never_ends),
    "a file of holes": _hole("pad.onnx", 2**31),  # by its length the bundle might take ten gigabytes
}


def make(folder: Path, name: str) -> None:
    """Change a copy of a sound bundle into the one of this name."""
    if name in UNSEALED:
        UNSEALED[name](folder)
        return
    (SEALED | ACTING)[name](folder)
    reseal(folder)
