"""What is found by trying: a learning rate, and how many rows a GPU has room for. By rules, never by timings."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import seed_everything

from runcard.advice import advise
from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.data.loader import Batch, Chunk, Part, minibatches
from runcard.errors import CardError
from runcard.models.make import threads
from runcard.training import rules
from runcard.training.fit import make_loading, make_task
from runcard.training.state import State
from runcard.training.surroundings import as_it_was, plain_failures
from runcard.training.task import NotANumberError, Task

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
# The test ends when the mean of the latest losses is so many times the lowest that it was.
DIVERGED, LATEST = 4.0, 5
# Points to each side that a loss is smoothed with, twice: minibatches differ more than neighbouring rates do.
SIDE = 5
# A fall by less than this share of the first loss is noise.
LEAST_FALL = 0.02


def learning_rate(card: Card, data: Dataset) -> float:
    """The rate at which the loss fell fastest in a learning-rate range test.

    The test is that of Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3: train a fresh
    network for a few minibatches while the rate grows, here exponentially, and watch the loss. The rate taken is that
    of the steepest descent of the smoothed loss over the logarithm of the rate, before its minimum, to three digits.

    A pure function of card and rows: the network is the one that the run begins with, the minibatches are its first.
    Nothing of it is left behind, no random number either.

    Args:
        card: With all but the rate settled.
        data: The rows.

    Raises:
        CardError: If the loss falls at no rate.
        TrainingError: If memory is short.
    """
    losses = range_test(card, data)
    found = steepest(losses)
    if found is None:
        raise CardError(
            f"optimizer.lr=auto: the loss fell at no rate from {LOWEST:g} to {HIGHEST:g}, so none can be chosen. "
            f"Write one, such as {advise('optimizer.lr=1e-3')}, and look at the model with "
            f"{advise('debug=overfit', 'optimizer.lr=1e-3')}."
        )
    return float(f"{rates()[found]:.2e}")


def batch_size(card: Card, data: Dataset) -> int:
    """Rows of a minibatch: on the processor by the number of rows, on a GPU also by what finds room.

    Args:
        card: With accelerator, precision and layout settled.
        data: The rows.
    """
    rows = len(data.indices("train"))
    if card.trainer.accelerator == "cpu":
        return rules.batch_size(rows)
    return rules.batch_size_on_gpu(rows, lambda size: fits(card, data, size))


def fits(card: Card, data: Dataset, size: int) -> bool:
    """Whether two steps of so many rows find room where the card trains: the second has the optimizer's state too."""
    shape, numbers = data.transforms.input_shape(data.signature), not data.transforms.target.classes
    kind = torch.float32 if data.transforms.text is None else torch.int64
    batch = torch.zeros(size, *shape, dtype=kind), torch.zeros(size, dtype=torch.float32 if numbers else torch.int64)
    with as_it_was():
        try:
            two_steps = itertools.repeat(batch, 2 * card.trainer.accumulate)
            _fresh(card, data).training_step(Chunk(two_steps), 0)
        except torch.OutOfMemoryError:
            return False
        finally:
            gc.collect()
            torch.cuda.empty_cache()
    return True


def rates() -> NDArray[np.float64]:
    """The rates of the test, ``(steps,)``: each is the same number of times the one before."""
    return np.geomspace(LOWEST, HIGHEST, STEPS)


def range_test(card: Card, data: Dataset) -> list[float]:
    """The loss at each rate, in order; fewer than there are rates if it diverged."""
    losses: list[float] = []
    accumulate = card.trainer.accumulate
    with as_it_was(), plain_failures(), threads(card.trainer.thread_count):
        task = _fresh(card, data)
        batches = _batches(make_loading(card, data, lambda: (0, 0)).train, card)
        for rate in rates():
            task.stepper.rates = [float(rate)] * len(task.stepper.rates)
            try:
                task.training_step(Chunk(itertools.islice(batches, accumulate)), 0)
            except NotANumberError:
                break
            losses.append(float(np.mean(task.state.losses[-accumulate:])))
            if _diverged(losses):
                break
    return losses


def _batches(rows: Part, card: Card) -> Iterator[Batch]:
    """The run's first minibatches, epoch after epoch."""
    for epoch in itertools.count():
        for numbers in minibatches(
            len(rows), card.data.batch_rows, seed=card.seed, epoch=epoch, drop=card.data.drops_last
        ):
            yield rows[numbers]


def _fresh(card: Card, data: Dataset) -> Task:
    """The run's network as it begins, at a rate that is set from outside; stands within ``as_it_was``."""
    seed_everything(card.seed, workers=True, verbose=False)
    if card.trainer.deterministic:  # as Lightning's Trainer does it
        torch.use_deterministic_algorithms(True)
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    card = card.model_copy(update={"optimizer": card.optimizer.model_copy(update={"lr": LOWEST})})
    task = make_task(card, data, State(), [card.data.batch_rows] * (STEPS * card.trainer.accumulate))
    task.to("cuda" if card.trainer.accelerator == "gpu" else "cpu")
    task.configure_optimizers()
    task.skip = task.stepper.skip = False
    task.stepper.factor, task.stepper.average = _whole, None
    return task


def _whole(_: float) -> float:
    return 1.0


def _diverged(losses: Sequence[float]) -> bool:
    means = np.convolve(losses, np.ones(LATEST) / LATEST, mode="valid") if len(losses) >= LATEST else np.ones(1)
    return bool(means[-1] > DIVERGED * means.min())


def steepest(losses: Sequence[float]) -> int | None:
    """Where a curve falls fastest before its minimum, once it is smoothed; None if it does not fall.

    Args:
        losses: At even distances.
    """
    if len(losses) <= 4 * SIDE + 1:
        return None
    curve = _smooth(_smooth(np.asarray(losses, dtype=np.float64)))
    lowest = int(curve.argmin())
    if curve[lowest] > (1 - LEAST_FALL) * curve[0]:
        return None
    return 2 * SIDE + int(np.gradient(curve)[: lowest + 1].argmin())


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each value and its neighbours, without the ends, which have them on one side only."""
    return np.convolve(values, np.ones(2 * SIDE + 1) / (2 * SIDE + 1), mode="valid")
