"""``overhead``, ``pruning`` and ``ask`` of ``bench/sweep.py``: what Runcard's sweeper itself takes and saves."""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.sweeping import plain
from bench.sweeping.measuring import RefusedError, Targets, best, own_sweep, standard_error
from bench.sweeping.racing import FIXED, by_hand
from bench.sweeping.trial import METRIC

from runcard import api
from runcard.data.dataset import load_dataset
from runcard.tuning.opening import opened
from runcard.tuning.task import outcome

PRUNED = ["experiment=digits_cnn", "trainer.threads=1", "report=false", "sweep=tpe"]
PRUNED += ["optimizer.lr=tag(log,interval(1e-5,1))", "optimizer.weight_decay=tag(log,interval(1e-5,1e-1))"]
ASKS = 9  # before a sampler begins to learn


def overhead(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trials of a third of a second, so that the machine's moods do not hide what is looked for."""
    seeds = ",".join(map(str, range(1, 5 if arguments.quick else 41)))
    varied, found, targets = ["trainer.max_epochs=choice(3)", f"seed=choice({seeds})"], [], Targets()
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            by_hand(varied, 1, Path(first))
            fits = plain.seconds(f"sqlite:///{first}/plain.db")[1:]  # the first one warms up
            starts = [trial.start for trial in own_sweep([*FIXED, *varied], Path(second))]
        whole = (starts[-1] - starts[1]) / (len(starts) - 2)
        found.append({"fit": fmean(fits), "whole": whole, "overhead": whole - fmean(fits)})
        print(f"  a trial {whole:.3f} s, its fit {fmean(fits):.3f} s", flush=True)
    targets.most("overhead a trial", median(row["overhead"] for row in found), 0.15, " s")
    return {"rounds": found, "missed": targets.missed}


def pruning(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same sweep with and without a pruner, for each seed of the sampler."""
    targets, found = Targets(), []
    rows = len(load_dataset(api.load_card(PRUNED[:3])).indices("validation"))
    count = ["sweep.n_trials=8", "trainer.max_epochs=6"] if arguments.quick else ["sweep.n_trials=40"]
    for seed in arguments.seeds:
        words, row = [*PRUNED, *count, "sweep.workers=2", f"sweep.seed={seed}"], {"seed": seed}
        try:
            for pruner in ("none", arguments.pruner):
                with tempfile.TemporaryDirectory() as folder:
                    tried = own_sweep([*words, f"sweep.pruner={pruner}"], Path(folder))
                    row[pruner] = {"epochs": sum(trial.epochs for trial in tried), "best": best(tried)}
                    print(f"  seed {seed}, {pruner}: {row[pruner]}", flush=True)
        except RefusedError as error:
            print(f"  {error}")
            continue
        whole, pruned = row["none"], row[arguments.pruner]
        targets.most(f"seed {seed}: epochs with pruning, of those without", pruned["epochs"] / whole["epochs"], 0.58)
        least = -standard_error(whole["best"], rows)
        targets.least(f"seed {seed}: best with, less the best without", pruned["best"] - whole["best"], least)
        found.append(row)
    return {"pruner": arguments.pruner, "seeds": found, "missed": targets.missed}


def ask(arguments: argparse.Namespace) -> dict[str, Any]:
    """In the storage that a sweep has by itself, SQLite; with all that the sweeper does to take a trial."""
    targets, found, depth = Targets(), {}, 100 if arguments.quick else 1000
    for sampler in ("random", "tpe"):
        with tempfile.TemporaryDirectory() as folder:
            taken = _takes_s(sampler, depth, folder)
        empty, deep = median(taken[1 : ASKS + 1]), median(taken[-ASKS:])  # the first one is not warm
        found[sampler] = {"empty": empty, "deep": deep}
        print(f"  {sampler}: {1000 * empty:.1f} ms in an empty study, {1000 * deep:.1f} ms at {depth} trials")
        targets.most(f"{sampler}: a warm ask at {depth} trials", 1000 * deep, 3000 * empty + 30, " ms")
    return {"depth": depth, "seconds": found, "missed": targets.missed}


def _takes_s(sampler: str, depth: int, folder: str) -> list[float]:
    """Seconds of each ask of a sweep whose trials take no time."""
    words = [f"sweep={sampler}", f"sweep.n_trials={depth + ASKS}", "sweep.name=deep", f"sweep.studies_dir={folder}"]
    seconds: list[float] = []
    with opened(api.load_sweep([*words, *FIXED, *PRUNED[-2:]]), [METRIC]) as (_, trials):
        while len(seconds) < depth + ASKS:
            started = time.perf_counter()
            taken = trials.take()
            seconds.append(time.perf_counter() - started)
            assert taken is not None
            trials.tell(taken, outcome("COMPLETE", values=[-abs(math.log10(taken.point["optimizer.lr"]) + 3)]))
    return seconds
