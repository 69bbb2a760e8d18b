"""The bundle: a trained model as files that nothing but this room's own code is needed to answer with.

    model.onnx          the network, weights inside             model.safetensors  the weights alone
    signature.json      what goes in and comes out              transforms.json    rows to numbers, numbers to answers
    reference.json      rows, and how the run answered them     bundle.json        name, problem, versions
    card.yaml           the card                                metrics.json       its scores
    manifest.json       SHA-256 of each file                    manifest.sha256    SHA-256 of the manifest

Serving reads it, so this file imports neither torch nor anything of the card. No file of it is a pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runcard.data.fields import Fields, to_columns
from runcard.data.signature import Columns, Signature
from runcard.data.transforms import Transforms
from runcard.errors import BundleError

GRAPH, WEIGHTS = "model.onnx", "model.safetensors"
SIGNATURE, TRANSFORMS, REFERENCE = "signature.json", "transforms.json", "reference.json"
ABOUT, CARD, METRICS = "bundle.json", "card.yaml", "metrics.json"
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
# How far an answer may be from the run's: a probability, or a number in deviations of the target.
TOLERANCE = 1e-5
# Rows at once; more would only take more memory.
ANSWER_BATCH = 1024


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been verified and answers.

    Attributes:
        path: Its folder.
        signature: What it takes and gives.
        transforms: How rows become numbers and outputs become answers.
        about: Name, problem and versions.
        metrics: The run's scores.
        session: The network.
    """

    path: Path
    signature: Signature
    transforms: Transforms
    about: dict[str, Any]
    metrics: dict[str, float]
    session: onnxruntime.InferenceSession

    def answer(self, columns: Columns) -> NDArray[np.float64]:
        """Probabilities ``(rows, classes)``, or numbers ``(rows,)`` in the target's unit."""
        return self.transforms.target.decode(self.outputs(self.transforms.apply(columns)))

    def outputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's raw outputs, ``(rows, outputs)``."""
        name = self.session.get_inputs()[0].name
        starts = range(0, len(inputs), ANSWER_BATCH)
        parts = [self.session.run(None, {name: inputs[start : start + ANSWER_BATCH]})[0] for start in starts]
        width = self.transforms.target.outputs
        return np.concatenate(parts) if parts else np.empty((0, width), dtype=np.float32)

    def deviation(self, answers: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
        """The largest difference of two sets of answers, in the unit of ``TOLERANCE``; infinite if a class differs."""
        if self.signature.target.classes and (answers.argmax(axis=1) != expected.argmax(axis=1)).any():
            return float("inf")
        return float(np.abs(answers - expected).max(initial=0.0)) / self.transforms.target.std


def open_bundle(path: Path) -> Bundle:
    """Verify a bundle, load it, and have it answer its reference rows as the run did.

    Raises:
        BundleError: If a file is missing or changed, or this machine computes other answers.
    """
    verify(path)
    try:
        signature = Signature.from_dict(_read(path / SIGNATURE))
        bundle = Bundle(
            path,
            signature,
            Transforms.from_dict(_read(path / TRANSFORMS), signature),
            _read(path / ABOUT),
            _read(path / METRICS),
            load_graph((path / GRAPH).read_bytes()),
        )
        reference = _read(path / REFERENCE)
        rows: Sequence[Fields] = reference["rows"]
        expected = np.array(reference["answers"], dtype=np.float64)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"the bundle {path} cannot be read by this version: {error!r}") from error
    apart = bundle.deviation(bundle.answer(to_columns(signature, rows)), expected)
    if not apart <= TOLERANCE:
        raise BundleError(
            f"the bundle {path} answers its reference rows differently on this machine: by {apart:.2g}, "
            f"and {TOLERANCE:g} is the most. Package the run again here."
        )
    return bundle


def load_graph(graph: bytes) -> onnxruntime.InferenceSession:
    """A network ready to answer, on one thread: requests share the cores, not one request."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def seal(path: Path) -> None:
    """Write the manifest of all files that a folder holds; the last thing to be written."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    manifest = {file.relative_to(path).as_posix(): _digest(file) for file in files}
    (path / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (path / SEAL).write_text(_digest(path / MANIFEST) + "\n", encoding="utf-8")


def verify(path: Path, *names: str) -> None:
    """Compare files with the manifest.

    Args:
        path: The bundle's folder.
        names: Only these files; none: every one.

    Raises:
        BundleError: If one is missing or was changed; the message names it.
    """
    try:
        sealed = (path / SEAL).read_text(encoding="utf-8")
        if sealed != _digest(path / MANIFEST) + "\n":
            raise BundleError(_changed(path, MANIFEST, f"it does not fit {SEAL}"))
        manifest: dict[str, str] = _read(path / MANIFEST)
    except (OSError, ValueError) as error:
        raise BundleError(_changed(path, f"{MANIFEST} or {SEAL}", str(error))) from error
    for name in names or manifest:
        file = path / name
        if not file.is_file():
            raise BundleError(_changed(path, name, "it is missing"))
        if _digest(file) != manifest.get(name):
            raise BundleError(_changed(path, name, f"its SHA-256 is not the one in {MANIFEST}"))


def _changed(path: Path, name: str, how: str) -> str:
    return f"the bundle {path} is damaged: {name} is not what was packaged ({how}). Package the run again."


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _read(file: Path) -> dict[str, Any]:
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} must hold a JSON object")
    return content
