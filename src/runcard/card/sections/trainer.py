"""The sections ``trainer`` and ``checkpoint``: how long, where and how exactly, and how often it is written down."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runcard.card.sections.parts import Name, OwnPart, Positive, Section, Share, Text


class EarlyStopping(Section):
    """When to give up waiting for a better epoch; patience None: never."""

    patience: Positive | None
    min_delta: Annotated[float, Field(ge=0)]


class Average(Section):
    """Whether averaged weights are judged and kept in place of the newest; method None: no."""

    method: Literal["ema", "swa"] | None
    decay: Share
    start_fraction: Share


class OwnCallback(OwnPart):
    """One of Lightning's callbacks, or one of the user's own."""


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
    callbacks: dict[Name, OwnCallback]
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
