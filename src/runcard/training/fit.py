"""Card and data → trained weights in the run folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers.logger import Logger
from torch import nn

from runcard.card.metrics import metrics_of
from runcard.card.naming.targets import build
from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.data.loader import InMemory, Loading, Part
from runcard.data.split import PartName
from runcard.errors import Pruned
from runcard.interrupts import HeldBack
from runcard.models.make import make_model, threads
from runcard.runs import RunFolder
from runcard.training import overfit
from runcard.training.averages import Averaged
from runcard.training.checkpoint import save
from runcard.training.epochs import EpochEnd
from runcard.training.profiling import Profile
from runcard.training.progress import ShowProgress
from runcard.training.pruning import Pruning, Report
from runcard.training.ranks import Rank
from runcard.training.saving import Saving
from runcard.training.schedules import make_schedule
from runcard.training.sharding import Sharded
from runcard.training.shared import EpochNumbers, SharedLogger
from runcard.training.state import State
from runcard.training.stepper import Stepper
from runcard.training.surroundings import as_it_was, plain_failures, without_hints
from runcard.training.task import Task
from runcard.training.together import Together
from runcard.training.worsening import WarnOfWorsening

# Rows are kept on the GPU if they take no more of its free memory: then none has to travel.
SHARE_OF_GPU = 0.25
# Rows on disk are read once and kept when they have no more numbers than this: 64 MB of float32.
IN_MEMORY_NUMBERS = 2**24


def train(
    card: Card,
    data: Dataset,
    run: RunFolder,
    *,
    resumed: dict[str, Any] | None = None,
    progress: bool = False,
    rank: Rank | None = None,
    loggers: Sequence[Logger] = (),
    report: Report | None = None,
) -> dict[str, float]:
    """Train until the epochs are over or no better one comes; write best and last weights and the history.

    Args:
        card: With nothing left on ``auto``.
        data: What to learn from.
        run: Where to write.
        resumed: What the newest checkpoint holds, to go on from there; None: begin.
        progress: Whether to show a bar or lines on stderr.
        rank: Which process this is, if several share each minibatch.
        loggers: Who is told of each epoch.
        report: Who is told of each epoch and may end training there.

    Returns:
        ``best_epoch`` and ``epochs``, counted from 0 and 1, and the best epoch's ``val/...`` numbers.

    Raises:
        CardError: If the model cannot take this data, or the logger is not installed.
        Pruned: If ``report`` ended it; it can be gone on with as if it had been stopped by a signal.
        RunError: If the run folder cannot be written; the last good checkpoint is still there.
        TrainingError: If the loss is no longer a number, or memory is short.
    """
    state = State.from_dict(resumed["state"]) if resumed is not None else State()
    if not state.stopped:
        with as_it_was(), without_hints(), plain_failures(run), threads(card.trainer.thread_count):
            seed_everything(card.seed, workers=True, verbose=False)
            pruned = _train(card, data, run, state, resumed, progress, rank or Rank(), loggers, report)
        if pruned and (rank is None or rank.first):
            raise Pruned(state.epoch)
    if rank is not None and not rank.first:
        return {}
    facts = {"monitor": card.trainer.monitor, "best_value": state.best_numbers[card.trainer.monitor]}
    save(run.best, {"state_dict": state.best_weights, "epoch": state.best_epoch, **facts})
    numbers = {"best_epoch": state.best_epoch, "epochs": state.epoch, **state.best_numbers}
    return numbers if card.trainer.overfit_rows is None else numbers | _overfit_numbers(card, data, state)


def _overfit_numbers(card: Card, data: Dataset, state: State) -> dict[str, float]:
    """From what a checkpoint holds alone, so that they are the same after a resume."""
    with torch.random.fork_rng(devices=[]), threads(card.trainer.thread_count):
        rows = make_loading(card, data, lambda: (0, 0)).train
        assert isinstance(rows, InMemory)
        task = make_task(card, data, State(), [1], fresh=False)
        return overfit.verdict(task, rows.on(torch.device("cpu")), state)


def _train(
    card: Card,
    data: Dataset,
    run: RunFolder,
    state: State,
    resumed: dict[str, Any] | None,
    progress: bool,
    rank: Rank,
    loggers: Sequence[Logger],
    report: Report | None,
) -> bool:
    """Train; whether ``report`` has ended it."""
    signals = HeldBack()
    rows = make_loading(card, data, lambda: (state.epoch, state.minibatch), rank)
    task = make_task(card, data, state, rows.sizes, fresh=resumed is None)
    own = make_callbacks(card)
    saving = Saving(run, card.checkpoint.every_s, signals, resumed, writes=rank.first, callbacks=own)
    if rank.world > 1:
        task.together = Together(rank.world, lambda: signals.waiting, lambda: saving.due)
    if card.trainer.compile:
        task.model.compile()
    stopping = card.trainer.early_stopping
    numbers = EpochNumbers(rows.sizes, SharedLogger(loggers) if loggers else None)
    ending = EpochEnd(
        card.trainer.monitor, numbers, patience=stopping.patience, min_delta=stopping.min_delta, loggers=loggers
    )
    pruning = Pruning(report, run)
    shown = [ShowProgress(card.trainer.monitor)] if progress else []
    learned: list[Callback] = [overfit.StopWhenKnown()] if card.trainer.overfit_rows is not None else []
    callbacks: list[Callback] = [numbers, *own.values(), ending, WarnOfWorsening(), *learned, pruning, saving, *shown]
    timing = Profile(run, rows, callbacks) if card.trainer.profile else None
    trainer = make_trainer(card, run, [*callbacks, *([timing] if timing else [])], rank, numbers.logger)
    begin_at(trainer, state.epoch)
    # It would add a handler of its own for each fit, keep this one's memory by it, and meet the other processes in it.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    try:
        trainer.fit(task, datamodule=rows)
        saving.save()
        if timing is not None:
            timing.write()
    finally:
        rows.close()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        signals.release()
    return pruning.pruned


def begin_at(trainer: Trainer, epoch: int) -> None:
    """Let Lightning count from an epoch; all else that it would restore is in our own state."""
    for name in ("ready", "started", "processed", "completed"):
        setattr(trainer.fit_loop.epoch_progress.current, name, epoch)


def make_loading(card: Card, data: Dataset, place: Callable[[], tuple[int, int]], rank: Rank | None = None) -> Loading:
    """The rows to learn from and to choose by, cut as the card wants it."""
    rank = rank or Rank()
    train, validation = make_part(data, "train"), make_part(data, "validation")
    few = card.trainer.overfit_rows
    if few is not None:
        train = overfit.few_rows(train, few, seed=card.seed, classes=card.problem.task == "classification")
        validation = train
    gpu = card.trainer.accelerator == "gpu"
    # Workers gather in memory of their own: a process that was forked cannot use the GPU.
    if gpu and not card.data.workers and isinstance(train, InMemory) and isinstance(validation, InMemory):
        device = torch.device("cuda", rank.environment.local_rank() if rank.environment is not None else 0)
        if train.bytes + validation.bytes < SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0]:
            train, validation = train.on(device), validation.on(device)
    return Loading(
        train,
        validation,
        place,
        batch_size=card.data.batch_rows,
        seed=card.seed,
        limit=card.trainer.limit_batches,
        steps=int(card.trainer.steps_per_execution),
        drop=card.data.drops_last,
        workers=card.data.workers,
        pinned=gpu and not (isinstance(train, InMemory) and train.inputs.is_cuda),
        share=(rank.number, rank.world),
    )


def make_part(data: Dataset, name: PartName) -> Part:
    """Rows of the data: in memory, or taken from disk if they are many."""
    rows, targets = data.indices(name), torch.from_numpy(data.targets(name))
    width = math.prod(data.transforms.input_shape(data.signature))
    if data.lazy and len(rows) * width > IN_MEMORY_NUMBERS:
        return Part(lambda wanted: torch.from_numpy(data.take(rows[wanted])), targets, width)
    return InMemory(torch.from_numpy(data.inputs(name)), targets)


def make_task(card: Card, data: Dataset, state: State, rows: Sequence[int], *, fresh: bool = True) -> Task:
    """A network with its loss, optimizer, schedule and metrics.

    Args:
        card: With nothing left on ``auto``.
        data: What to learn from.
        state: Where training stands.
        rows: Of each minibatch of an epoch.
        fresh: Whether to begin with weights that are ready-made, if the card names such; else others will be loaded.
    """
    settings, monitored = card.trainer, card.trainer.monitor.removeprefix("val/")
    wanted = dict.fromkeys([card.problem.metric, monitored])
    steps = settings.max_epochs * -(-len(rows) // settings.accumulate)

    def make_stepper(task: Task) -> Stepper:
        return Stepper(
            build(card.optimizer, task.model.parameters(), section="optimizer"),
            make_schedule(card.scheduler, card.optimizer.rate, steps, settings.max_epochs),
            steps=steps,
            scaled=settings.precision == "16-mixed",
            accumulate=settings.accumulate,
            clip_norm=settings.gradient_clip_norm,
            average=make_average(card, task.model),
            skip=settings.nonfinite == "skip",
        )

    task = Task(
        make_model(card, data.signature, data.transforms, fresh=fresh),
        target=data.transforms.target,
        metrics=[name for name in wanted if name in metrics_of(data.signature.target.task)],
        make_stepper=make_stepper,
        state=state,
        rows=rows,
        seed=card.seed,
        precision=settings.precision,
        channels_last=bool(settings.channels_last),
        label_smoothing=settings.label_smoothing,
        augment=build(card.augment, section="augment"),
        skip=settings.nonfinite == "skip",
    )
    return task if settings.overfit_rows is None else overfit.unrestrained(task)


def make_callbacks(card: Card) -> dict[str, Callback]:
    """The card's own callbacks by name."""
    return {name: build(part, section="trainer.callbacks") for name, part in card.trainer.callbacks.items()}


def make_average(card: Card, model: nn.Module) -> Averaged | None:
    """What keeps an average of the weights, if the card asks for one."""
    average = card.trainer.average
    if average.method is None:
        return None
    start = int(average.start_fraction * card.trainer.max_epochs)
    return Averaged(model, average.method, decay=average.decay, start_epoch=start)


def make_trainer(
    card: Card, run: RunFolder, callbacks: Sequence[Callback], rank: Rank, logger: SharedLogger | None = None
) -> Trainer:
    """Lightning's Trainer as the card wants it; what it would do a step at a time, the stepper does."""
    settings = card.trainer
    return Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices // int(settings.lightning.get("num_nodes", 1)),
        strategy=make_strategy(settings.strategy) if rank.world > 1 else "auto",
        plugins=[rank.environment] if rank.environment is not None else None,
        precision="32-true",  # the task casts: a Lightning batch is many minibatches
        max_epochs=settings.max_epochs,
        deterministic=settings.deterministic,
        callbacks=list(callbacks),
        # For callbacks alone: it would tell each logger of each epoch twice, and end it before the final numbers.
        logger=logger or False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        # Weights that are put together while nothing is noted for gradients would be lost for the next step.
        **{"inference_mode": settings.strategy != "fsdp", "enable_model_summary": False, **settings.lightning},
        default_root_dir=run.path,
    )


def make_strategy(name: str) -> str | Sharded:
    """How processes divide the work: Lightning's name for it, or ours."""
    return Sharded() if name == "fsdp" else name
