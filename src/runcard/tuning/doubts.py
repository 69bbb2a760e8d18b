"""How far the winner of a study can be believed: what is known of chance, a sentence each, and no verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runcard.advice import advise
from runcard.card.metrics import better
from runcard.leaves import shown
from runcard.tuning.ranking import SPLIT, grouped, is_ranked, number_text


def find_doubts(summary: Mapping[str, Any]) -> list[str]:
    """Sentences for the terminal and the report; none for several objectives, or where nothing has finished.

    Args:
        summary: What ``study.json`` holds.
    """
    if summary["best"] is None or len(summary.get("metrics") or ()) > 1:
        return []
    rows = [row for row in grouped(summary) if row["value"] is not None]
    return [
        *_of_the_many(summary, rows),
        *_of_the_rows(summary),
        *_of_the_seeds(summary, rows),
        *_of_the_next(summary, rows),
        *_of_the_baselines(summary),
    ]


def _of_the_many(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ranked = [trial for trial in summary["trials"] if is_ranked(trial)]
    best = next((trial["value"] for trial in ranked if trial["number"] == summary["best"]["number"]), None)
    alike = sum(trial["value"] == best for trial in ranked)
    if alike > 1:
        yield f"{alike} of {len(ranked)} finished trials have the winner's value; the earliest of them is taken."
    if len(rows) > 1:
        yield f"It is the best of {len(rows)} choices, and such a value flatters: the test rows tell what it is worth."


def _of_the_rows(summary: Mapping[str, Any]) -> Iterator[str]:
    count, value = summary["best"].get("validation_rows"), summary["best"]["value"]
    if not count:
        return
    error = f" ± {math.sqrt(value * (1 - value) / count):.2g} (standard error of a share)" if _is_share(summary) else ""
    yield f"It is judged by {count} validation rows: {summary['metric']} {number_text(value)}{error}."


def _is_share(summary: Mapping[str, Any]) -> bool:
    """Whether the value is a share of independent rows, of which the binomial distribution gives the error."""
    return bool(summary["metric"] == "val/accuracy")


def _of_the_seeds(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    first = rows[0]
    if first["std"] is None:
        more = advise("sweep.seeds=3")
        yield f"It was run with one seed, so how much of its value is luck is not known; {more} would say."
        return
    what = "splits and seeds" if any(SPLIT in (trial.get("params") or {}) for trial in summary["trials"]) else "seeds"
    spread = f"{summary['metric']} {number_text(first['mean'])}, standard deviation {first['std']:.2g}"
    if summary["best"]["number"] in first["trials"]:
        yield f"Over its {first['n']} runs of other {what}: {spread}."
    else:
        yield f"On the average over {what} another choice is better: {choice_text(first['params'])}: {spread}."


def _of_the_next(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(rows) < 2:
        return
    second = rows[1]
    spread = "" if second["std"] is None else f", standard deviation {second['std']:.2g} over {second['n']} runs"
    said = f"{summary['metric']} {number_text(second['mean'])}{spread}"
    yield f"The next choice is {choice_text(second['params'])}: {said}."


def _of_the_baselines(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the winner does not beat on the test rows; the best of the baselines is enough."""
    known, score = summary.get("baselines") or {}, summary["best"].get("test")
    metric = str(known.get("metric"))
    values = {name: known.get(f"baseline/{name}/{metric}") for name in ("linear", "trivial")}
    if score is None:
        return
    unbeaten = {name: value for name, value in values.items() if value is not None and not better(metric, score, value)}
    if not unbeaten:
        return
    first = next(iter(unbeaten))
    yield (
        f"On the test rows its {metric} is {score:.4f}, no better than the {first} baseline with {unbeaten[first]:.4f}."
    )


def choice_text(params: Mapping[str, Any]) -> str:
    """What was chosen, as it is typed."""
    return " ".join(f"{key}={shown(value)}" for key, value in params.items()) or "the same"
