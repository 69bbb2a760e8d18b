"""A model in shares: two processes on the processor, over gloo; cards may have it on GPUs only, with the same code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import runcard
from runcard.errors import CardError
from runcard.runs import RunFolder
from runcard.training import ranks
from runcard.training.checkpoint import load
from runcard.training.differences import equal
from tests.conftest import HANG_S, Command

# What a process does that ``children`` starts, with a card that says fsdp and names the processor; and each checkpoint
# is kept.
SCRIPT = """
import os, shutil, sys
from pathlib import Path
import runcard
from runcard.data.dataset import load_dataset
from runcard.runs import RunFolder
from runcard.settling import settle
from runcard.training import saving
from runcard.training.checkpoint import load
from runcard.training.fit import train
from runcard.training.ranks import child
strategy, resumed, path, *words = sys.argv[1:]
save = saving.save
def save_and_keep(path, content, keep):
    save(path, content, keep=keep)
    shutil.copy(path, path.with_name(f"after-{len(content['state']['losses'])}.ckpt"))
saving.save = save_and_keep
card = runcard.load_card([*words, "trainer=ddp", "trainer.accelerator=cpu"])
data = load_dataset(card)
card = settle(card, data)
card = card.model_copy(update={"trainer": card.trainer.model_copy(update={"strategy": strategy})})
folder = RunFolder(Path(path))
train(card, data, folder, rank=child(2), resumed=load(Path(resumed)) if resumed else None)
os._exit(0)  # as runcard.rank does
"""
SEQUENCES = ["data=digits", "model=transformer", "model.dropout=0.0", "trainer.gradient_clip_norm=1.0"]
CARD = [*SEQUENCES, "trainer.max_epochs=2", "trainer.limit_batches=5", "trainer.accumulate=2"]


def trained(folder: Path, *words: str, strategy: str = "fsdp", resumed: Path | None = None) -> RunFolder:
    """Two processes to their end."""
    (folder / "checkpoints").mkdir(parents=True)
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ranks._free_port()), "NODE_RANK": "0"}
    command = [sys.executable, "-W", "error::UserWarning", "-c", SCRIPT, strategy, str(resumed or ""), str(folder)]
    processes = [
        subprocess.Popen(
            [*command, *words], env=os.environ | common | {"LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    for process in processes:
        _, said = process.communicate(timeout=HANG_S)
        assert process.returncode == 0, said
    return RunFolder(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [CARD, ["data=digits", "model=cnn", "model.dropout=0.0", *CARD[3:]]], ids=["transformer", "cnn"]
)
def test_a_divided_model_learns_what_copies_of_it_do(words: list[str], tmp_path: Path) -> None:
    divided = load(trained(tmp_path / "fsdp", *words).last)
    copied = load(trained(tmp_path / "ddp", *words, strategy="ddp").last)
    # Running statistics are each process's own.
    weights = {name: tensor for name, tensor in copied["state_dict"].items() if "running" not in name}
    for name, tensor in weights.items():
        torch.testing.assert_close(divided["state_dict"][name], tensor, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(divided["state"]["losses"], copied["state"]["losses"], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_its_checkpoints_are_whole_and_it_goes_on_from_them_to_the_same_bits(tmp_path: Path) -> None:
    words = [*CARD, "checkpoint.every_s=0"]
    whole = trained(tmp_path / "whole", *words)
    # In the middle of an epoch, and of a group, so that there are gradients.
    path = whole.last.with_name("after-8.ckpt")
    early = load(path)
    assert any(gradient is not None for gradient in early["stepper"]["gradients"])
    assert {type(tensor) for tensor in early["state_dict"].values()} == {torch.Tensor}
    resumed = trained(tmp_path / "resumed", *words, resumed=path)
    assert equal(load(resumed.last), load(whole.last))
    assert equal(load(resumed.best), load(whole.best))


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["trainer.accelerator=cpu"], "trainer.strategy"),
        (["trainer.devices=1"], "trainer.devices"),
        (["trainer.precision=16-mixed"], "trainer.precision"),
        (["trainer.average.method=ema"], "trainer.average.method"),
        (["trainer.compile=true"], "trainer.compile"),
        (["trainer.lightning.inference_mode=true"], "trainer.lightning.inference_mode"),
    ],
)
def test_what_cannot_be_divided_is_refused(words: list[str], key: str) -> None:
    with pytest.raises(CardError) as caught:
        runcard.load_card(["trainer=fsdp", *words])
    assert [mistake.key for mistake in caught.value.mistakes] == [key]


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="here it can be fitted")
def test_its_card_is_good_everywhere_and_a_fit_says_what_is_missing(command: Command) -> None:
    assert command("check", "trainer=fsdp").code == 0
    said = command("fit", "trainer=fsdp")
    assert said.code == 2
    assert "GPU" in said.err
