"""MobileNetV2, as the package transformers builds it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from runcard.errors import CardError
from runcard.models import hub, shapes
from runcard.models.adapt import Adapt

CHANNELS = 3  # as ready-made weights have it; a single channel is repeated


class MobileNet(nn.Module):
    """Inverted residual blocks with depthwise convolutions: few weights and few multiplications.

    Args:
        input_shape: ``(channels, height, width)``, of 1 or 3 channels.
        outputs: Number of outputs, 1 or more.
        depth_multiplier: Width of every layer; 1.0 is 2.2 million weights.
        expand_ratio: How many times wider a block is inside.
        output_stride: How many times smaller the last layer sees the image: 8, 16 or 32.
        min_size: Images whose shorter side has fewer pixels are enlarged to it.
        dropout: Share of the averaged filters silenced in training, 0 to below 1.
        pretrained: A repository of the hub or a local folder with the first weights; None: random ones.
        revision: Which version of them; None: the newest.

    Raises:
        CardError: If the input is no image of 1 or 3 channels or is too small, transformers is not installed, or the
            weights cannot be had or do not fit.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        depth_multiplier: float,
        expand_ratio: float,
        output_stride: int,
        min_size: int,
        dropout: float,
        pretrained: str | None,
        revision: str | None,
    ) -> None:
        super().__init__()
        channels, height, width = shapes.image(input_shape, "MobileNet")
        scale = max(1.0, min_size / min(height, width))
        size = round(height * scale), round(width * scale)
        # Two pixels or more must be left: batch norm cannot learn from one pixel of a batch that is one row.
        if min(size) <= output_stride:
            raise CardError(
                f"model.min_size: of {min(size)} pixels a side an output_stride of {output_stride} leaves one. "
                f"Give {output_stride + 1} or more."
            )
        self.adapt = Adapt(channels, (height, width), wanted_channels=CHANNELS, wanted_size=size)
        config = hub.restored(
            {"model_type": "mobilenet_v2"},
            depth_multiplier=depth_multiplier,
            expand_ratio=expand_ratio,
            output_stride=output_stride,
            classifier_dropout_prob=dropout,
            num_labels=outputs,
        )
        network = hub.loaded(config, pretrained, revision) if pretrained else hub.made(config)
        # Convolutions of one channel each are twice as fast where a pixel's channels lie side by side.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @staticmethod
    def settle(pretrained: str | None, revision: str | None, **_: Any) -> dict[str, Any]:
        """What the card leaves open: which version the weights are of.

        Raises:
            CardError: If they cannot be had.
        """
        if pretrained is None:
            return {}
        found = hub.pinned(pretrained, revision)
        return {"pretrained": found["name"], "revision": found["revision"]}

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` → ``(batch, outputs)``."""
        result: Tensor = self.network(pixel_values=self.adapt(inputs)).logits
        return result
