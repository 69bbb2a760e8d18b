"""Run → bundle: exported, compared with what the run answered, and stored only if nothing differs."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard import environment
from runcard.data.dataset import Dataset
from runcard.data.fields import to_fields
from runcard.data.signature import Array, Columns
from runcard.errors import ParityError, RunError
from runcard.evaluation.evaluate import read_predictions
from runcard.evaluation.predictor import Run
from runcard.packaging import bundle as layout
from runcard.packaging import store
from runcard.packaging.bundle import TOLERANCE, Bundle, load_graph
from runcard.packaging.export import to_onnx, to_safetensors

MAX_ODD = 200
REFERENCE_ROWS = 32  # of each sort; they are answered at every start of the service
UNSEEN = "\N{REPLACEMENT CHARACTER} never seen"


@dataclass(frozen=True)
class Packaged:
    """A bundle in BentoML's model store.

    Attributes:
        tag: ``name:version``.
        path: Its folder.
        compared: How many rows it was compared on.
        deviation: The largest difference, in the unit of ``TOLERANCE``.
    """

    tag: str
    path: Path
    compared: int
    deviation: float


def package(run: Run, data: Dataset) -> Packaged:
    """Put a run into BentoML's model store as a bundle.

    Args:
        run: A finished run.
        data: Its rows with its split.

    Raises:
        ParityError: If ONNX cannot express the network, or the bundle would not answer as the run did.
        RunError: If the run's stored predictions are damaged.
    """
    graph = to_onnx(run.model, run.transforms.input_shape(run.signature))
    bundle = Bundle(run.signature, run.transforms, load_graph(graph))
    parts = _compared(run, data)
    apart = max(bundle.deviation(bundle.answer(columns), answers) for columns, answers in parts)
    if apart > TOLERANCE:
        further = f"answers up to {apart:.2g} apart, and {TOLERANCE:g} is the most"
        what = "another class, or an answer that is no number" if math.isinf(apart) else further
        raise ParityError(f"the bundle would not answer as the run {run.path} did: {what}. Nothing was packaged.")
    reference = _reference(run, parts)

    def write(folder: Path) -> None:
        (folder / layout.GRAPH).write_bytes(graph)
        (folder / layout.WEIGHTS).write_bytes(to_safetensors(run.model))
        (folder / layout.CARD).write_bytes(run.folder.card.read_bytes())
        for name, content in (
            (layout.SIGNATURE, run.signature.to_dict()),
            (layout.TRANSFORMS, run.transforms.to_dict()),
            (layout.METRICS, run.metrics),
            (layout.ABOUT, _about(run)),
            (layout.REFERENCE, reference),
        ):
            text = json.dumps(content, ensure_ascii=False, allow_nan=False)
            (folder / name).write_text(text, encoding="utf-8")

    tag, path = store.add(run.card.name, write, labels={"task": run.signature.target.task})
    return Packaged(tag, path, sum(len(answers) for _, answers in parts), apart)


def _compared(run: Run, data: Dataset) -> list[tuple[dict[str, Array], NDArray[np.float64]]]:
    """Rows and how the run answered them: its test rows, as they were evaluated, and odd ones.

    Raises:
        RunError: If the stored predictions are damaged.
    """
    rows, expected = read_predictions(run)
    if not np.array_equal(rows, data.indices("test")):
        raise RunError(f"{run.folder.predictions} is damaged: it does not hold the run's test rows")
    odd = odd_rows(run, data.rows.columns, rows)
    return [(_rows_of(data.rows.columns, rows), expected), (odd, run.answer(odd))]


def odd_rows(run: Run, columns: Columns, rows: NDArray[np.int64]) -> dict[str, Array]:
    """Rows as training may never have had them: each feature missing once, each category once unseen, all missing."""
    features = run.signature.features
    changes: list[tuple[str, Any]] = [(feature.name, None) for feature in features]
    changes += [(feature.name, UNSEEN) for feature in features if feature.kind == "category"]
    changes = changes[: MAX_ODD - 1]
    picked = np.resize(rows, len(changes) + 1)
    odd = {name: values.copy() for name, values in _rows_of(columns, picked).items()}
    for row, (name, value) in enumerate(changes):
        odd[name][row] = _filled(odd[name], value)
    for values in odd.values():
        values[-1] = _filled(values, None)
    return odd


def _filled(values: Array, value: Any) -> Any:
    return np.nan if value is None and values.dtype != object else value


def _rows_of(columns: Columns, rows: NDArray[np.int64]) -> dict[str, Array]:
    return {name: values[rows] for name, values in columns.items()}


def _reference(run: Run, parts: list[tuple[dict[str, Array], NDArray[np.float64]]]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    answers: list[Any] = []
    for columns, expected in parts:
        rows += to_fields(run.signature, {name: values[:REFERENCE_ROWS] for name, values in columns.items()})
        answers += expected[:REFERENCE_ROWS].tolist()
    return {"rows": rows, "answers": answers}


def _about(run: Run) -> dict[str, Any]:
    problem = run.card.problem
    return {
        "name": run.card.name,
        "run": str(run.path),
        "created": datetime.datetime.now(datetime.UTC).isoformat(),
        "metric": problem.metric,
        "problem": problem.model_dump(mode="json"),
        "versions": environment.versions(),
    }
