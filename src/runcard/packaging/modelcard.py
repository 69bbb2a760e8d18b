"""The model card: what a bundle is for, came from and is worth, as Markdown with the Hugging Face hub's header."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import PurePath
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from runcard.card.metrics import METRICS, metrics_of
from runcard.data.dataset import Dataset
from runcard.data.fields import Fields
from runcard.data.signature import Feature, Signature, category_count
from runcard.evaluation.page import number
from runcard.evaluation.predictor import Run
from runcard.files import read_json
from runcard.packaging.bundle import Bundle
from runcard.packaging.withholding import LEAST_ROWS
from runcard.visible import visible

# What is listed whole; beyond it, the card says how many more there are.
MAX_FEATURES, MAX_CATEGORIES, SMALLEST = 60, 8, 3
# Of a row in the example, as JSON; a longer one is taken from reference.json.
MAX_EXAMPLE = 2000
# As people know them.
VERSIONS = {"runcard": "Runcard", "torch": "PyTorch", "pytorch-lightning": "Lightning", "numpy": "NumPy"}
COLUMNS = {"test": "this model", "baseline/linear": "linear baseline", "baseline/trivial": "trivial baseline"}
# The hub's words. To give a text a number is text-classification there too; for an image and a number it has none.
PIPELINES = {"text": "text-classification", "image": "image-classification"}
TAGS = {"onnx": "onnx", "torch": "pytorch"}
TYPES = {"r2": "r_squared"}
# What Markdown, or the hub's formulas in it, would not show as it is written.
SPECIAL = re.compile(r"[\\`*_\[\]|~$#]")
HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def model_card(run: Run, data: Dataset, bundle: Bundle, tag: str, row: Fields) -> str:
    """The card as text, to be ``README.md``.

    Args:
        run: A finished run.
        data: Its rows with its split.
        bundle: What is packaged: of the rows no more is told than it tells.
        tag: The bundle's, ``name:version``.
        row: One row as JSON has it, for the example.
    """
    about = bundle.about
    header = yaml.safe_dump(_header(run, data, about), sort_keys=False, allow_unicode=True)
    environment = jinja2.Environment(
        finalize=_escaped, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "seen": _seen}
    template = resources.files(__package__).joinpath("modelcard.md").read_text("utf-8")
    body = environment.from_string(template).render(
        about=about,
        limits=about["problem"]["limits"],
        tag=tag,
        least_rows=LEAST_ROWS,
        **_of_data(data, bundle.signature),
        **_of_run(run),
        **_example(row),
    )
    return f"---\n{header}---\n\n{body.rstrip()}\n"


def _header(run: Run, data: Dataset, about: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata, as https://github.com/huggingface/hub-docs/blob/main/modelcard.md has it."""
    pipeline = pipeline_of(run.signature)
    scores = {name: run.metrics[f"test/{name}"] for name in _names(run)}
    result = {
        "task": {"type": pipeline or run.signature.target.task},
        "dataset": {"type": "private", "name": _dataset(run), "split": "test", "revision": data.rows.fingerprint},
        "metrics": [{"type": TYPES.get(name, name), "name": name, "value": value} for name, value in scores.items()],
    }
    return {
        "library_name": "runcard",
        **({"pipeline_tag": pipeline} if pipeline else {}),
        "tags": ["runcard", TAGS[about["runtime"]], run.signature.target.task, *_forms(run.signature)],
        "metrics": [TYPES.get(name, name) for name in scores],
        "model-index": [{"name": run.card.name, "results": [result]}],
    }


def pipeline_of(signature: Signature) -> str | None:
    """The hub's word for what a model does; None if it has none."""
    kinds = {feature.kind for feature in signature.features}
    for kind, pipeline in PIPELINES.items():
        if kind in kinds:
            return pipeline if signature.target.classes or kind == "text" else None
    return f"tabular-{signature.target.task}"


def _forms(signature: Signature) -> list[str]:
    kinds = {feature.kind for feature in signature.features}
    named = {"text": "text", "image": "image", "sequence": "time-series"}
    return [word for kind, word in named.items() if kind in kinds] or ["tabular"]


def _names(run: Run) -> list[str]:
    """The metrics that the test rows define."""
    return [name for name in metrics_of(run.signature.target.task) if f"test/{name}" in run.metrics]


def _dataset(run: Run) -> str:
    """What the card calls its rows: a data set's name, a file's, or a class's."""
    told = run.card.to_dict()["data"]
    path = told.get("path") or told.get("inputs")
    return PurePath(path).name if isinstance(path, str) else str(told.get("name") or told["_target_"])


def _of_data(data: Dataset, signature: Signature) -> dict[str, Any]:
    features, classes = signature.features, signature.target.classes
    counts = Counter(data.truth("train").tolist() if classes else [])
    told = data.to_dict()
    return {
        "rows": told["rows"],
        "parts": told["parts"],
        "notes": told["notes"],
        "features": features[:MAX_FEATURES],
        "more_features": max(0, len(features) - MAX_FEATURES),
        "never_seen": [one.name for one in features if one.kind not in ("category", "text") and one.low is None],
        "classes": classes,
        "smallest": counts.most_common()[: -SMALLEST - 1 : -1],
    }


def _of_run(run: Run) -> dict[str, Any]:
    metrics, names = run.metrics, _names(run)
    known = {key: title for key, title in COLUMNS.items() if any(f"{key}/{name}" in metrics for name in names)}
    return {
        "dataset": _dataset(run),
        "model": run.card.to_dict()["model"]["_target_"],
        "parameters": sum(weight.numel() for weight in run.model.parameters()),
        "seed": run.card.seed,
        "metrics": metrics,
        "versions": ", ".join(_versions(run)),
        "columns": list(known.values()),
        "scores": [
            {
                "name": name,
                "values": [metrics.get(f"{key}/{name}") for key in known],
                "meaning": METRICS[name].meaning,
            }
            for name in names
        ],
    }


def _versions(run: Run) -> Iterator[str]:
    known = read_json(run.folder.environment)
    packages = known.get("packages")
    yield f"Python {known.get('python')}"
    for name, title in VERSIONS.items():
        if isinstance(packages, dict) and name in packages:
            yield f"{title} {packages[name]}"


def _example(row: Fields) -> dict[str, Any]:
    """A row for a shell, to be shown as it is, and a fence that nothing in it closes."""
    text = json.dumps(row, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(row)
    shown = shlex.quote(text) if len(text) <= MAX_EXAMPLE else None
    longest = max(map(len, re.findall("`+", shown or "")), default=0)
    return {"row_json": shown, "fence": "`" * max(3, longest + 1)}


def _seen(feature: Feature) -> str:
    """What training had of a feature, in short."""
    if feature.kind == "text":
        return "texts"
    if feature.kind == "category":
        listed = ", ".join(feature.categories[:MAX_CATEGORIES])
        more = category_count(feature) - len(feature.categories[:MAX_CATEGORIES])
        if not listed:
            return f"{more} texts" if more else "nothing"
        return f"{listed} and {more} more" if more > 0 else listed
    return "nothing" if feature.low is None else f"{feature.low:g} … {feature.high:g}"


def _escaped(value: Any) -> Any:
    """What is put into the template: a text of whatever kind in one line, in which nothing is Markdown or HTML."""
    if isinstance(value, Markup):
        return value
    text = visible(" ".join(str(value).split()))
    return SPECIAL.sub(r"\\\g<0>", text).translate(HTML)
