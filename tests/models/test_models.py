"""What every network promises. A new one inherits ``ModelContract`` and gives ``make``."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from runcard.errors import CardError
from runcard.models.cnn import Cnn
from runcard.models.linear import Linear
from runcard.models.mlp import Mlp


class ModelContract:
    """Tests that any network must pass."""

    shapes: tuple[tuple[int, ...], ...] = ((5,), (1, 8, 8), (3, 9, 12))

    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        raise NotImplementedError

    def test_shapes_come_from_the_data(self) -> None:
        for shape in self.shapes:
            for outputs in (1, 7):
                answers = self.make(shape, outputs).eval()(torch.zeros(4, *shape))
                assert answers.shape == (4, outputs)

    def test_rows_do_not_touch_each_other_when_answering(self) -> None:
        torch.manual_seed(0)
        for shape in self.shapes:
            model, rows = self.make(shape, 3).eval(), torch.randn(6, *shape)
            alone = torch.cat([model(row[None]) for row in rows])
            torch.testing.assert_close(model(rows), alone, rtol=1e-5, atol=1e-6)

    def test_every_weight_learns(self) -> None:
        torch.manual_seed(0)
        for shape in self.shapes:
            model = self.make(shape, 3)
            nn.functional.cross_entropy(model(torch.randn(16, *shape)), torch.arange(16) % 3).backward()
            still = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
            assert not still

    def test_the_seed_decides_the_weights(self) -> None:
        shape = self.shapes[0]
        made = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            made.append(torch.cat([weight.flatten() for weight in self.make(shape, 2).parameters()]))
        assert torch.equal(made[0], made[1])
        assert not torch.equal(made[0], made[2])


class TestLinear(ModelContract):
    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Linear(shape, outputs)


class TestMlp(ModelContract):
    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Mlp(shape, outputs, hidden=[16, 8], dropout=0.1, input_dropout=0.0)

    def test_dropout_is_for_training_only(self) -> None:
        torch.manual_seed(0)
        model, rows = Mlp((4,), 2, hidden=[64], dropout=0.5, input_dropout=0.5), torch.ones(1, 4)
        assert not torch.equal(model(rows), model(rows))
        assert torch.equal(model.eval()(rows), model(rows))


class TestCnn(ModelContract):
    shapes = ((1, 8, 8), (3, 9, 12), (1, 4, 4))

    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Cnn(shape, outputs, channels=[4, 8], hidden=8, dropout=0.1)

    def test_what_is_no_image_or_too_small_is_refused(self) -> None:
        with pytest.raises(CardError, match="needs images"):
            self.make((5,), 2)
        with pytest.raises(CardError, match="4 pixels or more a side, not 3×8"):
            self.make((1, 3, 8), 2)
