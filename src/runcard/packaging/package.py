"""Run → bundle: exported, compared with what the run answered, and stored only if nothing differs."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcard import environment
from runcard.card.naming.targets import TARGET, named_in
from runcard.card.naming.trust import is_trusted
from runcard.card.sections.serve import Examples
from runcard.data.dataset import Dataset
from runcard.data.signature import Signature
from runcard.data.transforms import Transforms
from runcard.errors import ParityError
from runcard.evaluation.predictor import Run
from runcard.files import read_json
from runcard.packaging import bundle as layout
from runcard.packaging import store
from runcard.packaging.bundle import Bundle, load_network
from runcard.packaging.export import to_onnx, to_safetensors
from runcard.packaging.modelcard import model_card
from runcard.packaging.parity import Compared, compare
from runcard.packaging.proof import prove
from runcard.packaging.withholding import withhold, withhold_categories

if TYPE_CHECKING:
    from runcard.packaging.signing import Signer

log = logging.getLogger("runcard")


@dataclass(frozen=True)
class Packaged:
    """A bundle in BentoML's model store.

    Attributes:
        tag: ``name:version``.
        path: Its folder.
        compared: How many rows it was compared on.
        again: How many of them one at a time too.
        http: How many of them over HTTP too, one by one and in arrays; 0: the service was not tried out.
        deviation: The largest difference, in the unit of ``TOLERANCE``.
        signed: Whether it holds a signature.
        runtime: What answers: ``onnx``, or ``torch`` for a network that ONNX cannot express.
    """

    tag: str
    path: Path
    compared: int
    again: int
    http: int
    deviation: float
    signed: bool
    runtime: str


def package(
    run: Run, data: Dataset, *, examples: Examples | None = None, http: bool = True, signer: Signer | None = None
) -> Packaged:
    """Put a run into BentoML's model store as a bundle.

    Args:
        run: A finished run.
        data: Its rows with its split.
        examples: Whether the bundle shows rows of the data, or made ones; None: as the card says.
        http: Whether to start the service and compare its answers too.
        signer: Signs it; None: it is not signed.

    Raises:
        BundleError: If the service does not start, or the store cannot be written.
        ParityError: If the bundle would not answer as the run did.
        RunError: If the run's stored predictions are damaged.
    """
    network = _network(run)
    runtime = layout.ONNX if layout.GRAPH in network else layout.TORCH
    real = (examples or run.card.serve.examples) == "real"
    signature, transforms = (run.signature, run.transforms) if real else _withheld(run, data)
    session = load_network(runtime, network, signature, transforms)
    about = _about(run, data, runtime) | {"examples": "real" if real else "made"}
    bundle = Bundle(signature, transforms, session, about)
    compared = compare(bundle, run, data, real=real)
    apart = compared.deviation

    def finish(folder: Path, tag: str) -> None:
        nonlocal apart
        if signer:
            signer.sign(folder)
        if http:
            apart = max(apart, prove(folder, tag, bundle, compared))

    write = _writer(run, data, network, bundle, compared)
    tag, path = store.add(run.card.name, write, finish, labels={"task": run.signature.target.task})
    again = len(compared.rows)
    return Packaged(tag, path, compared.count, again, again if http else 0, apart, signer is not None, runtime)


def _withheld(run: Run, data: Dataset) -> tuple[Signature, Transforms]:
    """Signature and transforms that tell strangers nothing of one row."""
    signature = withhold(run.signature, data)
    return signature, withhold_categories(run.transforms, signature)


def _network(run: Run) -> dict[str, bytes]:
    """The files by which the network answers; without a graph if ONNX cannot express it."""
    files = {layout.CARD: run.folder.card.read_bytes(), layout.WEIGHTS: to_safetensors(run.model)}
    try:
        shape = run.transforms.input_shape(run.signature)
        files[layout.GRAPH] = to_onnx(run.model, shape, ids=run.transforms.text is not None)
    except ParityError as error:
        log.warning("%s; it is packaged to be served with torch", error)
    return files


def _writer(
    run: Run, data: Dataset, network: Mapping[str, bytes], bundle: Bundle, compared: Compared
) -> Callable[[Path, str], None]:
    """What writes a bundle's files into a folder."""
    about = bundle.about
    # Whole rows make good examples.
    examples = compared.reference["rows"][: compared.reference["ordinary"]]
    row = min(examples, key=lambda row: sum(value is None for value in row.values()))

    def write(folder: Path, tag: str) -> None:
        for name, content in network.items():
            (folder / name).write_bytes(content)
        (folder / layout.MODEL_CARD).write_text(model_card(run, data, bundle, tag, row), encoding="utf-8")
        for name, values in (
            (layout.SIGNATURE, bundle.signature.to_dict()),
            (layout.TRANSFORMS, bundle.transforms.to_dict()),
            (layout.METRICS, run.metrics),
            (layout.ABOUT, about),
            (layout.REFERENCE, compared.reference),
        ):
            text = json.dumps(values, ensure_ascii=False, allow_nan=False)
            (folder / name).write_text(text, encoding="utf-8")

    return write


def _about(run: Run, data: Dataset, runtime: str) -> dict[str, Any]:
    problem = run.card.problem
    return {
        "name": run.card.name,
        "run": str(run.path),
        "created": datetime.datetime.now(datetime.UTC).isoformat(),
        "fingerprint": data.rows.fingerprint,
        **_checkout(run),
        "metric": problem.metric,
        "problem": run.card.to_dict()["problem"],
        "runtime": runtime,
        "versions": environment.versions(),
        # Of packages that not every service has.
        "needs": ["tokenizers"] * (run.transforms.text is not None) + ["torch"] * (runtime == layout.TORCH),
        # Whose code answers, beside Runcard's.
        "trust": _own_packages(run) if runtime == layout.TORCH else [],
    }


def _own_packages(run: Run) -> list[str]:
    """The packages of the user's own that the network is made of."""
    names = {place.content[TARGET] for place in named_in({"model": run.card.values()["model"]})}
    return sorted({name.partition(".")[0] for name in names if is_trusted(name)})


def _checkout(run: Run) -> dict[str, Any]:
    """The commit of the project that the run was made in, and whether there were changes beside it; None: unknown."""
    known = read_json(run.folder.environment)
    commit, changes = known.get("commit"), known.get("uncommitted_diff")
    return {
        "commit": commit if isinstance(commit, str) else None,
        "uncommitted_changes": bool(changes) if isinstance(changes, str) else None,
    }
