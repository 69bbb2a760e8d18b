"""The sections ``augment``, ``optimizer`` and ``scheduler``: how weights move, and by which rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runcard.card.sections.parts import OWN, SHIPPED, OwnPart, Part, Share, kind_of_part


class Unchanged(Part):
    """Rows are learned as they are."""

    target_class: Literal["runcard.training.augment.Unchanged"] = Field(alias="_target_")


class Mixup(Part):
    """Two rows are blended into one."""

    target_class: Literal["runcard.training.augment.Mixup"] = Field(alias="_target_")
    alpha: Annotated[float, Field(gt=0)]
    """Of the share's Beta distribution, above 0; small: mostly one of the two rows; 1: any share is as likely."""


class Optimizer(Part):
    """What every optimizer has."""

    lr: Annotated[float, Field(gt=0)] | Literal["auto"]
    """Step size, above 0; the first thing to tune, by factors of 3; auto: where a short test sees the loss fall."""

    @property
    def rate(self) -> float:
        """``lr`` of a settled card."""
        assert isinstance(self.lr, float)
        return self.lr


class AdamW(Optimizer):
    """Adam with decoupled weight decay."""

    target_class: Literal["torch.optim.AdamW"] = Field(alias="_target_")
    weight_decay: Annotated[float, Field(ge=0)]
    """Pull of the weights towards 0 each step, 0 or more; more for few rows."""
    betas: tuple[Share, Share]
    """Memory of the gradient and of its square, each 0 to below 1; longer is smoother and slower to turn."""
    fused: bool
    """One kernel for all weights: faster; false for a device that lacks it."""


class Sgd(Optimizer):
    """Stochastic gradient descent."""

    target_class: Literal["torch.optim.SGD"] = Field(alias="_target_")
    weight_decay: Annotated[float, Field(ge=0)]
    """Pull of the weights towards 0 through the gradient, 0 or more."""
    momentum: Share
    """Share of the last step kept, 0 to below 1; above 0 for nesterov."""
    nesterov: bool
    """Look ahead before the gradient: a little faster where the way is straight."""
    fused: bool
    """One kernel for all weights: faster; false for a device that lacks it."""


class Scheduler(Part):
    """What every learning-rate schedule has."""

    warmup_fraction: Share
    """Share of all steps in which the rate climbs from 0, 0 to below 1; more for large rates."""


class Constant(Scheduler):
    """The same learning rate throughout."""

    target_class: Literal["runcard.training.schedules.Constant"] = Field(alias="_target_")


class Cosine(Scheduler):
    """Half a cosine from the full learning rate down."""

    target_class: Literal["runcard.training.schedules.Cosine"] = Field(alias="_target_")
    final_fraction: Annotated[float, Field(ge=0, le=1)]
    """What is left of the rate at the end, 0 to 1; 1 is a constant rate."""


class OwnAugment(OwnPart):
    """What is done to a minibatch by a class of the user's own: called with inputs, targets and classes."""


class OwnOptimizer(Optimizer, OwnPart):
    """Another of torch's optimizers, or one of the user's own."""

    def arguments(self) -> dict[str, Any]:
        """As ``Part.arguments``."""
        return {"lr": self.lr, **super().arguments()}


class OwnScheduler(OwnPart):
    """One of torch's schedules, or one of the user's own: called with the share of training that is done."""

    interval: Literal["epoch", "step"] = "epoch"
    """Of a schedule of torch: it goes on once an epoch, or with every step."""


ShippedAugment = Unchanged | Mixup
AnyAugment = Annotated[
    Annotated[ShippedAugment, Field(discriminator="target_class"), Tag(SHIPPED)] | Annotated[OwnAugment, Tag(OWN)],
    Discriminator(kind_of_part),
]
ShippedOptimizer = AdamW | Sgd
AnyOptimizer = Annotated[
    Annotated[ShippedOptimizer, Field(discriminator="target_class"), Tag(SHIPPED)] | Annotated[OwnOptimizer, Tag(OWN)],
    Discriminator(kind_of_part),
]
ShippedScheduler = Constant | Cosine
AnyScheduler = Annotated[
    Annotated[ShippedScheduler, Field(discriminator="target_class"), Tag(SHIPPED)] | Annotated[OwnScheduler, Tag(OWN)],
    Discriminator(kind_of_part),
]
