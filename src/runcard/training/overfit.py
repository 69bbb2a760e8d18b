"""Whether a network can learn at all: a few training rows by heart, with nothing that holds it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from runcard.data.loader import InMemory, Part, RowNumbers
from runcard.training.augment import Unchanged
from runcard.training.state import Numbers, State
from runcard.training.task import Task

# What counts as known by heart: every class right and the loss near 0, or nearly all of the spread explained.
KNOWN_LOSS = 0.05
KNOWN_R2 = 0.99


def few_rows(part: Part, count: int, *, seed: int, classes: bool) -> InMemory:
    """Some rows of a part, as unlike as its targets allow: of each class in turn, or of each stretch of numbers.

    Args:
        part: The rows to learn from.
        count: How many are wanted, 1 or more; fewer if there are fewer.
        seed: Which rows, a pure function of it.
        classes: Whether the targets are classes; else numbers.
    """
    targets = part.targets.numpy()
    count = min(count, len(targets))
    random = np.random.default_rng([seed, count])
    chosen = _of_each_class(targets, count, random) if classes else _of_each_stretch(targets, count, random)
    return InMemory(*part[np.sort(chosen)])


def _of_each_class(targets: NDArray[Any], count: int, random: np.random.Generator) -> RowNumbers:
    order = random.permutation(len(targets))
    turn = np.empty(len(targets), dtype=np.int64)
    for name in np.unique(targets):
        places = np.flatnonzero(targets[order] == name)
        turn[places] = np.arange(len(places))
    return order[np.argsort(turn, kind="stable")[:count]]


def _of_each_stretch(targets: NDArray[Any], count: int, random: np.random.Generator) -> RowNumbers:
    stretches = np.array_split(np.argsort(targets, kind="stable"), count)
    return np.array([random.choice(rows) for rows in stretches])


def unrestrained(task: Task) -> Task:
    """The task without dropout, augmentation and smoothing, whatever its network is; with the score that tells."""
    task.augment, task.smoothing = Unchanged(), 0.0
    for module in task.model.modules():
        name = "p" if isinstance(module, nn.modules.dropout._DropoutNd) else "dropout"
        if isinstance(getattr(module, name, None), float):  # recurrent layers and attention hold a plain number
            setattr(module, name, 0.0)
    task.metrics = list(dict.fromkeys([*task.metrics, _score_of(task)]))
    return task


def _score_of(task: Task) -> str:
    return "accuracy" if task.target.classes else "r2"


def known(numbers: Numbers) -> bool:
    """Whether an epoch's numbers say that the rows are known by heart."""
    if "val/accuracy" in numbers:
        return numbers["val/accuracy"] == 1 and numbers["val/loss"] < KNOWN_LOSS
    return numbers.get("val/r2", 0.0) > KNOWN_R2


class StopWhenKnown(Callback):
    """Ends training when the rows are known by heart; stands behind what closes the epoch."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the epoch that was closed."""
        assert isinstance(pl_module, Task)
        if known(pl_module.state.history[-1]):
            pl_module.state.stopped = trainer.should_stop = True


def verdict(task: Task, rows: InMemory, state: State) -> dict[str, float]:
    """How far training on a few rows came, and what may have kept it; for the run's numbers.

    Args:
        task: Like the one that was trained; takes the best epoch's weights.
        rows: What was to be learned.
        state: Where training ended.

    Returns:
        Under ``overfit/``: ``learned``, 0 or 1; ``rows``; ``steps``; ``first_loss``; the last epoch's ``loss`` and
        ``accuracy`` or ``r2``; the shares of ``frozen`` weights and of units that are ``dead`` in the worst layer; and
        how many rows are ``alike``, equal to one with another target.
    """
    task.model.load_state_dict(state.best_weights)
    last, name = state.history[-1], _score_of(task)
    weights = list(task.model.parameters())
    numbers = {
        "learned": float(known(last)),
        "rows": len(rows),
        "steps": len(state.losses),
        "first_loss": state.losses[0],
        "loss": last["val/loss"],
        **({name: last[f"val/{name}"]} if f"val/{name}" in last else {}),
        "frozen": sum(w.numel() for w in weights if not w.requires_grad) / sum(w.numel() for w in weights),
        "dead": dead_units(task.model.float(), rows.inputs),
        "alike": _alike(rows),
    }
    return {f"overfit/{name}": float(value) for name, value in numbers.items()}


def dead_units(model: nn.Module, inputs: Tensor) -> float:
    """The share of a layer's ReLU units, or channels, that answer 0 to every row; of the layer with the most."""
    shares = [0.0]

    def look(_: nn.Module, __: object, outputs: Tensor) -> None:
        units = outputs.transpose(0, 1).flatten(1) if outputs.dim() > 1 else outputs[None]
        shares.append(float((units.amax(dim=1) <= 0).float().mean()))

    hooks = [module.register_forward_hook(look) for module in model.modules() if isinstance(module, nn.ReLU)]
    with torch.no_grad():
        model.eval()(inputs)
    for hook in hooks:
        hook.remove()
    return max(shares)


def _alike(rows: InMemory) -> int:
    _, same = torch.unique(rows.inputs.flatten(1), dim=0, return_inverse=True)
    pairs = zip(same.tolist(), rows.targets.tolist(), strict=True)
    targets: dict[int, set[float]] = {}
    for row, target in pairs:
        targets.setdefault(row, set()).add(target)
    return sum(len(targets[row]) > 1 for row in same.tolist())
