"""The sections ``trainer`` and ``checkpoint``: how long, where and how exactly, and how often it is written down."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runcard.card.sections.parts import OwnPart, Positive, Section, Share, Text, Word


class EarlyStopping(Section):
    """When to give up waiting for a better epoch; patience None: never."""

    patience: Positive | None
    """Epochs without a better monitor before training stops, 1 or more; null: never."""
    min_delta: Annotated[float, Field(ge=0)]
    """What counts as better, in the monitor's unit, 0 or more."""


class Average(Section):
    """Whether averaged weights are judged and kept in place of the newest; method None: no."""

    method: Literal["ema", "swa"] | None
    """Judge and keep averaged weights, which are steadier: ema or swa; null: the newest weights."""
    decay: Share
    """Of ema: share of the old average a step keeps, 0 to below 1; 0.99 for less than 1,000 steps."""
    start_fraction: Share
    """Of swa: share of the epochs after which weights are averaged, 0 to below 1."""


class OwnCallback(OwnPart):
    """One of Lightning's callbacks, or one of the user's own."""


class Trainer(Section):
    """How long, where and how exactly to train."""

    accelerator: Literal["cpu", "gpu", "auto"]
    """Where to train; auto: on a GPU if there is one."""
    devices: Positive
    """Processes that share each minibatch, each with a device of its own, 1 or more; more with ddp and fsdp."""
    strategy: Literal["single", "ddp", "fsdp"]
    """single; ddp: a copy of the model in each process; fsdp: a share of it in each."""
    precision: Literal[32, "bf16-mixed", "16-mixed", "bf16-true", "auto"]
    """Bits of a number; auto: bf16-mixed on a GPU that has it, else 32; 16-mixed needs a GPU."""
    max_epochs: Positive
    """Times every training row is seen, 1 or more; the schedule is laid over them."""
    limit_batches: Positive | None
    """At most so many steps an epoch, 1 or more, for a quick look; null: all."""
    monitor: Text
    """What chooses the best epoch: val/loss, val/ and a metric of the task, or what a callback logs: less is better."""
    early_stopping: EarlyStopping
    """When to give up waiting for a better epoch."""
    gradient_clip_norm: Annotated[float, Field(gt=0)] | None
    """Longest gradient allowed, above 0; 1.0 tames a loss that jumps; null: no limit."""
    accumulate: Positive
    """Minibatches a step, 1 or more; as a batch so many times larger, without its memory."""
    label_smoothing: Share
    """Share of the truth spread over all classes, 0 to below 1; 0.1 for labels that err."""
    average: Average
    """Whether averaged weights are judged and kept in place of the newest."""
    nonfinite: Literal["stop", "skip"]
    """What a loss that is no number does: stop, or skip its minibatch."""
    deterministic: bool
    """true: the same bits each time; false may be faster on a GPU."""
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    """Processor threads, 1 to 1024; auto: 1 for small layers; bits depend on it."""
    steps_per_execution: Positive | Literal["auto"]
    """Minibatches handed to Lightning at once, 1 or more; auto: up to half a second of work."""
    compile: bool
    """torch.compile: a minute once, then faster for large models; needs a C++ compiler."""
    channels_last: bool | Literal["auto"]
    """Images pixel by pixel; auto: for convolutions in half precision on a GPU."""
    lightning: dict[str, Any]
    """More of Lightning's Trainer: benchmark, detect_anomaly, enable_model_summary, num_nodes, sync_batchnorm."""
    callbacks: dict[Word, OwnCallback]
    """Name: a callback of Lightning, or of a package that you trust, with its arguments."""
    overfit_rows: Positive | None
    """Learn so many training rows by heart, 1 or more, see debug=overfit; null: learn all rows."""
    profile: bool
    """true: say where the time went, and write trace.json, see debug=profile."""

    @property
    def thread_count(self) -> int:
        """``threads`` of a settled card."""
        assert isinstance(self.threads, int)
        return self.threads


class Checkpoint(Section):
    """How often training is written down so that it can go on."""

    every_s: Annotated[float, Field(ge=0)]
    """Seconds between two checkpoints, 0 or more; a kill costs at most so much."""
