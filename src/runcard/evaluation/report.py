"""One page for people: the problem first, then how good the model is against it, then how it came about."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from runcard.card.metrics import METRICS, metrics_of
from runcard.data.dataset import Dataset
from runcard.errors import RunError
from runcard.evaluation import page, plots
from runcard.evaluation.baselines import most_rows
from runcard.evaluation.predictor import Run
from runcard.evaluation.scores import Scores
from runcard.evaluation.standing import standards
from runcard.files import read_json
from runcard.yamltext import dump_yaml

# What a page lists whole; beyond it, it says how many more there are.
MAX_FEATURES = 60


def render(run: Run, data: Dataset, scores: Scores, metrics: Mapping[str, float]) -> str:
    """The report as one HTML text that needs nothing else: plots inline, no script, no network."""
    task, classes = run.signature.target.task, run.signature.target.classes
    return page.filled(
        "runcard.evaluation",
        "report.html",
        run=run,
        problem=run.card.to_dict()["problem"],
        meaning=METRICS[run.card.problem.metric].meaning,
        checks=list(_checks(run, metrics)),
        table=_table(metrics, metrics_of(task)),
        per_class=_per_class(scores, classes) if classes else [],
        picture=_picture(scores, classes),
        curves=_curves(run, metrics),
        metrics=metrics,
        parts=data.to_dict()["parts"],
        most_rows=most_rows(data),
        notes=data.rows.notes,
        features=run.signature.features[:MAX_FEATURES],
        more_features=max(0, len(run.signature.features) - MAX_FEATURES),
        card=dump_yaml(run.card.to_dict()),
        environment=_environment(run),
    )


def _checks(run: Run, metrics: Mapping[str, float]) -> Iterator[tuple[str, float | None, str]]:
    """What the score is held against, the value, and ``yes``, ``no`` or nothing."""
    for standard in standards(run.card, metrics):
        yield standard.what, standard.value, "" if standard.met is None else "yes" if standard.met else "no"


def _table(metrics: Mapping[str, float], names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "meaning": METRICS[name].meaning,
            "values": [metrics.get(f"{part}/{name}") for part in ("test", "baseline/linear", "baseline/trivial")],
        }
        for name in names
    ]


def _per_class(scores: Scores, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    chosen = scores.answers.argmax(axis=1)
    rows = []
    for index, name in enumerate(classes):
        true, given = scores.truth == index, chosen == index
        right = int((true & given).sum())
        rows.append(
            {
                "name": name,
                "rows": int(true.sum()),
                "found": right / true.sum() if true.any() else None,
                "right": right / given.sum() if given.any() else None,
            }
        )
    return rows


def _picture(scores: Scores, classes: tuple[str, ...]) -> str:
    if classes:
        return plots.confusion(scores.truth, scores.answers.argmax(axis=1), classes)
    return plots.residuals(scores.truth, scores.answers)


def _curves(run: Run, metrics: Mapping[str, float]) -> list[str]:
    if not run.folder.history.is_file():
        return []
    try:
        with run.folder.history.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        history = {name: [float(line[name] or "nan") for line in lines] for name in (lines[0] if lines else {})}
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{run.folder.history} is damaged: {error}") from error
    best = int(metrics["best_epoch"])
    drawn = [
        plots.curves("Loss", {name: history[name] for name in ("train/loss", "val/loss") if name in history}, best)
    ]
    others = {name: values for name, values in history.items() if name.startswith("val/") and name != "val/loss"}
    return drawn + [plots.curves(name, {name: values}, best) for name, values in others.items()]


def _environment(run: Run) -> dict[str, str]:
    known = read_json(run.folder.environment)
    packages, commit = known.get("packages"), known.get("commit") or "no git checkout"
    packages = packages if isinstance(packages, dict) else {}
    return {
        "Runcard": packages.get("runcard", ""),
        "Python": known.get("python", ""),
        "PyTorch": packages.get("torch", ""),
        "Lightning": packages.get("pytorch-lightning", ""),
        "Machine": f"{known.get('processor')}, {known.get('cores')} cores, {known.get('memory_gb')} GB",
        "Commit": f"{commit} with uncommitted changes" if known.get("uncommitted_diff") else commit,
        "Weights": f"{np.round(run.folder.best.stat().st_size / 2**20, 2)} MB",
    }
