"""The bundle: a trained model as files that nothing but this room's own code is needed to answer with.

    model.onnx          the network, weights inside             model.safetensors  the weights alone
    signature.json      what goes in and comes out              transforms.json    rows to numbers, numbers to answers
    reference.json      rows, and how the run answered them     bundle.json        name, problem, data, commit, versions
    card.yaml           the card                                metrics.json       its scores
    manifest.json       SHA-256 of each file                    manifest.sha256    SHA-256 of the manifest
    README.md           the model card, for people and the Hugging Face hub
    model.sig           if it is signed: by whom, over all other files; no manifest names it

A network that ONNX cannot express has no model.onnx, and bundle.json says that it is served with torch. Serving reads
bundles, so this file imports neither torch nor anything of the card, but for such a one. No file of it is a pickle.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runcard.card.sections.parts import is_encoding
from runcard.data.fields import Fields, to_columns
from runcard.data.signature import Array, Columns, Signature
from runcard.data.transforms import Transforms, rows_at_once
from runcard.errors import BundleError, CardError
from runcard.packaging.manifest import MANIFEST, SEAL, damaged, read_manifest, read_sealed
from runcard.packaging.onnx_graph import load_graph
from runcard.visible import one_line
from runcard.yamltext import parse_yaml

GRAPH, WEIGHTS = "model.onnx", "model.safetensors"
SIGNATURE, TRANSFORMS, REFERENCE = "signature.json", "transforms.json", "reference.json"
ABOUT, CARD, METRICS = "bundle.json", "card.yaml", "metrics.json"
MODEL_CARD = "README.md"
# What a manifest has to name, for nothing is answered without them; BentoML adds its own description.
FILES = frozenset({WEIGHTS, SIGNATURE, TRANSFORMS, REFERENCE, ABOUT, CARD, METRICS})
ONNX, TORCH = "onnx", "torch"
# What answers, as bundle.json says → what the manifest has to name besides.
RUNTIMES: Mapping[str, frozenset[str]] = {ONNX: frozenset({GRAPH}), TORCH: frozenset()}
# What answering with torch takes, and what serving with ONNX, a Bento say, does without.
FOR_TORCH = ("torch", "safetensors", "runcard.packaging.torch_graph")
# How far an answer may be from the run's: a probability, or a number in deviations of the target; where that is
# further from the mean than one deviation, as a share of that way.
TOLERANCE = 1e-5
INPUT = "input"  # of the graph
LONGEST_SAID = 500  # characters of an error of which the bundle may be the author


class Network(Protocol):
    """What ONNX Runtime's sessions are, and what answers in their place."""

    def run(self, names: None, inputs: Mapping[str, Array], /) -> Sequence[Any]:
        """The outputs ``[(rows, outputs)]`` to the one input."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been verified and answers.

    Attributes:
        signature: What it takes and gives.
        transforms: How rows become numbers and outputs become answers.
        session: The network.
        about: Name, problem, time and versions.
        metrics: The run's scores.
        rows: The reference rows.
        examples: Those of them that are like rows of the data, not odd ones; may be shown.
        card: The card, as plain values.
    """

    signature: Signature
    transforms: Transforms
    session: Network
    about: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: Sequence[Fields] = ()
    examples: Sequence[Fields] = ()
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runtime(self) -> str:
        """What answers: ``onnx`` or ``torch``."""
        return runtime_of(self.about)

    def answer(self, columns: Columns) -> NDArray[np.float64]:
        """Probabilities ``(rows, classes)``, or numbers ``(rows,)`` in the target's unit."""
        return self.transforms.target.decode(self.outputs(self.transforms.apply(columns)))

    def outputs(self, inputs: Array) -> NDArray[np.float32]:
        """The network's raw outputs, ``(rows, outputs)``."""
        step = rows_at_once(inputs.shape[1:])
        starts = range(0, len(inputs), step)
        parts = [self.session.run(None, {INPUT: inputs[start : start + step]})[0] for start in starts]
        if len(parts) == 1:
            found: NDArray[np.float32] = parts[0]
            return found
        return np.concatenate(parts) if parts else np.empty((0, self.transforms.target.outputs), dtype=np.float32)

    def deviation(self, answers: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
        """The largest difference of two sets of answers, in the unit of ``TOLERANCE``.

        Infinite if a class differs, or if an answer is no number.
        """
        apart = np.abs(answers - expected)
        if self.signature.target.classes:
            if (answers.argmax(axis=1) != expected.argmax(axis=1)).any():
                return math.inf
        else:
            # An answer a thousand deviations from the mean is only known to as many digits as any other.
            target = self.transforms.target
            apart /= np.maximum(np.abs(expected - target.mean), target.std)
        largest = float(apart.max(initial=0.0))
        return math.inf if math.isnan(largest) else largest


def is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, be it a damaged one: any of three files tells."""
    return any((path / name).is_file() for name in (MANIFEST, SEAL, TRANSFORMS))


def open_bundle(path: Path, *, threads: int = 1, provider: str = "cpu", digest: str | None = None) -> Bundle:
    """Verify a bundle, load it, and have it answer its reference rows as the run did.

    One that may come from a stranger is tried out first (``runcard.packaging.trial``).

    Args:
        path: The bundle's folder.
        threads: Processor threads of one answer; on one, requests share the cores, and not one request.
        provider: ``cpu`` or ``cuda``.
        digest: That of the bundle that was tried out; None: whichever lies there now.

    Raises:
        BundleError: If a file is missing or changed, or this machine computes other answers.
    """
    content = verify(path, digest=digest)
    try:
        signature = Signature.from_dict(_parsed(content[SIGNATURE]))
        transforms = Transforms.from_dict(_parsed(content[TRANSFORMS]), signature)
        reference = _parsed(content[REFERENCE])
        about = _parsed(content[ABOUT])
        bundle = Bundle(
            signature,
            transforms,
            load_network(runtime_of(about), content, signature, transforms, threads=threads, provider=provider),
            about,
            _parsed(content[METRICS]),
            reference["rows"],
            reference["rows"][: reference.get("ordinary")] or reference["rows"],
            _card(content[CARD]),
        )
        answers = bundle.answer(to_columns(signature, bundle.rows))
        apart = bundle.deviation(answers, np.array(reference["answers"], dtype=np.float64))
    except CardError as error:  # a package for text that is not installed, or no such provider
        raise BundleError(f"the bundle {path}: {error}") from error
    except MemoryError:
        raise BundleError(f"the bundle {path} takes more memory than there is for it") from None
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        what = one_line(repr(error))[:LONGEST_SAID]
        raise BundleError(f"the bundle {path} cannot be read by this version: {what}") from error
    if apart > TOLERANCE:
        raise BundleError(
            f"the bundle {path} answers its reference rows differently on this machine: by {apart:.2g}, "
            f"and {TOLERANCE:g} is the most. Package the run again here."
        )
    return bundle


def load_network(
    runtime: str,
    content: Mapping[str, bytes],
    signature: Signature,
    transforms: Transforms,
    *,
    threads: int = 1,
    provider: str = "cpu",
) -> Network:
    """A network ready to answer.

    Args:
        runtime: What is to answer.
        content: The bundle's files by name; read are the graph, or the card and the weights.
        signature: What the network takes and gives.
        transforms: How rows become its inputs.
        threads: As for ``open_bundle``.
        provider: Likewise.

    Raises:
        CardError: If this machine has not what it takes, or torch cannot make the network.
    """
    check_runtime(runtime)
    network: Network
    if runtime == TORCH:
        from runcard.packaging import torch_graph

        network = torch_graph.load_network(
            content[CARD], content[WEIGHTS], signature, transforms, thread_count=threads, provider=provider
        )
    else:
        network = load_graph(content[GRAPH], threads=threads, provider=provider)
    return network


def runtime_of(about: Mapping[str, Any]) -> str:
    """What answers, by what ``bundle.json`` says; bundles from before there was a choice are served with ONNX."""
    return str(about.get("runtime", ONNX))


def check_runtime(runtime: str) -> None:
    """Look, without importing it, whether what answers is there.

    Raises:
        CardError: If it is not.
    """
    if runtime not in RUNTIMES:
        raise CardError(f"it is served with {runtime!r}, of which this version of Runcard knows nothing")
    absent = [name for name in FOR_TORCH if runtime == TORCH and importlib.util.find_spec(name) is None]
    if absent:
        raise CardError(
            f"it is served with torch, and there is no {absent[0]} here: install runcard with all that it depends on; "
            "what a Bento needs is said in bentofile.yaml"
        )


def is_with_torch(path: Path) -> bool:
    """Whether a bundle is served with torch.

    Raises:
        BundleError: If it is damaged.
    """
    return runtime_of(_parsed(verify(path, ABOUT)[ABOUT])) == TORCH


def verify(path: Path, *names: str, digest: str | None = None) -> dict[str, bytes]:
    """Read files and compare them with the manifest.

    Args:
        path: The bundle's folder.
        names: Only these files; none: every one.
        digest: As for ``open_bundle``.

    Returns:
        The files' content by name: what was compared, whatever happens to the files afterwards.

    Raises:
        BundleError: If one is missing or was changed; the message names it.
    """
    manifest = read_manifest(path, digest)
    for name in sorted(_needed(path, manifest) - manifest.keys()):
        raise damaged(path, MANIFEST, f"it does not name {name}")
    return {name: read_sealed(path, name, manifest) for name in names or manifest}


def _needed(path: Path, manifest: Mapping[str, str]) -> frozenset[str]:
    """The files without which nothing is answered; which they are, the bundle says in one of them."""
    if ABOUT not in manifest:
        return FILES
    try:
        runtime = runtime_of(_parsed(read_sealed(path, ABOUT, manifest)))
    except ValueError as error:
        raise damaged(path, ABOUT, str(error)) from error
    return FILES | RUNTIMES.get(runtime, frozenset())


def _card(content: bytes) -> dict[str, Any]:
    """The card, of which the section ``data`` says how tables to answer are read."""
    card: Any = parse_yaml(content.decode(), aliases=True)
    data = card.get("data") if isinstance(card, dict) else None
    if not isinstance(data, dict):
        raise ValueError("its card says nothing of its rows")
    separator, marks = data.get("separator", ","), data.get("null_values", [])
    if not (isinstance(separator, str) and len(separator) == 1 and separator.isascii()):
        raise ValueError("its card names a separator that is not one character")
    if not (isinstance(marks, list) and all(isinstance(mark, str) for mark in marks)):
        raise ValueError("its card names marks for missing values that are no texts")
    encoding = data.get("encoding", "auto")
    if encoding != "auto" and not (isinstance(encoding, str) and is_encoding(encoding)):
        raise ValueError("its card names an encoding that Python does not know")
    return dict(card)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(parsed, dict):
        raise ValueError("a JSON object was expected")
    return parsed
