"""What a whole fit costs, from the shell's prompt to the next: against the usual template, and beyond its imports.

    python bench/process.py [--rounds 5]

``whole``: processes of ``runcard fit`` and of a script as the usual template has it: Hydra composes and instantiates,
Lightning trains with a DataLoader, torchmetrics and ``self.log`` each step, early stopping, best checkpoint and csv;
then the test rows. Both train digits with a perceptron of 128-128 for 10 epochs with one thread. Runcard also checks
the card, keeps what a resume needs, and evaluates with intervals and baselines; without its report, for the template
writes none. ``beyond imports``: a fit of one epoch in a process that has imported what such a fit imports.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CARD = ["data=digits", "model=mlp", "trainer.threads=1", "report=false"]
TEMPLATE = """
import hydra, numpy as np, torch
from pytorch_lightning import LightningDataModule, LightningModule
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

class Digits(LightningDataModule):
    def __init__(self, batch_size):
        super().__init__()
        self.save_hyperparameters()
    def setup(self, stage=None):
        inputs, targets = load_digits(return_X_y=True)
        rows = np.random.default_rng(0).permutation(len(inputs))
        tensors = torch.tensor(inputs[rows] / 16, dtype=torch.float32), torch.tensor(targets[rows])
        ends = len(rows) * 70 // 100, len(rows) * 85 // 100
        self.parts = [TensorDataset(*(t[a:b] for t in tensors)) for a, b in zip((0, *ends), (*ends, None))]
    def train_dataloader(self): return DataLoader(self.parts[0], self.hparams.batch_size, shuffle=True)
    def val_dataloader(self): return DataLoader(self.parts[1], self.hparams.batch_size)
    def test_dataloader(self): return DataLoader(self.parts[2], self.hparams.batch_size)

class Module(LightningModule):
    def __init__(self, width, lr):
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 10))
        self.scores = nn.ModuleDict({part: MulticlassAccuracy(10) for part in ("learn", "val", "test")})
    def step(self, batch, part):
        outputs = self.model(batch[0])
        loss = nn.functional.cross_entropy(outputs, batch[1])
        self.scores[part](outputs.argmax(dim=1), batch[1])
        self.log(f"{part}/loss", loss, on_step=False, on_epoch=True)
        self.log(f"{part}/acc", self.scores[part], on_step=False, on_epoch=True)
        return loss
    def training_step(self, batch, _): return self.step(batch, "learn")
    def validation_step(self, batch, _): self.step(batch, "val")
    def test_step(self, batch, _): self.step(batch, "test")
    def configure_optimizers(self): return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)

@hydra.main(version_base="1.3", config_path=None, config_name=None)
def main(_):
    torch.set_num_threads(1)
    import pytorch_lightning as pl
    pl.seed_everything(0, workers=True)
    data = hydra.utils.instantiate({"_target_": "__main__.Digits", "batch_size": 64})
    module = hydra.utils.instantiate({"_target_": "__main__.Module", "width": 128, "lr": 3e-3})
    lightning = "pytorch_lightning"
    callbacks = [hydra.utils.instantiate(part) for part in (
        {"_target_": f"{lightning}.callbacks.ModelCheckpoint", "monitor": "val/loss", "save_last": True},
        {"_target_": f"{lightning}.callbacks.EarlyStopping", "monitor": "val/loss", "patience": 100},
    )]
    logger = hydra.utils.instantiate({"_target_": f"{lightning}.loggers.CSVLogger", "save_dir": "."})
    trainer = hydra.utils.instantiate({"_target_": f"{lightning}.Trainer", "accelerator": "cpu", "max_epochs": 10,
        "enable_progress_bar": False}, callbacks=callbacks, logger=logger)
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data, ckpt_path="best", weights_only=True)

if __name__ == "__main__":
    main()
"""
# First the names of all modules that a fit imports, in their order; then a fit in a process that has them.
NAMES = """
import sys
from runcard.cli.main import run
run(sys.argv[1:])
print("modules", *(name for name in sys.modules if name != "__main__"))
"""
BEYOND = """
import contextlib, importlib, sys, time
from pathlib import Path
for name in Path(sys.argv[1]).read_text().split():
    with contextlib.suppress(Exception):
        importlib.import_module(name)
from runcard.cli.main import run
started = time.perf_counter()
run(sys.argv[2:])
print("seconds", time.perf_counter() - started)
"""


def ran(words: list[str], folder: Path) -> tuple[float, str]:
    """Seconds of a process, start to end, and what it printed."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=folder)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    return seconds, done.stdout


def shown(seconds: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(seconds):.2f} s  ({min(seconds):.2f} to {max(seconds):.2f})"


def whole(folder: Path, rounds: int) -> None:
    """Print seconds of whole processes; the first round warms the disk and does not count."""
    (folder / "template.py").write_text(TEMPLATE)
    commands = {
        "runcard": ["-m", "runcard", "fit", *CARD, "trainer.max_epochs=10"],
        "template": ["template.py"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, words in commands.items():
            took = ran(words, folder)[0]
            if number:
                seconds[name].append(took)
    for name, values in seconds.items():
        print(f"10 epochs, whole process, {name:8}: {shown(values)}", flush=True)
    ratios = [us / them for us, them in zip(seconds["runcard"], seconds["template"], strict=True)]
    print(f"  {statistics.median(ratios):.2f} of the template's  ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def beyond(folder: Path, rounds: int) -> None:
    """Print seconds of a fit of one epoch beyond what it imports."""
    words = ["fit", *CARD, "trainer.max_epochs=1"]
    names = ran(["-c", NAMES, *words], folder)[1].rpartition("modules ")[2]
    (folder / "names").write_text(names)
    found = [ran(["-c", BEYOND, "names", *words], folder)[1] for _ in range(rounds)]
    print(f"1 epoch, beyond imports: {shown([float(text.split()[-1]) for text in found])}")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        whole(Path(name), rounds)
        beyond(Path(name), rounds)


if __name__ == "__main__":
    main()
