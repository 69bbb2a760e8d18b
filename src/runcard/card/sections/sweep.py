"""The section ``sweep``: how many runs of a card are tried."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from runcard.card.sections.parts import Name, Positive, Section, Text

Count = Annotated[int, Field(ge=0, lt=2**31)]
PositiveFloat = Annotated[float, Field(gt=0)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Metrics = Annotated[
    list[Text], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=Text | list[Text] | None)
]

# Which try each point of a finite space once, and which draw as many as are wanted.
ENUMERATING = ("grid", "brute_force")
# Of each pruner the options that it uses, and what null stands for.
PRUNERS: dict[str, dict[str, float | None]] = {
    "none": {},
    "median": {"startup_trials": 5, "warmup_epochs": 0, "every_epochs": 1},
    "percentile": {"percentile": 25.0, "startup_trials": 5, "warmup_epochs": 0, "every_epochs": 1},
    "hyperband": {"min_epochs": 1, "reduction": 3},
    "successive_halving": {"min_epochs": None, "reduction": 4},
    "patient": {"patience": 5, "min_delta": 0.0},
    "threshold": {"lower": None, "upper": None, "warmup_epochs": 0, "every_epochs": 1},
    "wilcoxon": {"p_value": 0.1},
}


class Pruning(Section):
    """When a trial is stopped early; an option that is null is left to the pruner, which may not use it at all."""

    startup_trials: Count | None = None
    """Of median and percentile: trials that are finished before any is stopped, 0 or more; null: 5."""
    warmup_epochs: Count | None = None
    """Of median, percentile and threshold: epochs in which a trial is not yet stopped, 0 or more; null: 0."""
    every_epochs: Positive | None = None
    """Of median, percentile and threshold: how many epochs from one look to the next, 1 or more; null: 1."""
    percentile: Annotated[float, Field(gt=0, lt=100)] | None = None
    """Of percentile: the share that may go on, above 0 to below 100 percent; null: 25, the best quarter."""
    reduction: Annotated[int, Field(ge=2, lt=2**31)] | None = None
    """Of hyperband and successive_halving: of so many one goes on, 2 or more; null: 3, and 4."""
    min_epochs: Positive | None = None
    """Of hyperband and successive_halving: epochs that each trial gets, 1 or more; null: 1, and a tenth."""
    patience: Count | None = None
    """Of patient: epochs without a better value before a trial is stopped, 0 or more; null: 5."""
    min_delta: Annotated[float, Field(ge=0)] | None = None
    """Of patient: by how much a better value is better, 0 or more; null: 0."""
    lower: float | None = None
    """Of threshold: a trial whose value is below is stopped; null: none is."""
    upper: float | None = None
    """Of threshold: a trial whose value is above is stopped; null: none is."""
    p_value: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Of wilcoxon: stop a trial that is worse on the seeds so far with less doubt than this, 0 to 1; null: 0.1."""

    @property
    def given(self) -> dict[str, float]:
        """The options that are not null."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class Sweep(Section):
    """How many runs of a card are tried; no part of the card itself, so what is usual need not be written."""

    sampler: Literal["tpe", "gp", "cmaes", "random", "qmc", "grid", "brute_force", "nsga2", "nsga3"]
    """Who chooses the next values: tpe, gp, cmaes and nsga learn from the trials before, the others do not."""
    n_trials: Positive | None = None
    """How many in all, 1 or more, those of a study that is resumed among them; null, with grid and brute_force: all."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the sampler, 0 to 4294967295; with one worker the same seed tries the same values; not used by grid."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Trials at once, 1 to 1024, each a process of its own; the cores are divided among them."""
    startup_trials: Positive | None = None
    """Of tpe, gp and cmaes: trials at random before the first that is guided, 1 or more; null: by n_trials."""
    window: Annotated[int, Field(ge=2, lt=2**31)] | None = None
    """Of gp: learn from so many trials at most, 2 or more, for its time grows with their cube; null: by the sampler."""
    pruner: Literal[
        "none", "median", "percentile", "hyperband", "successive_halving", "patient", "threshold", "wilcoxon"
    ] = "none"
    """Who stops a trial that does badly: compared with the others, with itself (patient), or a bound (threshold)."""
    pruning: Pruning = Pruning()
    """Options of the pruner."""
    name: Name | None = None
    """Folder of the study; null: the card's name, date and time."""
    studies_dir: Text = "studies"
    """Where study folders go, from the working directory."""
    storage: Text | None = None
    """null: study.db in the study's folder, for one machine; postgresql://USER@HOST/DATABASE: for many."""
    if_exists: Literal["resume", "new", "refuse"] = "resume"
    """Where there is a study of this name: go on with it, begin another under a name with a number, or stop."""
    metric: Metrics | None = None
    """What decides, such as val/loss, or a list of such; null: the problem's metric on the validation rows."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    """Runs of each trial, 1 to 1000, with the card's seed and those after it; the mean counts."""
    spread_weight: Annotated[float, Field(ge=0)] = 0.0
    """So many standard deviations over the seeds count against the mean, 0 or more: prefers what is steady."""
    timeout_s: PositiveFloat | None = None
    """No trial begins after so many seconds, above 0; null: no end."""
    target_value: float | None = None
    """The sweep is over when a trial reaches this value of the metric; null: it goes on."""
    max_failure_rate: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The sweep stops when a larger share of the trials failed, 0 to 1; 1: never."""
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    """How often a trial is tried again whose process died, 0 to 100."""
    first: list[dict[str, Any]] | None = None
    """Points to try first, each with some keys of the space; null: the card's own values; []: none."""
    space: dict[str, Any]
    """Key: values, in Hydra's sweep syntax; one set on the command line is not tried."""

    @property
    def metrics(self) -> list[str] | None:
        """The names of what decides, one or several; None: the problem's metric."""
        return self.metric

    @property
    def pruning_options(self) -> dict[str, float | None]:
        """The options that the chosen pruner uses, with what null stands for; None: what the pruner finds."""
        usual, given = PRUNERS[self.pruner], self.pruning.given
        return {name: given.get(name, value) for name, value in usual.items()}


class Sweeping(Section):
    """The one section beside a card's own."""

    sweep: Sweep
    """How many runs of a card are tried."""
