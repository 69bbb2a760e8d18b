"""``race`` of ``bench/sweep.py``: the same trainings, by each contender."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.sweeping import environment, plain
from bench.sweeping.measuring import (
    RefusedError,
    Targets,
    Trial,
    best,
    own_sweep,
    run_command,
    shown,
    span,
    standard_error,
    trials,
)
from bench.sweeping.trial import METRIC, Task, rehearsed

from runcard import api
from runcard.data.dataset import load_dataset

# With patience a bad learning rate would end early by itself, and lengths would not be as even for all as they are.
FIXED = ["data=digits", "model=cnn", "trainer.threads=1", "trainer.early_stopping.patience=null", "report=false"]
RATES = ["1e-4", "3e-4", "1e-3", "2e-3", "5e-3", "1e-2", "3e-2", "1e-1"]  # over the interval of conf/sweep/tpe.yaml
LENGTHS_S = (1.0, 1.5, 2.0, 2.5, 3.0)
Contender = Callable[[Path], list[Trial]]


def space(*, quick: bool) -> list[str]:
    """The points: lengths in epochs, which take this machine so many seconds, times learning rates."""
    lengths, rates = ([3, 6], RATES[2:5]) if quick else (_epochs(LENGTHS_S), RATES)
    return [f"trainer.max_epochs=choice({','.join(map(str, lengths))})", f"optimizer.lr=choice({','.join(rates)})"]


def _epochs(seconds: Sequence[float]) -> list[int]:
    """How many epochs take so long, with what a fit takes beside them."""
    card = api.load_card(FIXED)
    data, took = load_dataset(card), {}
    for epochs in (1, 1, 11):  # the first one warms up
        took[epochs] = rehearsed(card, data, max_epochs=epochs)
    epoch = (took[11] - took[1]) / 10
    return [max(1, round((wanted - took[1]) / epoch) + 1) for wanted in seconds]


def hydra_optuna(varied: list[str], launcher: list[str], folder: Path) -> list[Trial]:
    """Theirs."""
    count = f"hydra.sweeper.n_trials={api.load_sweep([*FIXED, *varied]).trials}"
    command = [str(environment.python()), "-m", "bench.sweeping.hydra_optuna", "-m", *varied, count, *launcher]
    run_command(command, folder, _task(varied, folder))
    return trials(folder / "runs")


def by_hand(varied: list[str], processes: int, folder: Path) -> list[Trial]:
    """The plain loop, in so many processes that share a study in SQLite."""
    plan, storage = api.load_sweep([*FIXED, *varied]), f"sqlite:///{folder}/plain.db"
    plain.create(storage, plan.points())
    command = [sys.executable, "-m", "bench.sweeping.plain", storage, str(plan.trials)]
    options: dict[str, Any] = {"cwd": folder, "env": _task(varied, folder), "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **options) for _ in range(processes)]
    said = [process.communicate()[1].strip() for process in started]
    for process, words in zip(started, said, strict=True):
        if process.returncode:  # with two, Optuna on SQLite may hand both the same waiting trial
            raise RefusedError(f"ended early: {words.splitlines()[-1]}")
    return trials(folder / "runs")


def _task(varied: list[str], folder: Path) -> dict[str, str]:
    return Task([*FIXED, *varied], str(folder / "runs")).environment() | {"PYTHONPATH": str(environment.ROOT)}


def contenders(arguments: argparse.Namespace) -> dict[str, Contender]:
    """Who races, by name."""
    varied = space(quick=arguments.quick)
    print(f"  {' '.join(varied)}", flush=True)
    two = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2"]

    def ours(*settings: str) -> Contender:
        return partial(own_sweep, [*FIXED, *varied, *settings])

    return {
        "theirs, default launcher": partial(hydra_optuna, varied, []),
        "theirs, joblib with 2 jobs": partial(hydra_optuna, varied, two),
        "by hand, 1 process": partial(by_hand, varied, 1),
        "by hand, 2 processes": partial(by_hand, varied, 2),
        "runcard, 1 worker": ours(),
        "runcard, 2 workers": ours("sweep.workers=2"),
        "runcard, 2 workers, pruning": ours("sweep.workers=2", f"sweep.pruner={arguments.pruner}"),
    }


def race(arguments: argparse.Namespace) -> dict[str, Any]:
    """All contenders, there and back: each second round in the other order. Then the ratios."""
    found: dict[str, dict[str, Any]] = {}
    there = list(contenders(arguments).items())
    for turn in range(arguments.rounds):
        for name, contender in reversed(there) if turn % 2 else there:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    tried = contender(Path(folder))
                except RefusedError as error:
                    print(f"  {name:32} {error}", flush=True)
                    continue
                row = found.setdefault(name, {"seconds": [], "best": []})
                row["seconds"].append(span(tried))
                row["best"].append(best(tried))
                row |= {"trials": len(tried), "epochs": sum(trial.epochs for trial in tried)}
                row["lengths"] = [round(trial.end - trial.start, 2) for trial in tried]
                print(f"  {name:32} {span(tried):7.2f} s", flush=True)
    for name, row in found.items():
        least, most = min(row["lengths"]), max(row["lengths"])
        print(f"  {name:32} {shown(row['seconds'])}  {row['trials']} trials of {least:.1f} to {most:.1f} s,", end="")
        print(f" {row['epochs']} epochs, best {METRIC} {median(row['best']):.4f}")
    return {"contenders": found, "missed": _compared(found)}


def _compared(found: dict[str, dict[str, Any]]) -> list[str]:
    """Each ratio beside its target; those that were missed.

    Of sums over the rounds: a machine that is shared gets faster and slower within minutes, by a quarter and more, and
    rounds there and back give each contender as much of both.
    """
    targets = Targets()
    wanted = [
        ("runcard, 2 workers", "theirs, default launcher", 1.8),
        ("runcard, 2 workers", "theirs, joblib with 2 jobs", 1.08),
        ("runcard, 2 workers, pruning", "theirs, default launcher", 2.5),
        ("runcard, 1 worker", "by hand, 1 process", 0.9),
        ("runcard, 2 workers", "by hand, 1 process", 1.7),
    ]
    for ours, other, target in wanted:
        if ours in found and other in found:
            theirs, mine = found[other]["seconds"], found[ours]["seconds"]
            print(f"    {shown([them / us for them, us in zip(theirs, mine, strict=False)], unit='')} by round")
            targets.least(f"{ours} : {other}", fmean(theirs) / fmean(mine), target)
    pruned, whole = (found.get(name) for name in ("runcard, 2 workers, pruning", "theirs, default launcher"))
    if pruned and whole:
        rows = len(load_dataset(api.load_card(FIXED)).indices("validation"))
        error = standard_error(median(whole["best"]), rows)
        targets.least(
            "best with pruning, less the best without", median(pruned["best"]) - median(whole["best"]), -error
        )
    return targets.missed
