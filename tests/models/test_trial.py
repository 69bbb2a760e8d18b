"""Networks of the user's own, tried before training: one row as many, nothing random, nothing too late, all called."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import runcard
from runcard.card.naming.uncalled import find_uncalled
from runcard.data.dataset import load_dataset
from runcard.data.loader import minibatch_sizes, minibatches
from runcard.errors import CardError
from runcard.models.trial import Trial
from tests.conftest import TINY, Command

ROWS = torch.linspace(-1, 1, 12).reshape(4, 3)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(inputs)
        return outputs


class Recurrent(nn.Module):
    """Begins with a state that it makes in forward, as tutorials do: sound."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 4, batch_first=True)
        self.last = nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        state = torch.zeros(1, len(inputs), 4), torch.zeros(1, len(inputs), 4)
        outputs: Tensor = self.last(self.lstm(inputs.unsqueeze(-1), state)[0][:, -1])
        return outputs


class Fixed(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(torch.zeros(int(inputs.shape[0]), 3) + inputs)


class Squeeze(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).squeeze()


class Branch(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs * 2 if len(inputs) > 1 else inputs)


class Centred(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs - inputs.mean(dim=0))


class Chance(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(inputs))


class Remembering(Net):
    seen = 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen += 1.0
        return super().forward(inputs) + self.seen


class Late(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        if not hasattr(self, "first"):
            self.first = nn.Linear(3, 3)
        return super().forward(self.first(inputs))


class Lazy(Net):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.LazyLinear(2)


class Numpy(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs if not torch.is_grad_enabled() else outputs + torch.tensor(outputs.numpy())


class Training(Net):
    """Gives more while it learns, as some networks for images do."""

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return (outputs, outputs) if self.training else outputs  # type: ignore[return-value]


class Drawing(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        random.random(), np.random.rand(), torch.rand(1)
        return super().forward(inputs)


class Norm(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(self.norm(inputs))


REFUSED = {
    Squeeze: "to 1 row it answered (2,)",
    Branch: "beside others",
    Centred: "normalise a row by itself",
    Chance: "dropout as a function needs training=self.training",
    Remembering: "or keeps something between calls",
    Late: "makes first.weight in forward",
    Lazy: "weights without a shape",
    Numpy: "failed on 4 rows: RuntimeError",
    Training: "to 4 rows it answered a tuple",
}


def tried(kind: type[nn.Module]) -> Trial:
    torch.manual_seed(1)
    return Trial(kind(), kind.__name__, ROWS, 2)


@pytest.mark.parametrize("kind", [Net, Recurrent, Fixed, Norm])
def test_sound_networks_pass(kind: type[nn.Module]) -> None:
    tried(kind).run()


@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_fail_later_is_refused(kind: type[Net]) -> None:
    with pytest.raises(CardError) as caught:
        tried(kind).run()
    assert REFUSED[kind] in str(caught.value)


def test_one_row_is_learned_from_only_where_one_comes() -> None:
    tried(Norm).run()
    with pytest.raises(CardError, match=r"failed on 1 row: ValueError: .*\. Take more\."):
        tried(Norm).learn_one("Take more.")
    tried(Net).learn_one("Take more.")


def test_random_states_stay_as_they_were() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    for tries in (True, False):
        random.seed(3), np.random.seed(3), torch.manual_seed(3)
        trial = Trial(Drawing(), "Drawing", ROWS, 2)
        if tries:
            trial.run()
            after = draw()
    assert draw() == after


@pytest.mark.parametrize(
    ("rows", "size", "kept", "dropped"),
    [(65, 32, [32, 32, 1], [32, 32]), (64, 32, [32, 32], [32, 32]), (20, 32, [20], [20]), (3, 1, [1] * 3, [1] * 3)],
)
def test_a_last_minibatch_is_left_out_but_never_the_only_one(
    rows: int, size: int, kept: list[int], dropped: list[int]
) -> None:
    assert (minibatch_sizes(rows, size), minibatch_sizes(rows, size, drop=True)) == (kept, dropped)
    whole, some = (minibatches(rows, size, seed=1, epoch=2, drop=drop) for drop in (False, True))
    assert [len(one) for one in some] == dropped
    assert all(np.array_equal(one, other) for one, other in zip(whole, some, strict=False))


PROJECT = """
import pytorch_lightning as pl
import torch
from torch import nn


class Norm(nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, outputs))

    def forward(self, inputs):
        return self.layers(inputs)


class Lit(pl.LightningModule):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layers = nn.Linear(13, outputs)

    def forward(self, inputs):
        return self.layers(inputs)

    def training_step(self, batch, index):
        raise AssertionError

    def configure_optimizers(self):
        raise AssertionError


class Hooked(Norm):
    def on_train_epoch_end(self):
        raise AssertionError


def made(input_shape, outputs):
    return Lit(input_shape, outputs)


class Within(Norm):
    def __init__(self, input_shape, outputs):
        super().__init__(input_shape, outputs)
        self.layers = Lit(input_shape, outputs)


class Module(pl.LightningDataModule):
    def train_dataloader(self):
        raise AssertionError
"""


@pytest.fixture
def package(away: Path) -> str:
    """A trusted package in the working directory, of a name of its own: Python imports a name once."""
    name = f"tried_{os.urandom(4).hex()}"
    Path(f"{name}.py").write_text(PROJECT)
    Path("pyproject.toml").write_text(f'[tool.runcard]\ntrust = ["{name}"]\nconfig_dir = "conf"\n')
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/own.yaml").write_text(f"_target_: {name}.Norm\n")
    return name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Lit", "is a LightningModule, and training_step, configure_optimizers would never be called"),
        ("Hooked", "has on_train_epoch_end, which Lightning's trainer calls of a LightningModule only"),
    ],
)
def test_what_would_never_be_called_is_refused(package: str, name: str, said: str, command: Command) -> None:
    done = command("check", "data=wine", "model=own", f"model._target_={package}.{name}")
    assert done.code == 2
    assert f"model._target_: '{package}.{name}' {said}" in done.err
    assert "Name the torch.nn.Module within it" in done.err


def test_what_a_function_makes_is_looked_at_when_it_is_made(package: str, command: Command) -> None:
    done = command("fit", "data=wine", "model=own", f"model._target_={package}.made", *TINY)
    assert done.code == 2
    assert "gives a Lit, which is a LightningModule" in done.err


def test_a_module_within_a_network_is_only_a_network(package: str) -> None:
    runcard.fit(runcard.load_card(["data=wine", "model=own", f"model._target_={package}.Within", *TINY]))


def test_loaders_are_no_rows(package: str, command: Command) -> None:
    Path("conf/data").mkdir()
    Path("conf/data/own.yaml").write_text(
        f"_target_: {package}.Module\nbatch_size: 8\nworkers: 0\nsplit: {{seed: 0}}\n"
    )
    done = command("check", "data=own", "problem=table", "problem.target=y", "model=linear")
    assert done.code == 2
    assert "is a LightningDataModule, whose loaders would not be asked" in done.err


def test_shipped_networks_have_no_hooks() -> None:
    assert find_uncalled(nn.Linear, "model") is None
    assert find_uncalled(Recurrent, "model") is None


def test_a_last_minibatch_of_one_row_is_named_and_dropped(package: str, command: Command) -> None:
    words = ["data=wine", "model=own", "trainer.max_epochs=2", "report=false"]
    train = len(load_dataset(runcard.load_card(words)).indices("train"))
    size = next(size for size in range(8, 64) if train % size == 1)
    done = command("fit", *words, f"data.batch_size={size}")
    assert done.code == 2
    assert f"{train} rows in minibatches of {size} leave one for the last. Set data.last_batch=drop." in done.err
    one, other = (command("fit", *words, f"data.batch_size={size}", "data.last_batch=drop", "--json") for _ in range(2))
    assert one.json["metrics"] == other.json["metrics"]
    assert "Set data.batch_size=2 or more." in command("fit", *words, "data.batch_size=1").err
