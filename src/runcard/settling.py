"""Card and rows → a card with nothing left on ``auto``, or what this data or machine cannot do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from runcard import environment
from runcard.advice import advise
from runcard.card import check as judge
from runcard.card.kinds import can_be_named
from runcard.card.metrics import DEFAULT_METRIC, METRICS
from runcard.card.naming.trust import said
from runcard.card.schema import Card
from runcard.card.sections.data import TableData
from runcard.card.sections.learning import OwnScheduler
from runcard.card.sections.networks import OwnNetwork
from runcard.data.dataset import Dataset
from runcard.data.loader import minibatch_sizes
from runcard.environment import usable_cores
from runcard.errors import CardError
from runcard.models.make import make_model, settle_model
from runcard.models.trial import ROWS, Trial, lent_randomness
from runcard.training import finders, rules
from runcard.training.schedules import make_schedule
from runcard.training.trackers import variables

# With more columns or longer names a card could no longer be read as YAML; of such a table data.json says the kinds.
MAX_KINDS, MAX_BYTES = 5_000, 500_000


def settle(card: Card, data: Dataset) -> Card:
    """Write what was left on ``auto`` into the card, and refuse what this data or machine cannot do.

    Raises:
        CardError: If there is no GPU where one is asked for, or the model cannot take this data or be had.
    """
    task = data.signature.target.task
    card = variables.obey(card)
    card = judge.settled(card, "problem", task=task, metric=DEFAULT_METRIC[task])
    if _can_be_kept(data.rows.taken_for):
        card = judge.replaced(card, "data", {"kinds": dict(data.rows.taken_for), **_spelled(card, data)})
    card = judge.settled(card, "trainer", accelerator="gpu" if torch.cuda.is_available() else "cpu")
    check_devices(card)
    gpu = card.trainer.accelerator == "gpu"
    shape = data.transforms.input_shape(data.signature)
    card = judge.replaced(card, "model", settle_model(card))
    model = _laid_out(card, data)
    _check_memory(model)
    trial = _tried(card, data) if isinstance(card.model, OwnNetwork) else None
    model = model if trial is None else trial.model
    card = judge.settled(card, "trainer", precision=rules.precision(gpu))
    if card.trainer.channels_last is True and len(shape) != 3:
        raise CardError(
            f"trainer.channels_last: only images have channels. Set {advise('trainer.channels_last=auto')}."
        )
    layout = rules.channels_last(len(shape) == 3, card.trainer.precision, gpu=gpu)
    card = judge.settled(card, "trainer", channels_last=layout)
    if card.data.batch_size == "auto":
        card = judge.settled(card, "data", batch_size=finders.batch_size(card, data))
    if trial is not None:
        _try_least_minibatch(trial, card, data)
    flops = _work(model, card.data.batch_rows, data)
    card = judge.settled(card, "trainer", threads=rules.threads(flops, usable_cores()))
    steps = rules.steps_per_execution(flops, threads=card.trainer.thread_count, gpu=gpu)
    if card.trainer.strategy != "single":
        steps = 1  # Lightning averages gradients once a batch of its own
    card = judge.settled(card, "trainer", steps_per_execution=steps)
    _try_schedule(card, data)
    # Last, for the loss that it looks at depends on all else.
    if card.optimizer.lr == "auto":
        card = judge.settled(card, "optimizer", lr=finders.learning_rate(card, data))
    return judge.judged_again(card)


def _spelled(card: Card, data: Dataset) -> dict[str, Any]:
    """How the columns of a table were found to be written; nothing is left to be guessed."""
    if not isinstance(card.data, TableData):
        return {}
    found = {name: one for name, one in data.rows.spellings.items() if can_be_named({name: ""})}
    return {
        "decimal": "." if card.data.decimal == "auto" else card.data.decimal,
        "formats": {**card.data.formats, **{name: one.format for name, one in found.items() if one.format}},
        "null_values_of": {
            **card.data.null_values_of,
            **{name: one.null_values for name, one in found.items() if one.null_values},
        },
    }


def _can_be_kept(kinds: Mapping[str, str]) -> bool:
    """Whether a card can hold the kinds of so many columns, and of these names."""
    return (
        can_be_named(kinds) and 0 < len(kinds) <= MAX_KINDS and sum(len(name.encode()) for name in kinds) <= MAX_BYTES
    )


def work(card: Card, data: Dataset) -> float:
    """Multiplications and additions that a row costs in training, with nothing computed for it.

    Args:
        card: A card; its model is one that can be made without its ready-made parts.
        data: Its rows.
    """
    model = _on_cpu(card, data) if isinstance(card.model, OwnNetwork) else _laid_out(card, data)
    return _work(model, 1, data)


def _laid_out(card: Card, data: Dataset) -> nn.Module:
    """The network for its shapes; one of the user's own that needs more than shapes to be made, on the CPU."""
    try:
        with torch.device("meta"):  # no memory, no random numbers
            return make_model(card, data.signature, data.transforms, fresh=False)
    except CardError:
        if not isinstance(card.model, OwnNetwork):
            raise
        return _on_cpu(card, data)


def _on_cpu(card: Card, data: Dataset) -> nn.Module:
    with lent_randomness():
        return make_model(card, data.signature, data.transforms, fresh=False)


def _tried(card: Card, data: Dataset) -> Trial:
    """A network of the user's own, after it has answered rows."""
    assert isinstance(card.model, OwnNetwork)
    rows = torch.from_numpy(data.take(data.indices("train")[:ROWS]))
    trial = Trial(_on_cpu(card, data), card.model.target_class, rows, data.transforms.target.outputs)
    trial.run()
    return trial


def _try_least_minibatch(trial: Trial, card: Card, data: Dataset) -> None:
    """Where a minibatch has one row, let the network learn from one."""
    rows, size = len(data.indices("train")), card.data.batch_rows
    few = card.trainer.overfit_rows
    sizes = minibatch_sizes(rows if few is None else min(rows, few), size, drop=card.data.drops_last)
    least = min(sizes[: card.trainer.limit_batches]) // card.trainer.devices
    if least > 1:
        return
    last = f"{rows} rows in minibatches of {size} leave one for the last. Set {advise('data.last_batch=drop')}."
    trial.learn_one(last if len(sizes) > 1 and sizes[0] > 1 else f"Set {advise('data.batch_size=2')} or more.")


def _work(model: nn.Module, rows: int, data: Dataset) -> float:
    shape, text = data.transforms.input_shape(data.signature), data.transforms.text is not None
    return rules.work(model, shape, rows, ids=text)


def found(asked: Card, card: Card) -> Iterator[str]:
    """What was found for ``auto`` by more than a glance, with its reason, and how an own monitor is read."""
    yield from variables.say(asked, card)
    if asked.data.batch_size == "auto":
        yield f"data.batch_size=auto: {card.data.batch_rows}, by the number of rows" + (
            " and the room on the GPU" if card.trainer.accelerator == "gpu" else ""
        )
    if card.trainer.monitor.removeprefix("val/") not in (*METRICS, "loss"):
        yield f"trainer.monitor={card.trainer.monitor}: as a callback logs it each epoch; less is better"
    if asked.optimizer.lr == "auto":
        yield f"optimizer.lr=auto: {card.optimizer.rate:g}, where the loss fell fastest in a range test"


def check_devices(card: Card) -> None:
    """Refuse what this machine does not have.

    Raises:
        CardError: If there are fewer GPUs than the card needs.
    """
    if card.trainer.accelerator != "gpu":
        return
    if not torch.cuda.is_available():
        ways = f"{advise('trainer=cpu')} or {advise('trainer=auto')}"
        raise CardError(f"trainer.accelerator: this machine has no GPU that torch can use. Choose {ways}.")
    there, needed = torch.cuda.device_count(), card.trainer.devices // int(card.trainer.lightning.get("num_nodes", 1))
    if there < needed:
        raise CardError(
            f"trainer.devices: this machine has {there} GPUs, not {needed}. Set {advise(f'trainer.devices={there}')}."
        )


def _try_schedule(card: Card, data: Dataset) -> None:
    """Ask a schedule that is not shipped for every step, so that it does not fail in the midst of training.

    Raises:
        CardError: If it fails, or answers with what is no number.
    """
    if not isinstance(card.scheduler, OwnScheduler):
        return
    name, epochs = card.scheduler.target_class, card.trainer.max_epochs
    minibatches = len(minibatch_sizes(len(data.indices("train")), card.data.batch_rows, drop=card.data.drops_last))
    steps = epochs * -(-minibatches // card.trainer.accumulate)
    try:
        schedule = make_schedule(
            card.scheduler, 1.0 if card.optimizer.lr == "auto" else card.optimizer.rate, steps, epochs
        )
        answers = [schedule(progress) for progress in (1 / (steps + 1), 0.5, steps / (steps + 1))]
    except CardError:
        raise
    except Exception as error:  # it is not our code, which may fail in any way
        raise CardError(f"scheduler: {name} fails within the {steps} steps of this training: {said(error)}") from error
    if not all(isinstance(answer, int | float) and math.isfinite(answer) for answer in answers):
        raise CardError(f"scheduler: {name} gives {answers[0]!r}, and the factor of the learning rate is a number")


def _check_memory(model: nn.Module) -> None:
    weights = sum(weight.numel() for weight in model.parameters())
    # Each weight comes with a gradient and, with Adam, two averages; all of 4 bytes.
    needed, there = 16 * weights, environment.memory_bytes()
    if there and needed > there:
        raise CardError(
            f"model: {weights:,} weights need {needed / 2**30:,.0f} GB to train, and this machine has "
            f"{there / 2**30:,.0f} GB. Make the layers smaller."
        )
