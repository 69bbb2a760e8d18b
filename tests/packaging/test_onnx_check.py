"""Graphs that read what is not in them, however deep it is said: refused before ONNX Runtime is given them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from runcard.errors import BundleError
from runcard.packaging.onnx_check import check_graph
from runcard.packaging.onnx_graph import load_graph
from tests.conftest import Made
from tests.servers import ROOT

SECRET = "secret.bin"


def inner(name: str = "v") -> TensorProto:
    return numpy_helper.from_array(np.zeros(2, np.float32), name)


def outer(name: str = "v") -> TensorProto:
    """A tensor whose values lie in a file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=SECRET)
    return tensor


def graph(*nodes: NodeProto, tensors: tuple[TensorProto, ...] = (), inputs: bool = True) -> GraphProto:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("input", "y"))
    return helper.make_graph([*nodes], "g", [x] if inputs else [], [y], initializer=[*tensors])


def constant(tensor: TensorProto) -> NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor)


def model(content: GraphProto, *functions: onnx.FunctionProto) -> ModelProto:
    made = helper.make_model(content, opset_imports=[helper.make_opsetid("", 20)], functions=[*functions])
    made.ir_version = 10
    return made


def branch(tensor: TensorProto) -> NodeProto:
    """An If, in one of whose branches a tensor lies."""
    parts = [graph(constant(each), inputs=False) for each in (tensor, inner())]
    return helper.make_node("If", ["c"], ["y"], then_branch=parts[0], else_branch=parts[1])


def with_attribute(**said: object) -> ModelProto:
    node = helper.make_node("Identity", ["input"], ["y"])
    node.attribute.append(AttributeProto(name="a", **said))  # type: ignore[arg-type]
    return model(graph(node))


def sparse(tensor: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=inner("s"), indices=tensor, dims=[2])


def with_sparse() -> ModelProto:
    content = graph(helper.make_node("Identity", ["input"], ["y"]))
    content.sparse_initializer.append(sparse(outer()))
    return model(content)


def with_training() -> ModelProto:
    made = model(graph(helper.make_node("Identity", ["input"], ["y"])))
    made.training_info.add().algorithm.CopyFrom(graph(constant(outer()), inputs=False))
    return made


def with_function(domain: str, tensor: TensorProto) -> ModelProto:
    opsets = [helper.make_opsetid("", 20)]
    function = helper.make_function(domain, "F", ["input"], ["y"], [constant(tensor)], opsets)
    return model(graph(helper.make_node("F", ["input"], ["y"], domain=domain)), function)


def location_only() -> ModelProto:
    tensor = inner()
    tensor.data_location = TensorProto.EXTERNAL
    return model(graph(helper.make_node("Identity", ["v"], ["y"]), tensors=(tensor,)))


def data_only() -> ModelProto:
    tensor = inner()
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model(graph(helper.make_node("Identity", ["v"], ["y"]), tensors=(tensor,)))


OUTSIDE: dict[str, Callable[[], ModelProto]] = {
    "an initialiser": lambda: model(graph(helper.make_node("Identity", ["v"], ["y"]), tensors=(outer(),))),
    "an initialiser that nothing uses": lambda: model(graph(constant(inner()), tensors=(outer("u"),))),
    "a location alone": location_only,
    "a file alone": data_only,
    "an attribute": lambda: model(graph(constant(outer()))),
    "a list of tensors": lambda: with_attribute(type=AttributeProto.TENSORS, tensors=[inner(), outer()]),
    "a branch": lambda: model(graph(branch(outer()))),
    "a branch of a branch": lambda: with_attribute(type=AttributeProto.GRAPH, g=graph(branch(outer()))),
    "a list of graphs": lambda: with_attribute(type=AttributeProto.GRAPHS, graphs=[graph(branch(outer()))]),
    "a sparse tensor": with_sparse,
    "a sparse attribute": lambda: with_attribute(
        type=AttributeProto.SPARSE_TENSORS, sparse_tensors=[sparse(inner()), sparse(outer())]
    ),
    "a function": lambda: with_function("", outer()),
    "a graph for training": with_training,
}
FOREIGN: dict[str, Callable[[], ModelProto]] = {
    "an operator that reads a file": lambda: model(
        graph(helper.make_node("EPContext", ["input"], ["y"], domain="com.microsoft", ep_cache_context=SECRET))
    ),
    "an operator of others in a branch": lambda: with_attribute(
        type=AttributeProto.GRAPH, g=graph(helper.make_node("Gelu", ["input"], ["y"], domain="com.microsoft"))
    ),
    "a function of others": lambda: with_function("my.own", inner()),
}


@pytest.mark.parametrize("made", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_values_in_another_file_are_refused(made: Callable[[], ModelProto]) -> None:
    with pytest.raises(BundleError, match="the values of a tensor lie in another file"):
        check_graph(made().SerializeToString())


@pytest.mark.parametrize("made", FOREIGN.values(), ids=FOREIGN.keys())
def test_operators_of_others_are_refused(made: Callable[[], ModelProto]) -> None:
    with pytest.raises(BundleError, match="ONNX's own are taken only"):
        check_graph(made().SerializeToString())


def test_without_it_onnx_runtime_reads_the_file(away: Path) -> None:
    """Else none of this would be needed."""
    values = np.array([1.5, 2.5], np.float32)
    (away / SECRET).write_bytes(values.tobytes())
    content = model(graph(helper.make_node("Add", ["input", "v"], ["y"]), tensors=(outer(),))).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"input": np.zeros(2, np.float32)})[0], values)
    with pytest.raises(BundleError, match="the values of a tensor lie in another file"):
        load_graph(content)


def test_a_sound_graph_is_taken() -> None:
    content = model(graph(branch(inner()), tensors=(numpy_helper.from_array(np.array(True), "c"),)))
    session = load_graph(content.SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"input": np.zeros(2, np.float32)})[0], np.zeros(2, np.float32))


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def field(number: int, content: bytes, above: int = 0) -> bytes:
    return varint((number << 3 | 2) + above) + varint(len(content)) + content


ODD = {
    "a field number that is cut off at 32 bits": field(7, field(5, field(13, b"\n\1a", above=2**32))),
    "field 0": b"\x02\x00",
    "a group": b"\x0b\x0c",
    "a number without end": b"\xff" * 11,
    "a length beyond the end": b"\x3a\x7f",
    "a graph that is a number": b"\x38\x01",
    "ONNX Runtime's own format": b"\x0a\x7f\x00\x00ORTM" + b"\x00" * 200,
}


def deep(levels: int) -> bytes:
    """A graph in an attribute of a node of a graph, and so on."""
    part = b""
    for _ in range(levels):
        part = field(1, field(5, field(6, part)))
    return field(7, part)


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_what_is_no_graph(content: bytes) -> None:
    with pytest.raises(BundleError, match="not to be read"):
        check_graph(content)


def test_graphs_within_graphs_have_an_end() -> None:
    check_graph(deep(15))
    for levels in (30, 1000):
        with pytest.raises(BundleError, match="too deep"):
            check_graph(deep(levels))


@given(st.data())
def test_what_onnx_finds_in_damaged_graphs_is_found(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([made() for made in OUTSIDE.values()])).SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    parsed = ModelProto()
    try:
        check_graph(bytes(content))
    except BundleError:
        return
    try:
        parsed.ParseFromString(bytes(content))
    except Exception:
        return  # neither does ONNX Runtime
    tensors = [message for message in everything(parsed) if isinstance(message, TensorProto)]
    assert not any(tensor.external_data or tensor.data_location for tensor in tensors)


def everything(message: object) -> list[object]:
    """A message and all that lie in it."""
    found = [message]
    for kind, value in message.ListFields():  # type: ignore[attr-defined]
        if kind.message_type is not None:
            for each in value if kind.is_repeated else [value]:
                found += everything(each)
    return found


def test_a_bundle_says_nothing_of_the_machine_that_made_it(table_made: Made) -> None:
    content = (table_made.bundle.path / "model.onnx").read_bytes()
    for word in (str(ROOT).encode(), b"site-packages", b"stack_trace", b"runcard.models", b".py"):
        assert word not in content, word
