"""How near a fit comes to a hand-written loop: samples a second, side by side in one process.

    python bench/training.py [--rounds 5] [--epochs 30]

Both train the digits perceptron (64-128-128-10, batch 64) on the same rows with one thread, fused AdamW and the same
schedule, and validate after every epoch. The hand-written loop indexes tensors and does nothing else; Runcard's also
keeps the history, the best weights and early stopping. Rounds alternate, for the machine is shared: read the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

import runcard
from runcard import runs
from runcard.card.schema import Card
from runcard.card.targets import build
from runcard.data.dataset import Dataset, load_dataset
from runcard.fitting import settle
from runcard.models.make import make_model, threads
from runcard.training.fit import train


def hand_written(card: Card, data: Dataset) -> float:
    """Seconds of the loop that one would write without a framework."""
    torch.manual_seed(card.seed)
    model = make_model(card, data.signature, data.transforms)
    optimizer = build(card.optimizer, model.parameters())
    inputs, targets = torch.from_numpy(data.inputs("train")), torch.from_numpy(data.targets("train"))
    checked, truth = torch.from_numpy(data.inputs("validation")), torch.from_numpy(data.targets("validation"))
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


def with_runcard(card: Card, data: Dataset, folder: Path) -> float:
    """Seconds that ``train`` spends in Lightning's loop, checkpoints and history written."""
    run = runs.create(folder, card.name)
    runs.publish(run)
    started = time.perf_counter()
    train(card, data, run)
    return time.perf_counter() - started


def main() -> None:
    """Alternate the two and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    card = runcard.load_card([f"trainer.max_epochs={arguments.epochs}", "trainer.early_stopping.patience=1000"])
    data = load_dataset(card)
    card = settle(card, data)
    samples = len(data.indices("train")) * arguments.epochs
    rates: dict[str, list[float]] = {"hand-written": [], "runcard": []}
    with tempfile.TemporaryDirectory() as name:
        for round_number in range(arguments.rounds + 1):
            with threads(card.trainer.thread_count):
                by_hand = hand_written(card, data)
            ours = with_runcard(card, data, Path(name))
            if round_number:  # the first round warms up
                rates["hand-written"].append(samples / by_hand)
                rates["runcard"].append(samples / ours)
    for what, values in rates.items():
        print(f"{what:14}{statistics.median(values):12,.0f} samples/s  ({min(values):,.0f} to {max(values):,.0f})")
    ratios = [ours / by_hand for ours, by_hand in zip(rates["runcard"], rates["hand-written"], strict=True)]
    print(f"ratio         {statistics.median(ratios):12.2f}            ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
