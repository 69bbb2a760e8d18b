"""What the process that forks trials does ahead for them, and that it does no more than that."""

from __future__ import annotations

from typing import Any

import pytest

from runcard.tuning.rehearsal import harmless

CARD: dict[str, Any] = {
    "model": {"_target_": "runcard.models.mlp.Mlp", "hidden": [8]},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01},
    "trainer": {"max_epochs": 3, "callbacks": {}},
}


def test_a_card_of_shipped_classes_is_rehearsed() -> None:
    assert harmless(CARD)


@pytest.mark.parametrize(
    "part",
    [
        {"model": {"_target_": "mine.Net"}},
        {"model": {"_target_": "runcard.models.pretrained.Pretrained"}},
        {"model": {"_target_": "runcard.models.mlp.Mlp", "activation": {"_target_": "mine.Act"}}},
        {"model": {"_target_": "runcard.models.mlp.Mlp", "blocks": [{"_target_": "mine.Block"}]}},
        {"model": {}},
        {"optimizer": {"_target_": "mine.Lion"}},
        {"optimizer": {"_target_": "torch.optimizer.Lion"}},
        {"trainer": {"callbacks": {"count": {"_target_": "mine.Counting"}}}},
        {"logger": {"_target_": "pytorch_lightning.loggers.WandbLogger"}},
    ],
)
def test_a_card_that_names_other_code_is_not(part: dict[str, Any]) -> None:
    assert not harmless(CARD | part)
