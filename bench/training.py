"""How near a fit comes to a hand-written loop, and how far a loop of the usual template is: side by side, one process.

    python bench/training.py [--rounds 5] [mlp] [long] [resnet]

``mlp``: digits, a perceptron of 128-128, batch 64, 200 epochs of about 6 ms; ``long``: the same on 24,000 rows, epochs
of about 120 ms; ``resnet``: a small residual network on 64x64 images. All train the same rows with one thread, fused
AdamW and the same schedule, and validate after every epoch. The hand-written loop indexes tensors and does nothing
else. Runcard's also keeps metrics, history, best weights, early stopping and checkpoints at the usual interval. The
template's uses a DataLoader, torchmetrics and ``self.log`` each step. Rounds alternate, for machines are shared: read
the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

import runcard
from runcard import runs
from runcard.card.naming.targets import build
from runcard.card.schema import Card
from runcard.data.dataset import Dataset, load_dataset
from runcard.data.split import PartName
from runcard.models.make import make_model, threads
from runcard.settling import settle
from runcard.training.fit import train
from runcard.training.loggers import told

PARTS: tuple[PartName, ...] = ("train", "validation")
COMMON = ["trainer.early_stopping.patience=1000", "trainer.threads=1"]


def cases(folder: Path) -> dict[str, list[str]]:
    """What is trained, as overrides; synthetic rows are written first."""
    rng = np.random.default_rng(0)
    for name, shape in (("long", (36_000, 64)), ("resnet", (600, 3, 64, 64))):
        np.save(folder / f"{name}-inputs.npy", rng.standard_normal(shape, dtype=np.float32))
        np.save(folder / f"{name}-targets.npy", rng.integers(0, 10, shape[0]))
    arrays = {
        name: ["data=arrays", f"data.inputs={folder}/{name}-inputs.npy", f"data.targets={folder}/{name}-targets.npy"]
        for name in ("long", "resnet")
    }
    return {
        "mlp": ["data=digits", "model=mlp", "trainer.max_epochs=200"],
        "long": [*arrays["long"], "model=mlp", "trainer.max_epochs=10"],
        "resnet": [*arrays["resnet"], "model=resnet", "data.batch_size=32", "trainer.max_epochs=2"],
    }


def tensors(data: Dataset) -> tuple[Tensor, ...]:
    """Inputs and targets to learn from, and to check with."""
    return tuple(torch.from_numpy(values) for part in PARTS for values in (data.inputs(part), data.targets(part)))


def hand_written(card: Card, data: Dataset) -> float:
    """Seconds of the loop that one would write without a framework."""
    torch.manual_seed(card.seed)
    model = make_model(card, data.signature, data.transforms)
    optimizer = build(card.optimizer, model.parameters())
    inputs, targets, checked, truth = tensors(data)
    size, schedule = card.data.batch_rows, build(card.scheduler)
    steps, step = card.trainer.max_epochs * -(-len(inputs) // size), 0
    started = time.perf_counter()
    for _ in range(card.trainer.max_epochs):
        model.train()
        for rows in torch.randperm(len(inputs)).split(size):
            step += 1
            optimizer.param_groups[0]["lr"] = card.optimizer.rate * schedule(step / (steps + 1))
            loss = nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            outputs = model(checked)
            nn.functional.cross_entropy(outputs, truth).item()
            (outputs.argmax(dim=1) == truth).float().mean().item()
    return time.perf_counter() - started


class Template(pl.LightningModule):
    """A step as the usual template has it: a metric object and two logged numbers each step."""

    def __init__(self, card: Card, data: Dataset) -> None:
        super().__init__()
        self.card = card
        self.model = make_model(card, data.signature, data.transforms)
        classes = len(data.signature.target.classes)
        self.scores = nn.ModuleDict({part: MulticlassAccuracy(classes) for part in ("learn", "check")})

    def _step(self, batch: tuple[Tensor, Tensor], part: str) -> Tensor:
        outputs = self.model(batch[0])
        loss: Tensor = nn.functional.cross_entropy(outputs, batch[1])
        self.scores[part](outputs.argmax(dim=1), batch[1])
        self.log(f"{part}/loss", loss, on_step=False, on_epoch=True)
        self.log(f"{part}/acc", self.scores[part], on_step=False, on_epoch=True)  # type: ignore[arg-type]
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Learn a batch."""
        return self._step(batch, "learn")

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Check a batch."""
        self._step(batch, "check")

    def configure_optimizers(self) -> Any:
        """The card's."""
        return build(self.card.optimizer, self.parameters())


def by_template(card: Card, data: Dataset, folder: Path) -> float:
    """Seconds of the template's loop, with its csv, early stopping and best checkpoint."""
    inputs, targets, checked, truth = tensors(data)
    module, size = Template(card, data), card.data.batch_rows
    callbacks = [
        pl.callbacks.ModelCheckpoint(folder / "template", monitor="check/loss", save_last=True),
        pl.callbacks.EarlyStopping("check/loss", patience=1000),
    ]
    started = time.perf_counter()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=card.trainer.max_epochs,
        callbacks=callbacks,
        logger=pl.loggers.CSVLogger(folder),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    learn = DataLoader(TensorDataset(inputs, targets), size, shuffle=True)
    trainer.fit(module, learn, DataLoader(TensorDataset(checked, truth), size))
    return time.perf_counter() - started


def with_runcard(card: Card, data: Dataset, folder: Path) -> float:
    """Seconds of ``train`` with all that it keeps, from an empty run folder to written weights."""
    run = runs.create(folder, card.name)
    runs.publish(run)
    started = time.perf_counter()
    with told(card, run, []) as loggers:
        train(card, data, run, loggers=loggers)
    return time.perf_counter() - started


def compare(words: list[str], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each loop in each round; the first round warms up and does not count."""
    card = runcard.load_card([*words, *COMMON])
    data = load_dataset(card)
    card = settle(card, data)
    seconds: dict[str, list[float]] = {"hand-written": [], "runcard": [], "template": []}
    for number in range(rounds + 1):
        with threads(1):
            found = [hand_written(card, data), with_runcard(card, data, folder), by_template(card, data, folder)]
        if number:
            for name, value in zip(seconds, found, strict=True):
                seconds[name].append(value / card.trainer.max_epochs)
    return seconds


def main() -> None:
    """Print, for each case, milliseconds an epoch and Runcard's ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["mlp", "long", "resnet"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", ".*(num_workers|LeafSpec|logging interval|exists and is not empty).*")
    with tempfile.TemporaryDirectory() as name:
        for case, words in cases(Path(name)).items():
            if case not in arguments.cases:
                continue
            found = compare(words, Path(name), arguments.rounds)
            shown = "  ".join(f"{loop} {statistics.median(values) * 1000:.1f}" for loop, values in found.items())
            print(f"{case}: ms an epoch: {shown}")
            for other in ("hand-written", "template"):
                ratios = [them / us for them, us in zip(found[other], found["runcard"], strict=True)]
                print(f"  {statistics.median(ratios):.2f} of {other}  ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
