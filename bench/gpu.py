"""Precisions on a GPU: speed, memory, accuracy, and the ratio to a hand-written loop in float32.

    python bench/gpu.py [--epochs 10]

The residual network on digits, channels last where the card says so. Needs a GPU.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

import runcard
from runcard import runs
from runcard.card.naming.targets import build
from runcard.card.schema import Card
from runcard.data.dataset import Dataset, load_dataset
from runcard.models.make import make_model
from runcard.settling import settle
from runcard.training.fit import train

CARD = ["experiment=digits_cnn", "model=resnet", "trainer=gpu", "trainer.early_stopping.patience=null"]
PRECISIONS = ("32", "bf16-mixed", "16-mixed", "bf16-true")


def hand_written(card: Card, data: Dataset) -> float:
    """Seconds of a loop over tensors that lie on the GPU, in float32."""
    torch.manual_seed(card.seed)
    model = make_model(card, data.signature, data.transforms).cuda()
    optimizer = build(card.optimizer, model.parameters())
    inputs, targets = torch.from_numpy(data.inputs("train")).cuda(), torch.from_numpy(data.targets("train")).cuda()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(card.trainer.max_epochs):
        for rows in torch.randperm(len(inputs), device="cuda").split(card.data.batch_size):
            loss = nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args().epochs
    print(
        f"{torch.cuda.get_device_name()}\n{'precision':12}{'samples/s':>12}{'of by hand':>12}{'MB':>8}{'accuracy':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            words = [*CARD, f"trainer.precision={precision}", f"trainer.max_epochs={epochs}"]
            card = runcard.load_card(words)
            data = load_dataset(card)
            card = settle(card, data)
            by_hand = [hand_written(card, data) for _ in range(2)][-1]
            torch.cuda.reset_peak_memory_stats()
            for _ in range(2):  # the first warms up
                run = runs.create(Path(folder), card.name)
                runs.publish(run)
                started = time.perf_counter()
                numbers = train(card, data, run)
                seconds = time.perf_counter() - started
            rate = len(data.indices("train")) * epochs / seconds
            memory = torch.cuda.max_memory_allocated() / 1e6
            print(f"{precision:12}{rate:12,.0f}{by_hand / seconds:12.2f}{memory:8.0f}{numbers['val/accuracy']:10.4f}")


if __name__ == "__main__":
    main()
