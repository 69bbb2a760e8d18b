"""The card: every key that exists, its type and its range. Nothing unknown passes, nothing can be changed later.

A section whose class the user may choose carries ``_target_``; only the classes named here are allowed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, StringConstraints

from runcard.card.networks import AnyNetwork
from runcard.card.parts import Fraction, Name, Part, Positive, Section, Share, Text

CARD_VERSION = 1


class Limits(Section):
    """What the served model must keep to; None: no limit."""

    latency_ms: Annotated[float, Field(gt=0)] | None
    size_mb: Annotated[float, Field(gt=0)] | None


class Problem(Section):
    """Why the model is built, and what is good enough."""

    task: Literal["auto", "classification", "regression"]
    target: Text
    metric: Literal["auto", "accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "r2", "rmse", "mae"]
    goal: Text
    today: Text
    today_value: float | None
    least_value: float | None
    risk: Text
    impact: Text
    limits: Limits


class Split(Section):
    """How the rows are divided; what is left is for training."""

    seed: Annotated[int, Field(ge=0)]
    validation: Fraction
    test: Fraction


class Data(Part):
    """What every source of rows has."""

    batch_size: Positive | Literal["auto"]
    workers: Annotated[int, Field(ge=0, le=1024)]
    split: Split

    @property
    def batch_rows(self) -> int:
        """``batch_size`` of a settled card."""
        assert isinstance(self.batch_size, int)
        return self.batch_size

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image; else it has columns."""
        return False

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text; only a user can say which are."""
        return ()

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for the source, which neither divides its rows nor cuts batches."""
        return {
            name: value for name, value in super().arguments().items() if name not in ("batch_size", "workers", "split")
        }


class BuiltinData(Data):
    """Real data that comes with scikit-learn."""

    target_class: Literal["runcard.data.builtin.Builtin"] = Field(alias="_target_")
    name: Literal["digits", "breast_cancer", "wine", "diabetes"]

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image; else it has columns."""
        return self.name == "digits"


class TableData(Data):
    """A CSV or Parquet file."""

    target_class: Literal["runcard.data.table.Table"] = Field(alias="_target_")
    path: Text
    kinds: dict[str, Literal["number", "category", "boolean", "text", "ignore"]]
    separator: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    null_values: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text."""
        return tuple(name for name, kind in self.kinds.items() if kind == "text")


class ArraysData(Data):
    """NumPy arrays on disk."""

    target_class: Literal["runcard.data.arrays.Arrays"] = Field(alias="_target_")
    inputs: Text
    targets: Text

    @property
    def has_images(self) -> bool:
        """Whether a row may be an image, which only the file tells: a network that needs one looks again."""
        return True


class Unchanged(Part):
    """Rows are learned as they are."""

    target_class: Literal["runcard.training.augment.Unchanged"] = Field(alias="_target_")


class Mixup(Part):
    """Two rows are blended into one."""

    target_class: Literal["runcard.training.augment.Mixup"] = Field(alias="_target_")
    alpha: Annotated[float, Field(gt=0)]


class Optimizer(Part):
    """What every optimizer has."""

    lr: Annotated[float, Field(gt=0)] | Literal["auto"]
    weight_decay: Annotated[float, Field(ge=0)]
    fused: bool

    @property
    def rate(self) -> float:
        """``lr`` of a settled card."""
        assert isinstance(self.lr, float)
        return self.lr


class AdamW(Optimizer):
    """Adam with decoupled weight decay."""

    target_class: Literal["torch.optim.AdamW"] = Field(alias="_target_")
    betas: tuple[Share, Share]


class Sgd(Optimizer):
    """Stochastic gradient descent."""

    target_class: Literal["torch.optim.SGD"] = Field(alias="_target_")
    momentum: Share
    nesterov: bool


class Scheduler(Part):
    """What every learning-rate schedule has."""

    warmup_fraction: Share


class Constant(Scheduler):
    """The same learning rate throughout."""

    target_class: Literal["runcard.training.schedules.Constant"] = Field(alias="_target_")


class Cosine(Scheduler):
    """Half a cosine from the full learning rate down."""

    target_class: Literal["runcard.training.schedules.Cosine"] = Field(alias="_target_")
    final_fraction: Annotated[float, Field(ge=0, le=1)]


class EarlyStopping(Section):
    """When to give up waiting for a better epoch; patience None: never."""

    patience: Positive | None
    min_delta: Annotated[float, Field(ge=0)]


class Average(Section):
    """Whether averaged weights are judged and kept in place of the newest; method None: no."""

    method: Literal["ema", "swa"] | None
    decay: Share
    start_fraction: Share


class Trainer(Section):
    """How long, where and how exactly to train."""

    accelerator: Literal["cpu", "gpu", "auto"]
    devices: Positive
    strategy: Literal["single", "ddp", "fsdp"]
    precision: Literal[32, "bf16-mixed", "16-mixed", "bf16-true", "auto"]
    max_epochs: Positive
    limit_batches: Positive | None
    monitor: Text
    early_stopping: EarlyStopping
    gradient_clip_norm: Annotated[float, Field(gt=0)] | None
    accumulate: Positive
    label_smoothing: Share
    average: Average
    nonfinite: Literal["stop", "skip"]
    deterministic: bool
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    steps_per_execution: Positive | Literal["auto"]
    compile: bool
    channels_last: bool | Literal["auto"]
    lightning: dict[str, Any]
    overfit_rows: Positive | None
    profile: bool

    @property
    def thread_count(self) -> int:
        """``threads`` of a settled card."""
        assert isinstance(self.threads, int)
        return self.threads


class Checkpoint(Section):
    """How often training is written down so that it can go on."""

    every_s: Annotated[float, Field(ge=0)]


class CsvLogger(Part):
    """One line an epoch in the run folder."""

    target_class: Literal["runcard.training.csvlog.CsvLogger"] = Field(alias="_target_")


class WandbLogger(Part):
    """Weights & Biases."""

    target_class: Literal["pytorch_lightning.loggers.WandbLogger"] = Field(alias="_target_")
    project: Text
    offline: bool


class TensorBoardLogger(Part):
    """Event files for TensorBoard."""

    target_class: Literal["pytorch_lightning.loggers.TensorBoardLogger"] = Field(alias="_target_")


class MlflowLogger(Part):
    """MLflow, with a file or a server."""

    target_class: Literal["pytorch_lightning.loggers.MLFlowLogger"] = Field(alias="_target_")
    tracking_uri: Text
    experiment_name: Text


class NoLogger(Part):
    """Nothing is written while training."""

    target_class: Literal["pytorch_lightning.loggers.logger.DummyLogger"] = Field(alias="_target_")


class Sweep(Section):
    """How many runs of a card are tried; no part of the card itself, so what is usual need not be written."""

    sampler: Literal["tpe", "random", "grid"]
    n_trials: Positive | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    name: Name | None = None
    studies_dir: Text = "studies"
    metric: Text | None = None
    space: dict[str, Any]


class Sweeping(Section):
    """The one section beside a card's own."""

    sweep: Sweep


class Card(Section):
    """One experiment, whole and checked."""

    version: Literal[1]
    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    runs_dir: Text
    report: bool
    problem: Problem
    data: BuiltinData | TableData | ArraysData = Field(discriminator="target_class")
    model: AnyNetwork = Field(discriminator="target_class")
    augment: Unchanged | Mixup = Field(discriminator="target_class")
    optimizer: AdamW | Sgd = Field(discriminator="target_class")
    scheduler: Constant | Cosine = Field(discriminator="target_class")
    trainer: Trainer
    checkpoint: Checkpoint
    logger: CsvLogger | WandbLogger | TensorBoardLogger | MlflowLogger | NoLogger = Field(discriminator="target_class")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> dict[str, str]:
        """Dotted key → the file and line, or the override, that set it."""
        return dict(self._origins)

    def __eq__(self, other: object) -> bool:
        # Where a value came from does not make another card.
        return isinstance(other, Card) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names that YAML uses."""
        return self.model_dump(mode="json", by_alias=True)
