"""The sections ``augment``, ``optimizer`` and ``scheduler``: how weights move, and by which rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runcard.card.sections.parts import Part, Share


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


AnyAugment = Unchanged | Mixup
AnyOptimizer = AdamW | Sgd
AnyScheduler = Constant | Cosine
