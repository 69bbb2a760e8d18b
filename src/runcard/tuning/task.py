"""A trial in plain values: what goes to the process that does it, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

# A step, an epoch or a run, and its value in; whether to end the trial out.
Told = Callable[[int, float], bool]
State = Literal["COMPLETE", "PRUNED", "FAIL", "STOPPED"]


@dataclass(frozen=True)
class Task:
    """A trial in plain values, for another process or another machine.

    Attributes:
        number: Of the trial, from 0.
        folder: The run folder of its first run, absolute; those of the others have ``.seed-K`` behind it.
        card: As ``Card.saved`` gives it.
        origins: Where each value of the card came from.
        metrics: What decides, such as ``["val/accuracy"]``.
        seeds: How many runs, with the card's seed and those after it, 1 or more.
        spread_weight: How many standard deviations of the runs count against their mean, 0 or more.
        reports: What is told on the way: each ``epoch`` of the first run, each run (``seed``), or ``none``.
        data_key: Under which the pool may have the card's rows.
        study: Where to report to, for a trial that no driver listens to.
        baselines: A file for the scores of the baselines, which the first trial that finishes writes; empty: none.
    """

    number: int
    folder: str
    card: dict[str, Any]
    origins: dict[str, str]
    metrics: list[str]
    seeds: int = 1
    spread_weight: float = 0.0
    reports: Literal["none", "epoch", "seed"] = "none"
    data_key: str = ""
    study: dict[str, Any] | None = None
    baselines: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Task:
        """What ``to_dict`` gave."""
        return cls(**content)


def outcome(
    state: State,
    *,
    values: Sequence[float] | None = None,
    seed_values: Sequence[Sequence[float]] | None = None,
    epochs: int = 0,
    error: str | None = None,
    scores: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """What came of a trial, for JSON.

    Args:
        state: ``STOPPED``: a signal came, and the trial can be gone on with.
        values: One for each thing that decides.
        seed_values: The same for each run.
        epochs: How many were trained in this process and before, in all runs.
        error: Why it failed.
        scores: What else validation rows say of its first run, such as ``val/loss``.
    """
    came = {"state": state, "values": values, "seed_values": seed_values, "epochs": epochs, "error": error}
    return came | {"scores": dict(scores or {})}


# Of a trial that was stopped before it had anything to say.
STOPPED = outcome("STOPPED")
