"""Whether a study is whole: its storage, its ``study.json`` and its run folders say the same, and say it once."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
from bench.sweeping.killing import Sweep
from bench.sweeping.measuring import STUDY, Targets, Trial
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from runcard.runs import RunFolder

VERIFIED = 3
ORPHAN_S = 5


def check(sweep: Sweep, n_trials: int, storage: str | None, targets: Targets) -> None:
    """Say beside each wish what was found.

    Args:
        sweep: One that is over.
        n_trials: How many trials it was to have.
        storage: A server's URL; None: the study's own file.
        targets: What hears of it.
    """
    numbers = list(range(n_trials))
    stored, summary = _stored(sweep.study, storage), _summary(sweep.study)
    folders = [path for path in sweep.study.iterdir() if (path / "card.yaml").is_file()]
    runs = {path.name: Trial(RunFolder(path)) for path in folders}
    targets.equal("trials finished", sum(trial.state == TrialState.COMPLETE for trial in stored), n_trials)
    targets.equal("trials in another state", sum(trial.state != TrialState.COMPLETE for trial in stored), 0)
    targets.equal("numbers that are missing or twice", _unlike([trial.number for trial in stored], numbers), 0)
    targets.equal("run folders too many or too few", _unlike(sorted(runs), sorted(map(str, numbers))), 0)
    targets.equal("run folders that are unfinished", sum(math.isnan(run.value) for run in runs.values()), 0)
    targets.equal("runs finished twice", sum(_finishes(run) > 1 for run in runs.values()), 0)
    values = [(trial.number, trial.value) for trial in stored]
    in_folders = [(int(name), run.value) for name, run in runs.items() if name.isdigit()]
    in_summary = [(trial["number"], trial["value"]) for trial in summary["trials"]]
    targets.equal("values that storage and run folders disagree on", _unlike(values, in_folders), 0)
    targets.equal("values that storage and study.json disagree on", _unlike(values, in_summary), 0)
    targets.equal('"database is locked"', _locked(sweep), 0)
    targets.most("longest life after the parent's death", sweep.longest_orphan_s, ORPHAN_S, " s")
    again = subprocess.run(sweep.command, cwd=sweep.folder, capture_output=True)
    changed = (
        again.returncode != 0 or _summary(sweep.study) != summary or len(_stored(sweep.study, storage)) != n_trials
    )
    targets.equal("changes by the same command again", int(changed), 0)
    chosen = sorted(runs.values(), key=_interruptions, reverse=True)[:VERIFIED]
    went_on = sum(_interruptions(run) > 0 for run in runs.values())
    same = sum(_same_bits(run) for run in chosen)
    targets.equal(f"same bits, of those that were stopped most ({went_on} were)", same, VERIFIED)


def _stored(study: Path, storage: str | None) -> list[FrozenTrial]:
    url = storage.replace("postgresql://", "postgresql+psycopg://") if storage else f"sqlite:///{study}/study.db"
    return optuna.load_study(study_name=STUDY, storage=url, sampler=RandomSampler()).get_trials()


def _summary(study: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((study / "study.json").read_text())
    return content


def _unlike(found: list[Any], wanted: list[Any]) -> int:
    """How many are in one list and not in the other, counted as often as they are there."""
    rest = list(found)
    missing = 0
    for one in wanted:
        if one in rest:
            rest.remove(one)
        else:
            missing += 1
    return missing + len(rest)


def _finishes(run: Trial) -> int:
    return run.folder.log.read_text().count(" finished: {")


def _interruptions(run: Trial) -> int:
    """How often it was gone on with."""
    return run.folder.log.read_text().count(": going on from ")


def _locked(sweep: Sweep) -> int:
    logs = [sweep.folder / "log", *sweep.study.glob("**/*.log"), *sweep.study.glob("output/*")]
    return sum(path.read_bytes().count(b"database is locked") for path in logs)


def _same_bits(run: Trial) -> bool:
    command = [sys.executable, "-m", "runcard", "verify", str(run.folder.path)]
    return subprocess.run(command, capture_output=True).returncode == 0
