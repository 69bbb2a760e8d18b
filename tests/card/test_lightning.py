"""What a card passes on to Lightning's Trainer."""

from __future__ import annotations

import inspect

import pytest
import pytorch_lightning as pl

import runcard
from runcard.card.lightning import ELSEWHERE, PASSED
from runcard.errors import CardError
from tests.conftest import Command


def test_the_tables_name_arguments_that_there_are() -> None:
    assert {*PASSED, *ELSEWHERE} <= {*inspect.signature(pl.Trainer).parameters}
    assert not {*PASSED} & {*ELSEWHERE}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("detectanomaly: true", "Did you mean detect_anomaly?"),
        ("gradient_clip_val: 1.0", "Set it with trainer.gradient_clip_norm."),
        ("num_nodes: 0", "must be a whole number of 1 or more, not 0"),
        ("num_nodes: true", "must be a whole number of 1 or more, not True"),
        ("profiler: simple", "Set it with debug=profile."),
        ("benchmark: fast", "must be true or false, not 'fast'"),
        ("callbacks: []", "is not an argument that can be passed on"),
    ],
)
def test_what_cannot_be_passed_on_is_refused(value: str, said: str) -> None:
    with pytest.raises(CardError, match=said.replace("?", r"\?")) as caught:
        runcard.load_card([f"trainer.lightning={{{value}}}"])
    assert [mistake.key for mistake in caught.value.mistakes] == [f"trainer.lightning.{value.split(':')[0]}"]


def test_what_is_passed_on_arrives(command: Command) -> None:
    words = ["fit", "data=wine", "trainer.max_epochs=1", "report=false", "trainer.lightning={detect_anomaly: true}"]
    assert command(*words).code == 0
