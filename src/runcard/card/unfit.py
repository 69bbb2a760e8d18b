"""What in the settings of a sweep does not go together, or not with its space: said before anything is tried."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from runcard.advice import advise
from runcard.card.interpolate import MISSING
from runcard.card.launchers import Launcher
from runcard.card.sections.sweep import ENUMERATING, PRUNERS, Sweep
from runcard.card.space import Dimension
from runcard.errors import Mistake

# What ``auto`` finds anew for each card.
FOUND = ("optimizer.lr", "data.batch_size")
STARTING_AT_RANDOM = ("tpe", "gp", "cmaes")
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
ONE_MACHINE = "that keeps the study in SQLite, a file in its folder, for one machine."

Wrong = tuple[str, str, str]


def unfit(
    settings: Sweep, space: Sequence[Dimension], place: Callable[[str], str], launcher: Launcher | None = None
) -> Iterator[Mistake]:
    """All that does not go together.

    Args:
        settings: How the sweep goes about it.
        space: What it varies.
        place: Where a key was set.
        launcher: Who places its trials; None: the pool of this machine.
    """
    wrong = [*_in_settings(settings), *_in_pruning(settings), *_in_storage(settings)]
    for key, message, hint in [*wrong, *_on_machines(settings, launcher)]:
        yield Mistake(f"sweep.{key}", message, place(f"sweep.{key}"), hint)
    for key, message, hint in _in_space(settings, space):
        yield Mistake(key, message, "", hint)


def _in_settings(settings: Sweep) -> Iterator[Wrong]:
    sampler, metrics = settings.sampler, settings.metrics or []
    if sampler not in ENUMERATING and settings.n_trials is None:
        yield "n_trials", f"must be a number for sweep={sampler}", f"Add {advise('sweep.n_trials=20')}."
    if settings.window is not None and sampler != "gp":
        yield "window", f"is not used by {sampler}", f"Leave it null, or choose {advise('sweep.sampler=gp')}."
    if settings.startup_trials is not None and sampler not in STARTING_AT_RANDOM:
        yield "startup_trials", f"is not used by {sampler}", f"Leave it null; it is for {_listed(STARTING_AT_RANDOM)}."
    if settings.first and sampler in ENUMERATING:
        yield "first", f"is not for {sampler}, which tries every point once", "Leave it null."
    if sampler == "cmaes" and not _installed("cmaes"):
        yield (
            "sampler",
            "'cmaes' needs a package that is not installed",
            f"Run: {advise('pip', 'install', 'runcard[cmaes]')}",
        )
    if settings.spread_weight and settings.seeds < 2:
        yield "spread_weight", "weighs the spread over seeds, and each trial has one", f"Set {advise('sweep.seeds=3')}."
    if len(set(metrics)) < len(metrics):
        yield "metric", "names one twice", "Name each once."
    if len(metrics) > 1:
        yield from _with_several(settings)


def _with_several(settings: Sweep) -> Iterator[Wrong]:
    """What cannot be with several metrics at once."""
    if settings.sampler == "cmaes":
        hint = f"Choose {advise('sweep.sampler=nsga2')} or {advise('sweep.sampler=tpe')}."
        yield "sampler", "'cmaes' takes one metric, and sweep.metric names several", hint
    if settings.pruner != "none":
        yield "pruner", f"{settings.pruner!r} takes one metric, and sweep.metric names several", "Set it to none."
    if settings.target_value is not None:
        yield "target_value", "is for one metric, and sweep.metric names several", "Leave it null."


def _in_pruning(settings: Sweep) -> Iterator[Wrong]:
    pruner, given, used = settings.pruner, settings.pruning.given, PRUNERS[settings.pruner]
    for name in given:
        if name not in used:
            users = [other for other, options in PRUNERS.items() if name in options]
            yield (
                f"pruning.{name}",
                f"is not used by sweep.pruner={pruner}",
                f"Leave it null; it is for {_listed(users)}.",
            )
    if pruner == "wilcoxon":
        yield from _in_wilcoxon(settings.seeds, given.get("p_value", used["p_value"] or 0.0))
    if pruner == "threshold" and not {"lower", "upper"} & set(given):
        yield "pruner", "'threshold' has no bound", "Set sweep.pruning.lower or sweep.pruning.upper."
    if given.get("lower", 0.0) > given.get("upper", given.get("lower", 0.0)):
        yield "pruning.lower", f"is {given['lower']:g}, above sweep.pruning.upper {given['upper']:g}", "Exchange them."


def _in_wilcoxon(seeds: int, p_value: float) -> Iterator[Wrong]:
    # Worse on each of n seeds has a p-value of 2^-n, the least there is; after the last seed nothing is left to save.
    enough = max(2, math.floor(-math.log2(p_value)) + 1)
    if seeds < 2:
        hint = f"Set {advise(f'sweep.seeds={enough + 1}')}."
        yield "pruner", "'wilcoxon' compares trials seed by seed, and each has one", hint
    elif seeds <= enough:
        message = f"'wilcoxon' cannot be sure to p_value={p_value:g} before {enough} seeds, and a trial has {seeds}"
        yield "pruner", message, f"Set {advise(f'sweep.seeds={enough + 1}')} or more, or raise sweep.pruning.p_value."


def _in_storage(settings: Sweep) -> Iterator[Wrong]:
    """What is no place for a study; the URL is not repeated, for a password may stand in it."""
    if settings.storage in (None, MISSING):
        return
    scheme, found, _ = settings.storage.partition("://")
    if not found or scheme not in POSTGRESQL:
        said = f"{scheme}:// is not offered" if found else "is no URL"
        yield (
            "storage",
            f"must be postgresql://USER@HOST/DATABASE; this {said}",
            f"Set it so, or to null: {ONE_MACHINE}",
        )
        return
    try:
        parts = urlsplit(settings.storage)
        whole = bool(parts.path.strip("/")) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, or half of an address
        whole = False
    if not whole:
        yield "storage", "must be postgresql://USER@HOST:PORT/DATABASE; host, port or database cannot be read", ""
    if not _installed("psycopg"):
        hint = f"Run: {advise('pip', 'install', 'runcard[postgresql]')}"
        yield "storage", "PostgreSQL needs a package that is not installed", hint


def _on_machines(settings: Sweep, launcher: Launcher | None) -> Iterator[Wrong]:
    """What several machines need to work on one study."""
    elsewhere = launcher is not None and launcher.elsewhere
    if launcher is not None and elsewhere and settings.storage is None:
        yield (
            "storage",
            f"is needed for trials on other machines ({launcher.name}): they cannot share a SQLite file",
            f"Set {advise('sweep.storage=postgresql://USER@HOST/DATABASE')}, which all of them reach.",
        )
    if settings.storage is not None and settings.name is None:
        hint = f"Add {advise('sweep.name=NAME')}."
        yield "name", "is needed with sweep.storage: by it other machines, and a later command, find the study", hint


def _in_space(settings: Sweep, space: Sequence[Dimension]) -> Iterator[Wrong]:
    for dimension in space:
        if dimension.key in FOUND and "auto" in dimension.values:
            hint = f"Leave auto out; or set {advise(f'{dimension.key}=auto')} for all trials, and vary something else."
            yield dimension.key, "auto finds a value by a rule, and a sweep by trying: one of them", hint
        if settings.sampler in ENUMERATING and not dimension.finite:
            # A sampler that guesses needs an end of its trials.
            words = ["sweep.sampler=tpe", *(["sweep.n_trials=20"] if settings.n_trials is None else [])]
            hint = f"List values, as choice(1,2) or range(1,9,2), or choose {advise(*words)}."
            who = "a grid" if settings.sampler == "grid" else settings.sampler
            yield dimension.key, f"an interval has no end of values, and {who} tries them all", hint
        is_contest = settings.sampler in ENUMERATING and len(settings.metrics or ()) < 2
        if dimension.key == "data.split.seed" and not is_contest:
            way = advise("sweep.sampler=grid")
            hint = f"Choose {way} and one metric: each choice is then judged by its mean over the splits."
            yield dimension.key, "is varied: trials on other rows are no contest, the luckiest would win", hint
        if dimension.key == "seed" and settings.seeds > 1:
            hint = "Take seed out of the space, or leave sweep.seeds at 1."
            yield "seed", f"is varied, and sweep.seeds={settings.seeds} runs every trial with so many seeds", hint
    numbers = [d.key for d in space if d.low is not None and d.low != d.high and not d.when]
    if settings.sampler == "cmaes" and len(numbers) < 2:
        hint = f"Vary two keys by interval(...) or range(...) in every trial, or choose {advise('sweep.sampler=tpe')}."
        yield "sweep.sampler", f"'cmaes' guides two numbers or more, and the space has {len(numbers)}", hint


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _listed(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), names[-1]])
