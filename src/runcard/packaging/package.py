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
from runcard.files import read_json
from runcard.packaging import bundle as layout
from runcard.packaging import store
from runcard.packaging.bundle import TOLERANCE, Bundle, load_graph
from runcard.packaging.export import to_onnx, to_safetensors
from runcard.packaging.modelcard import model_card

MAX_ODD = 200
# Rows of each sort; they are answered at every start of the service, and what holds many numbers is long as JSON.
REFERENCE_ROWS = 32
REFERENCE_NUMBERS = 2**17
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
    text = run.transforms.text is not None
    graph = to_onnx(run.model, run.transforms.input_shape(run.signature), ids=text)
    bundle = Bundle(run.signature, run.transforms, load_graph(graph))
    rows, expected = _evaluated(run, data)
    odd = odd_rows(run, data, rows)
    odd_answers = run.answer(odd)
    apart = max(_deviations(bundle, data, rows, expected), bundle.deviation(bundle.answer(odd), odd_answers))
    if apart > TOLERANCE:
        further = f"answers up to {apart:.2g} apart, and {TOLERANCE:g} is the most"
        what = "another class, or an answer that is no number" if math.isinf(apart) else further
        raise ParityError(f"the bundle would not answer as the run {run.path} did: {what}. Nothing was packaged.")
    few = min(REFERENCE_ROWS, max(2, REFERENCE_NUMBERS // math.prod(run.transforms.input_shape(run.signature))))
    reference = _reference(run, [(data.rows.pick(rows[:few]), expected[:few]), (_first(odd, few), odd_answers[:few])])

    about = _about(run, data)

    def write(folder: Path, tag: str) -> None:
        (folder / layout.GRAPH).write_bytes(graph)
        (folder / layout.WEIGHTS).write_bytes(to_safetensors(run.model))
        (folder / layout.CARD).write_bytes(run.folder.card.read_bytes())
        for name, content in (
            (layout.SIGNATURE, run.signature.to_dict()),
            (layout.TRANSFORMS, run.transforms.to_dict()),
            (layout.METRICS, run.metrics),
            (layout.ABOUT, about),
            (layout.REFERENCE, reference),
        ):
            text = json.dumps(content, ensure_ascii=False, allow_nan=False)
            (folder / name).write_text(text, encoding="utf-8")
        # Whole rows make good examples.
        row = min(reference["rows"], key=lambda row: sum(value is None for value in row.values()))
        (folder / layout.MODEL_CARD).write_text(model_card(run, data, about, tag, row), encoding="utf-8")

    tag, path = store.add(run.card.name, write, labels={"task": run.signature.target.task})
    return Packaged(tag, path, len(expected) + len(odd_answers), apart)


def _evaluated(run: Run, data: Dataset) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The test rows' numbers, and how the run answered them when it was evaluated.

    Raises:
        RunError: If the stored predictions are damaged.
    """
    rows, expected = read_predictions(run)
    if not np.array_equal(rows, data.indices("test")):
        raise RunError(f"{run.folder.predictions} is damaged: it does not hold the run's test rows")
    return rows, expected


def _deviations(bundle: Bundle, data: Dataset, rows: NDArray[np.int64], expected: NDArray[np.float64]) -> float:
    """The largest deviation of the bundle's answers from those of the run."""
    apart, done = 0.0, 0
    for part in data.stretches(rows):
        answers = bundle.answer(data.rows.pick(part))
        apart = max(apart, bundle.deviation(answers, expected[done : done + len(part)]))
        done += len(part)
    return apart


def odd_rows(run: Run, data: Dataset, rows: NDArray[np.int64]) -> dict[str, Array]:
    """Rows as training may never have had them: each feature missing, each category or text unseen, all missing."""
    features = run.signature.features
    changes: list[tuple[str, Any]] = [(feature.name, None) for feature in features]
    changes += [(feature.name, UNSEEN) for feature in features if feature.kind in ("category", "text")]
    changes = changes[: MAX_ODD - 1]
    odd = data.rows.pick(np.resize(rows, len(changes) + 1))
    for row, (name, value) in enumerate(changes):
        odd[name][row] = _filled(odd[name], value)
    for values in odd.values():
        values[-1] = _filled(values, None)
    return odd


def _filled(values: Array, value: Any) -> Any:
    return np.nan if value is None and values.dtype != object else value


def _first(columns: Columns, count: int) -> dict[str, Array]:
    return {name: values[:count] for name, values in columns.items()}


def _reference(run: Run, parts: list[tuple[dict[str, Array], NDArray[np.float64]]]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    answers: list[Any] = []
    for columns, expected in parts:
        rows += to_fields(run.signature, columns)
        answers += expected.tolist()
    return {"rows": rows, "answers": answers}


def _about(run: Run, data: Dataset) -> dict[str, Any]:
    problem = run.card.problem
    return {
        "name": run.card.name,
        "run": str(run.path),
        "created": datetime.datetime.now(datetime.UTC).isoformat(),
        "fingerprint": data.rows.fingerprint,
        **_checkout(run),
        "metric": problem.metric,
        "problem": run.card.to_dict()["problem"],
        "versions": environment.versions(),
        # Of packages that not every service has.
        "needs": ["tokenizers"] if run.transforms.text is not None else [],
    }


def _checkout(run: Run) -> dict[str, Any]:
    """The commit of the project that the run was made in, and whether there were changes beside it; None: unknown."""
    known = read_json(run.folder.environment)
    commit, changes = known.get("commit"), known.get("uncommitted_diff")
    return {
        "commit": commit if isinstance(commit, str) else None,
        "uncommitted_changes": bool(changes) if isinstance(changes, str) else None,
    }
