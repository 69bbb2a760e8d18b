"""A finished run, run again from its own card in a fresh process, and compared."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runcard import environment, files
from runcard.card.check import load_saved
from runcard.card.sections.loggers import CSV
from runcard.data.dataset import restore
from runcard.errors import RunError
from runcard.fitting import graphics, moved, with_own_rows
from runcard.further import line_of_descent
from runcard.runs import RunFolder
from runcard.training import differences
from runcard.training.checkpoint import load
from runcard.yamltext import dump_yaml

log = logging.getLogger("runcard")


@dataclass(frozen=True)
class Verdict:
    """What the comparison found.

    Attributes:
        differs: What is not the same, in words; empty if all is.
        first_step: The first minibatch whose loss is not the same, from 0; None if all are.
        elsewhere: What of the machine and the versions is not as it was: name → then and now.
        tolerance: The relative difference that was let pass; 0: bits were compared.
        steps: Minibatches that the run learned.
        predictions: Test rows that it answered.
    """

    differs: list[str] = field(default_factory=list)
    first_step: int | None = None
    elsewhere: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    tolerance: float = 0.0
    steps: int = 0
    predictions: int = 0

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differs


def verify_run(folder: RunFolder, tolerance: float) -> Verdict:
    """Fit the run's card again and compare.

    Args:
        folder: Of a finished run; it is only read.
        tolerance: Relative difference of losses and scores that is let pass where bits differ and machine or
            versions are not the same.

    Raises:
        DataError: If the data is gone or is no longer that of the run.
        RunError: If a file of the run is damaged, or it could not be fitted again.
    """
    card = with_own_rows(load_saved(folder.card), folder)
    here = environment.describe() | graphics(card.trainer.accelerator)
    elsewhere = moved(files.read_json(folder.environment), here)
    restore(card, files.read_json(folder.data), folder.split)
    with tempfile.TemporaryDirectory(prefix="runcard-verify-") as place:
        again = _fit_again(folder, Path(place))
        verdict = compare(folder, again, elsewhere, 0.0)
        return verdict if verdict.same or not elsewhere else compare(folder, again, elsewhere, tolerance)


def compare(then: RunFolder, now: RunFolder, elsewhere: dict[str, tuple[Any, Any]], tolerance: float) -> Verdict:
    """Compare two finished runs: every step's loss, every epoch's numbers, weights, optimizer, scores, answers.

    Raises:
        RunError: If a file of either is damaged.
    """
    last, other = load(then.last), load(now.last)
    step = differences.first_step(last, other, tolerance)
    differs = [*_in_order(last, other, step, tolerance)]
    if not tolerance:
        differs += _in_weights(then, now, last, other)
        if then.predictions.read_bytes() != now.predictions.read_bytes():
            differs.append("the answers to the test rows")
    differs += _in_scores(files.read_json(then.metrics), files.read_json(now.metrics), tolerance)
    data = files.read_json(then.data)
    steps = len(last["state"]["losses"])
    return Verdict(differs, step, elsewhere, tolerance, steps, data["parts"]["test"])


def _fit_again(folder: RunFolder, place: Path) -> RunFolder:
    """Fit the card; of a run that went on from others, the first of their cards, and go on as they did."""
    legs = line_of_descent(folder)
    # With what its columns were taken for, which the file of an older run does not say.
    content = legs[0]["card"] if legs else with_own_rows(load_saved(folder.card), folder).saved()
    card = place / "card.yaml"
    changed = {"runs_dir": str(place), "report": False, "logger": {"_target_": CSV}}
    files.write_text(card, dump_yaml(content | changed))
    log.info("running %s again in a fresh process%s", folder.path, f", {len(legs) + 1} legs" * bool(legs))
    again = _run_of(folder, "fit", str(card))
    for leg in legs:
        again = _run_of(folder, "resume", str(again.path), *leg["overrides"])
    return again


def _run_of(folder: RunFolder, *words: str) -> RunFolder:
    done = subprocess.run([sys.executable, "-P", "-m", "runcard", *words, "--json"], capture_output=True, text=True)
    try:
        return RunFolder(Path(json.loads(done.stdout)["run"]))
    except (ValueError, KeyError):
        said = done.stderr.strip().removeprefix("runcard: ")
        raise RunError(f"the card of {folder.path} could not be fitted again: {said}") from None


def _in_order(last: dict[str, Any], other: dict[str, Any], step: int | None, tolerance: float) -> Iterator[str]:
    """Where the two part first."""
    if step is not None:
        then, now = (content["state"]["losses"] for content in (last, other))
        values = [f"{float(losses[step]):.9g}" if step < len(losses) else "none" for losses in (then, now)]
        yield f"the loss of step {step}, the first that differs: {values[0]} then, {values[1]} now"
    epoch = differences.first_epoch(last, other, tolerance)
    if epoch is not None:
        yield f"{epoch[1]} of epoch {epoch[0]}"


def _in_weights(then: RunFolder, now: RunFolder, last: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    pairs = {"last": (last, other), "best": (load(then.best), load(now.best))}
    for name, (one, two) in pairs.items():
        found = list(differences.tensors(one["state_dict"], two["state_dict"]))
        if found:
            worst = max(distance for _, distance in found)
            yield f"{len(found)} of {len(one['state_dict'])} tensors of the {name} weights, by up to {worst:.3g}"
    if not differences.equal(last["stepper"], other["stepper"]):
        yield "the optimizer's state"


def _in_scores(then: dict[str, float], now: dict[str, float], tolerance: float) -> Iterator[str]:
    for name, value in then.items():
        if not name.startswith("baseline/") and not differences.near(value, now.get(name), tolerance):
            yield f"{name}: {value:.9g} then, {now.get(name, float('nan')):.9g} now"
