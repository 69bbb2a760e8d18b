"""Our own steps equal Lightning's automatic optimisation, and plain PyTorch where Lightning cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning.callbacks import EarlyStopping, WeightAveraging
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

import runcard
from runcard.card.naming.targets import build
from runcard.card.schema import Card
from runcard.data.dataset import Dataset, load_dataset
from runcard.data.loader import minibatches
from runcard.models.make import make_model
from runcard.runs import create, publish
from runcard.settling import settle
from runcard.training.checkpoint import load
from runcard.training.epochs import EpochEnd
from runcard.training.fit import train
from runcard.training.shared import EpochNumbers
from runcard.training.stepper import Stepper

STILL = ["data=wine", "model.dropout=0.0", "trainer.max_epochs=3", "trainer.early_stopping.patience=null", "seed=5"]


class Automatic(pl.LightningModule):
    """The same network, trained as Lightning does it by itself, one minibatch a batch."""

    def __init__(self, card: Card, data: Dataset) -> None:
        super().__init__()
        self.card, self.data = card, data
        self.model = make_model(card, data.signature, data.transforms)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        loss: Tensor = nn.functional.cross_entropy(self.model(batch[0]).float(), batch[1])
        return loss

    def train_dataloader(self) -> Any:
        module = self

        class Loader:
            def __len__(self) -> int:
                return -(-len(module.data.indices("train")) // module.card.data.batch_rows)

            def __iter__(self) -> Any:
                inputs = torch.from_numpy(module.data.inputs("train"))
                targets = torch.from_numpy(module.data.targets("train"))
                size, epoch = module.card.data.batch_rows, module.current_epoch
                for rows in minibatches(len(inputs), size, seed=module.card.seed, epoch=epoch):
                    yield inputs[rows], targets[rows]

        return Loader()

    def configure_optimizers(self) -> Any:
        optimizer = build(self.card.optimizer, self.model.parameters())
        schedule, steps = build(self.card.scheduler), int(self.trainer.estimated_stepping_batches)
        scheduler = LambdaLR(optimizer, lambda step: schedule((step + 1) / (steps + 1)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def by_lightning(card: Card, data: Dataset, *callbacks: pl.Callback) -> dict[str, Tensor]:
    pl.seed_everything(card.seed, workers=True, verbose=False)
    module = Automatic(card, data)
    trainer = pl.Trainer(
        accelerator="cpu",
        precision=card.trainer.precision,  # type: ignore[arg-type]
        max_epochs=card.trainer.max_epochs,
        accumulate_grad_batches=card.trainer.accumulate,
        gradient_clip_val=card.trainer.gradient_clip_norm,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module)
    return module.model.state_dict()


def by_us(card: Card, data: Dataset) -> dict[str, Any]:
    run = create("runs", "ours")
    publish(run)
    train(card, data, run)
    return load(run.last)


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name


@pytest.mark.filterwarnings("ignore:.*(num_workers|val_dataloader|validation_step|log_every|LeafSpec).*")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["trainer.gradient_clip_norm=0.05"],
        ["trainer.accumulate=3", "scheduler.warmup_fraction=0.3"],
        ["trainer.accumulate=3", "trainer.gradient_clip_norm=0.05", "trainer.steps_per_execution=2"],
        ["trainer.precision=bf16-mixed", "trainer.gradient_clip_norm=0.05", "optimizer.fused=false"],
        ["trainer.precision=bf16-true", "optimizer.fused=false"],
        ["optimizer=sgd", "trainer.accumulate=8", "optimizer.fused=false"],
    ],
    ids=" ".join,
)
def test_the_weights_are_those_of_automatic_optimisation(words: list[str]) -> None:
    card = runcard.load_card([*STILL, *words])
    data = load_dataset(card)
    card = settle(card, data)
    theirs = by_lightning(card, data)
    assert_equal(by_us(card, data)["state_dict"], theirs)


class Ema(WeightAveraging):
    """Lightning's own callback for averaged weights."""

    def __init__(self) -> None:
        super().__init__(multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None


@pytest.mark.filterwarnings("ignore:.*(num_workers|val_dataloader|validation_step|log_every|LeafSpec).*")
def test_the_average_is_that_of_lightnings_callback() -> None:
    card = runcard.load_card([*STILL, "trainer.average.method=ema", "trainer.average.decay=0.9"])
    data = load_dataset(card)
    card = settle(card, data)
    ours = by_us(card, data)["stepper"]["average"]
    theirs = by_lightning(card, data, Ema())  # at the end it puts the average in place of the weights
    assert_equal({name.removeprefix("module."): ours[name] for name in ours if name.startswith("module.")}, theirs)


def test_float16_with_a_scaler_equals_plain_pytorch() -> None:
    def parts() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
        return model, torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)

    inputs, targets = torch.randn(10, 8, 6), torch.randint(0, 3, (10, 8))
    inputs[4] *= 1e5  # overflows: that step is left out and the scale is lowered
    ours, optimizer = parts()
    stepper = Stepper(optimizer, lambda _: 1.0, steps=10, scaled=True, clip_norm=0.1)
    theirs, plain = parts()
    scaler = torch.amp.GradScaler("cpu")
    for rows, truth in zip(inputs, targets, strict=True):
        for model in (ours, theirs):
            with torch.autocast("cpu", torch.float16):
                loss = nn.functional.cross_entropy(model(rows).float(), truth)
            if model is ours:
                stepper.learn(loss, last=True)
                continue
            scaler.scale(loss).backward()
            scaler.unscale_(plain)
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            scaler.step(plain)
            scaler.update()
            plain.zero_grad()
    assert_equal(ours.state_dict(), theirs.state_dict())
    assert stepper.scaler is not None
    assert stepper.scaler.get_scale() == scaler.get_scale() < 65536.0


def test_a_group_without_any_gradient_changes_nothing() -> None:
    model = nn.Linear(2, 2)
    stepper = Stepper(torch.optim.AdamW(model.parameters()), lambda _: 1.0, steps=2, scaled=True, skip=True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    stepper.update()
    assert_equal(model.state_dict(), before)
    assert stepper.step == 1


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 12).map(lambda number: number / 8), min_size=1, max_size=25),
    patience=st.integers(1, 4),
    min_delta=st.sampled_from([0.0, 0.125, 0.3]),
    monitor=st.sampled_from(["val/loss", "val/accuracy"]),
)
def test_patience_ends_when_lightnings_does(values: list[float], patience: int, min_delta: float, monitor: str) -> None:
    class Stub:
        def __init__(self) -> None:
            from runcard.training.state import State

            self.state = State()

    mode = "min" if monitor == "val/loss" else "max"
    theirs = EarlyStopping(monitor, min_delta=min_delta, patience=patience, mode=mode)
    ours, task = EpochEnd(monitor, EpochNumbers([1]), patience=patience, min_delta=min_delta), Stub()
    for value in values:
        expected, _ = theirs._evaluate_stopping_criteria(torch.tensor(value))
        assert ours._patience_ends(task, value) == expected  # type: ignore[arg-type]
        if expected:
            return
