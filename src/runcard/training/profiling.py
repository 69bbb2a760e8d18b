"""Where the time of training goes: by phase over the whole of it, and by operator for a few steps."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile

from runcard.data.loader import Batch, Chunk, Loading
from runcard.files import write_bytes, write_json
from runcard.runs import RunFolder
from runcard.training.task import Task

PHASES = ("data", "forward", "backward", "optimizer", "validation", "callbacks, loggers", "checkpoint")
REST = "Lightning and the rest"
# Steps before the trace, in which memory is found and kernels are chosen; steps of the trace; lines of the table.
WARM_UP, TRACED, SHOWN = 10, 5, 10
# Else torch's tracer tells stderr when it begins and ends.
QUIET = ("KINETO_LOG_LEVEL", "99")


class Clock:
    """Divides the time that passes among phases; an inner phase takes its time from the outer one.

    Args:
        wait: Called before the time is read: a GPU must come to the end of what it was given.
    """

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait
        self.seconds = dict.fromkeys((*PHASES, REST), 0.0)
        self._open: list[str] = [REST]
        self._running = False
        self._read = 0.0

    def go(self) -> None:
        """Begin, or go on."""
        self._running, self._read = True, time.perf_counter()

    def stop(self) -> None:
        """Let time pass uncounted."""
        self._count()
        self._running = False

    @contextlib.contextmanager
    def within(self, phase: str) -> Iterator[None]:
        """Count what happens here for a phase; in validation all is validation."""
        self._count()
        self._open.append("validation" if "validation" in self._open else phase)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def _count(self) -> None:
        if self._running:
            self.wait()
            now = time.perf_counter()
            self.seconds[self._open[-1]] += now - self._read
            self._read = now


class Profile(Callback):
    """Times each phase of training by standing around its functions, and traces a few steps after a warm-up.

    Stands last among the callbacks, so that the others have begun. The traced steps are not in the phases' seconds.

    Args:
        run: Where to write.
        rows: The rows to learn from.
        others: The other callbacks.
    """

    def __init__(self, run: RunFolder, rows: Loading, others: Sequence[Callback]) -> None:
        self.run = run
        self.clock = Clock(lambda: None)
        self.others = others
        self.steps = 0
        self.traced = 0
        self._first = self._last = 0
        self._trace: profile | None = None
        self._around(rows, "orders", "data")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stand around everything, and begin."""
        assert isinstance(pl_module, Task)
        left = (trainer.max_epochs or 1) * pl_module.minibatches - len(pl_module.state.losses)
        self._first = min(WARM_UP, left // 2)
        self._last = min(self._first + TRACED, max(left, 1))
        for name, phase in (("_ready", "data"), ("_outputs", "forward"), ("_loss", "forward")):
            self._around(pl_module, name, phase)
        for name in ("validation_step", "on_validation_epoch_end"):
            self._around(pl_module, name, "validation")
        for name, phase in (("backward", "backward"), ("update", "optimizer")):
            self._around(pl_module.stepper, name, phase)
        for callback in self.others:
            if hasattr(callback, "save"):
                self._around(callback, "save", "checkpoint")
            for name in ("on_train_batch_end", "on_train_epoch_end"):
                self._around(callback, name, "callbacks, loggers")
        self._around(pl_module, "between", "callbacks, loggers")
        self._count_steps(pl_module)
        if pl_module.device.type == "cuda":
            self.clock.wait = torch.cuda.synchronize
        self.clock.go()

    def _around(self, owner: object, name: str, phase: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.clock.within(phase):
                return original(*arguments, **named)

        setattr(owner, name, timed)

    def _count_steps(self, task: Task) -> None:
        """Let each minibatch of a chunk be fetched, and counted, here."""
        original = task.training_step

        def training_step(chunk: Chunk, *index: int) -> None:
            original(Chunk(self._fetched(chunk.minibatches)), *index)

        name = "training_step"
        setattr(task, name, training_step)

    def _fetched(self, minibatches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            self._step()
            with self.clock.within("data"):
                batch = next(minibatches, None)
            if batch is None:
                return
            self.steps += 1
            yield batch

    def _step(self) -> None:
        """Begin or end the trace when its time has come."""
        if self._trace is None and self.steps == self._first:
            self.clock.stop()
            on_gpu = [ProfilerActivity.CUDA] if torch.cuda.is_initialized() else []
            os.environ.setdefault(*QUIET)
            self._trace = profile(activities=[ProfilerActivity.CPU, *on_gpu])
            self._trace.start()
        elif self._trace is not None and not self.traced and self.steps == self._last:
            self._end_trace()
            self.clock.go()

    def _end_trace(self) -> None:
        if self._trace is not None and not self.traced:
            self._trace.stop()
            self.traced = self.steps - self._first

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let torch trace no further."""
        self._end_trace()

    def write(self) -> None:
        """Write both files, when training is over.

        Raises:
            RunError: If they cannot be written.
        """
        self.clock.stop()
        self._end_trace()
        assert self._trace is not None
        content = {"seconds": self.clock.seconds, "steps": self.steps - self.traced, "traced_steps": self.traced}
        write_json(self.run.profile, content | {"operators": operators(self._trace)})
        with tempfile.TemporaryDirectory() as folder:  # torch writes where it likes; we write whole or not at all
            path = Path(folder) / self.run.trace.name
            self._trace.export_chrome_trace(str(path))
            write_bytes(self.run.trace, path.read_bytes())


def operators(trace: profile) -> list[dict[str, Any]]:
    """The operators that cost most on their own: name, calls, milliseconds, share of all; the most costly first."""
    found = trace.key_averages()
    on_gpu = any(item.self_device_time_total for item in found)
    kind = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    times = sorted(((getattr(item, kind), item) for item in found), key=lambda pair: pair[0], reverse=True)
    total = sum(cost for cost, _ in times) or 1
    return [
        {"name": item.key, "calls": item.count, "ms": cost / 1000, "share": cost / total}
        for cost, item in times[:SHOWN]
    ]
