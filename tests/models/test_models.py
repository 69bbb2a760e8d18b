"""What every network promises. A new one inherits ``ModelContract`` and gives ``make``."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from runcard.errors import CardError
from runcard.models.cnn import Cnn
from runcard.models.linear import Linear
from runcard.models.lstm import Lstm
from runcard.models.mlp import Mlp
from runcard.models.mobilenet import MobileNet
from runcard.models.pretrained import Pretrained
from runcard.models.resnet import ResNet
from runcard.models.transformer import Transformer, sinusoids
from runcard.packaging.export import to_onnx
from runcard.packaging.onnx_graph import load_graph
from tests.conftest import TINY_VIT

IMAGES = ((1, 8, 8), (3, 9, 12))
STEPS = ((3, 9, 12), (1, 8, 8), (5, 3))  # the last is exported, step by step
NO_IMAGE: dict[tuple[int, ...], str] = {
    (5,): "needs images, and this data has columns",
    (5, 3): "needs images, and this data has sequences",
}
NO_STEPS: dict[tuple[int, ...], str] = {(5,): "needs sequences or images, and this data has columns"}


class ModelContract:
    """Tests that any network must pass."""

    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((5,), (5, 3), *IMAGES)
    refused: ClassVar[dict[tuple[int, ...], str]] = {}

    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        raise NotImplementedError

    def make_brief(self, shape: tuple[int, ...]) -> nn.Module:
        """What is exported by default: the exporter takes seconds for each layer of some."""
        return self.make(shape, 3)

    def test_shapes_come_from_the_data(self) -> None:
        for shape in self.shapes:
            for outputs in (1, 7):
                answers = self.make(shape, outputs).eval()(torch.zeros(4, *shape))
                assert answers.shape == (4, outputs)

    def test_rows_do_not_touch_each_other_when_answering(self) -> None:
        for shape in self.shapes:
            rows = torch.randn(6, *shape)
            model = self.practised(rows)
            alone = torch.cat([model(row[None]) for row in rows])
            torch.testing.assert_close(model(rows), alone, rtol=1e-5, atol=1e-5)
            assert torch.equal(model(rows), model(rows))

    def test_every_weight_learns(self) -> None:
        torch.manual_seed(0)
        for shape in self.shapes:
            model = self.make(shape, 3)
            _learn(model, torch.randn(16, *shape))
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

    def test_the_seed_decides_what_is_learned(self) -> None:
        shape = self.shapes[-1]
        learned = []
        for _ in range(2):
            torch.manual_seed(0)
            model = self.make(shape, 3)
            _learn(model, torch.randn(16, *shape))
            learned.append([weight.grad for weight in model.parameters() if weight.grad is not None])
        assert all(torch.equal(*pair) for pair in zip(*learned, strict=True))

    def test_onnx_answers_as_torch(self) -> None:
        self.export(self.make_brief)

    def export(self, make: Callable[[tuple[int, ...]], nn.Module]) -> None:
        shape = self.shapes[-1]
        rows = torch.randn(5, *shape)
        model = self.practised(rows, make)
        graph = load_graph(to_onnx(model, shape))
        for some in (rows, rows[:1]):
            (answers,) = graph.run(None, {"input": some.numpy()})
            with torch.inference_mode():
                torch.testing.assert_close(torch.from_numpy(answers), model(some), rtol=1e-5, atol=1e-5)

    def test_shapes_alone_cost_nothing(self) -> None:
        state = torch.get_rng_state()
        with torch.device("meta"):
            model = self.make(self.shapes[-1], 2)
        assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
        assert torch.equal(state, torch.get_rng_state())

    def test_what_it_cannot_read_is_refused(self) -> None:
        for shape, message in self.refused.items():
            with pytest.raises(CardError, match=message):
                self.make(shape, 2)

    def practised(self, rows: Tensor, make: Callable[[tuple[int, ...]], nn.Module] | None = None) -> nn.Module:
        """A network for such rows whose batch norms have seen them, so that its answers are not all the same."""
        torch.manual_seed(0)
        shape = tuple(rows.shape[1:])
        model = self.make(shape, 3) if make is None else make(shape)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        model(rows)
        return model.eval()


def _learn(model: nn.Module, rows: Tensor) -> None:
    nn.functional.cross_entropy(model(rows), torch.arange(len(rows)) % 3).backward()


class TestLinear(ModelContract):
    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Linear(shape, outputs)

    @pytest.mark.slow  # each bundle is held against its run, and one of the shared ones has this network
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()


class TestMlp(ModelContract):
    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Mlp(shape, outputs, hidden=[16, 8], dropout=0.1, input_dropout=0.0)

    @pytest.mark.slow  # as for Linear
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()

    def test_dropout_is_for_training_only(self) -> None:
        torch.manual_seed(0)
        model, rows = Mlp((4,), 2, hidden=[64], dropout=0.5, input_dropout=0.5), torch.ones(1, 4)
        assert not torch.equal(model(rows), model(rows))
        assert torch.equal(model.eval()(rows), model(rows))


class TestCnn(ModelContract):
    shapes = (*IMAGES, (1, 4, 4))
    refused: ClassVar = NO_IMAGE | {(1, 3, 8): "4 pixels or more a side, not 3×8"}

    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Cnn(shape, outputs, channels=[4, 8], hidden=8, dropout=0.1)

    @pytest.mark.slow  # as for Linear
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()


class TestResNet(ModelContract):
    shapes = ((1, 64, 64), (1, 3, 3), *IMAGES)
    refused: ClassVar = NO_IMAGE | {(1, 2, 8): "3 pixels or more a side, not 2×8"}

    def make(self, shape: tuple[int, ...], outputs: int, *, blocks: tuple[int, ...] = (1, 2), **more: int) -> nn.Module:
        settings = {"stem_stride": 1, "zero_init": False} | more
        return ResNet(shape, outputs, channels=[4, 8], blocks=blocks, dropout=0.1, **settings)  # type: ignore[arg-type]

    def make_brief(self, shape: tuple[int, ...]) -> nn.Module:
        return self.make(shape, 3, blocks=(1, 1))

    @pytest.mark.slow
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()

    def test_zero_init_begins_with_the_shortcuts(self) -> None:
        rows = torch.randn(4, 1, 8, 8)
        for zero_init in (True, False):
            torch.manual_seed(0)
            model = self.make((1, 8, 8), 3, zero_init=zero_init)
            block = next(module for module in model.modules() if type(module).__name__ == "Block")
            came = torch.relu(torch.randn(4, 4, 8, 8))
            assert torch.equal(block(came), came) == zero_init
            assert model(rows).shape == (4, 3)

    def test_one_row_can_be_learned_from(self) -> None:
        _learn(self.make((1, 3, 3), 3), torch.randn(1, 1, 3, 3))

    def test_the_stem_halves_large_images(self) -> None:
        assert self.make((1, 64, 64), 3, stem_stride=2)(torch.randn(2, 1, 64, 64)).shape == (2, 3)
        with pytest.raises(CardError, match="5 pixels or more"):
            self.make((1, 4, 4), 3, stem_stride=2)

    def test_each_stage_has_a_number_of_blocks(self) -> None:
        with pytest.raises(CardError, match="1 numbers for the 2 stages"):
            self.make((1, 8, 8), 3, blocks=(1,))


class TestMobileNet(ModelContract):
    shapes = IMAGES
    refused: ClassVar = NO_IMAGE | {(2, 8, 8): "takes images of 3 channels, and this data's have 2"}

    def make(self, shape: tuple[int, ...], outputs: int, **more: int) -> MobileNet:
        settings = {"output_stride": 16, "min_size": 24, "pretrained": None, "revision": None} | more
        return MobileNet(shape, outputs, depth_multiplier=0.1, expand_ratio=2.0, dropout=0.1, **settings)  # type: ignore[arg-type]

    def test_an_image_of_which_one_pixel_would_be_left(self) -> None:
        with pytest.raises(CardError, match="Give 33 or more"):
            self.make((1, 8, 8), 2, output_stride=32, min_size=32)
        with pytest.raises(CardError, match="Give 17 or more"):
            self.make((1, 8, 8), 2, min_size=1)

    def test_small_images_are_enlarged_in_proportion_and_large_ones_stay(self) -> None:
        assert self.make((1, 8, 16), 2).adapt.size == (24, 48)
        assert self.make((1, 30, 30), 2).adapt.size is None

    @pytest.mark.slow
    def test_onnx_answers_as_torch(self) -> None:  # 52 convolutions
        super().test_onnx_answers_as_torch()

    def test_averages_are_of_many_batches(self) -> None:
        norms = [module for module in self.make((1, 8, 8), 2).modules() if isinstance(module, nn.BatchNorm2d)]
        assert {norm.momentum for norm in norms} == {0.1}


class TestPretrained(ModelContract):
    shapes = IMAGES
    refused: ClassVar = NO_IMAGE | {(2, 8, 8): "takes images of 3 channels, and this data's have 2"}

    @pytest.mark.slow  # test_text.py packages one
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()

    def make(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        source = {"name": "nowhere", "revision": None, "weights": False, "config": TINY_VIT}
        return Pretrained(shape, outputs, freeze=False, size=None, **source)  # type: ignore[arg-type]


class TestLstm(ModelContract):
    shapes = STEPS
    refused: ClassVar = NO_STEPS

    def make(self, shape: tuple[int, ...], outputs: int, *, bidirectional: bool = True, layers: int = 2) -> Lstm:
        return Lstm(shape, outputs, hidden=8, layers=layers, dropout=0.1, bidirectional=bidirectional)

    def make_brief(self, shape: tuple[int, ...]) -> nn.Module:
        return self.make(shape, 3, layers=1, bidirectional=False)

    @pytest.mark.slow
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()

    @pytest.mark.slow
    def test_onnx_of_two_layers(self) -> None:
        self.export(lambda shape: self.make(shape, 3))

    def test_forwards_alone_the_last_step_is_read_last(self) -> None:
        rows = torch.randn(2, 5, 3)
        model = self.make((5, 3), 2, bidirectional=False).eval()
        states, _ = model.layers(rows)
        assert torch.equal(model(rows), model.head(states[:, -1]))


class TestTransformer(ModelContract):
    shapes = STEPS
    refused: ClassVar = NO_STEPS

    def make(
        self, shape: tuple[int, ...], outputs: int, *, positions: str = "learned", heads: int = 2, layers: int = 2
    ) -> Transformer:
        settings = {"width": 8, "layers": layers, "feedforward": 16, "dropout": 0.1}
        return Transformer(shape, outputs, heads=heads, positions=positions, **settings)  # type: ignore[arg-type]

    def make_brief(self, shape: tuple[int, ...]) -> nn.Module:
        return self.make(shape, 3, layers=1)

    @pytest.mark.slow
    def test_onnx_answers_as_torch(self) -> None:
        super().test_onnx_answers_as_torch()

    @pytest.mark.slow
    def test_onnx_of_two_layers(self) -> None:
        self.export(lambda shape: self.make(shape, 3))

    @pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
    def test_the_order_of_steps_counts(self, positions: str) -> None:
        rows = torch.randn(2, 5, 3)
        model = self.make((5, 3), 2, positions=positions).eval()
        assert not torch.allclose(model(rows), model(rows.flip(1)))

    def test_sinusoids(self) -> None:
        made = sinusoids(50, 6)
        assert made.shape == (50, 6)
        assert sinusoids(50, 5).shape == (50, 5)
        assert torch.allclose(made[:, 0], torch.arange(50.0).sin())
        assert torch.allclose(made[:, ::2] ** 2 + made[:, 1::2] ** 2, torch.ones(50, 3))

    def test_heads_divide_the_width(self) -> None:
        with pytest.raises(CardError, match="3 heads do not divide a width of 8"):
            self.make((5, 3), 2, heads=3)

    def test_layers_begin_unlike(self) -> None:
        weights = self.make((5, 3), 2).layers.state_dict()
        assert not torch.equal(weights["layers.0.linear1.weight"], weights["layers.1.linear1.weight"])


def test_an_image_is_read_line_by_line() -> None:
    image = torch.randn(4, 3, 5, 2)
    lines = image.permute(0, 2, 1, 3).reshape(4, 5, 6)
    torch.manual_seed(0)
    model = Lstm((3, 5, 2), 2, hidden=4, layers=1, dropout=0.0, bidirectional=False)
    assert torch.equal(model(image), model(lines))
