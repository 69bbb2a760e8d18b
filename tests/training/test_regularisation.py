"""What holds a model back: blended rows, smoothed labels, averaged weights; and a compiled network."""

from __future__ import annotations

import functools
import signal

import pytest
import torch
from torch import nn

import runcard
from runcard.evaluation.predictor import Run
from runcard.interrupts import SIGNALS
from runcard.training.augment import Mixup
from runcard.training.averages import Averaged
from runcard.training.checkpoint import load
from runcard.training.noise import mix, reseed

CARD = ["data=wine", "trainer.max_epochs=8", "report=false"]


def fit(*words: str) -> Run:
    return runcard.fit(runcard.load_card([*CARD, *words]))


@functools.cache
def learned_plainly(*words: str) -> Run:
    """A run that nothing holds back, made once for those that compare with it, which must not write to it."""
    return fit(*words)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["augment=mixup"], marks=pytest.mark.slow),
        ["augment=mixup", "trainer.label_smoothing=0.1"],
        pytest.param(["trainer.label_smoothing=0.2"], marks=pytest.mark.slow),
        pytest.param(["trainer.average.method=ema", "trainer.average.decay=0.9"], marks=pytest.mark.slow),
        ["trainer.average.method=swa", "trainer.average.start_fraction=0.5"],
        pytest.param(["data=diabetes", "augment=mixup"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_each_learns_and_gives_the_same_bits_twice(words: list[str]) -> None:
    run, again = fit(*words), fit(*words)
    assert run.folder.last.read_bytes() == again.folder.last.read_bytes()
    metric = run.card.problem.metric
    assert run.metrics[f"test/{metric}"] > (0.3 if metric == "r2" else 0.85)
    plain = learned_plainly(*(word for word in words if word.startswith("data")))
    ours, theirs = (load(one.folder.best)["state_dict"]["layers.2.weight"] for one in (run, plain))
    assert not torch.equal(ours, theirs)


def test_mixup_blends_rows_and_truths_alike() -> None:
    torch.manual_seed(0)
    inputs, targets = torch.eye(6), torch.arange(6)
    blended, truth = Mixup(1.0)(inputs, targets, 6)
    torch.testing.assert_close(blended, truth)  # each row is its class's own unit vector
    torch.testing.assert_close(truth.sum(dim=1), torch.ones(6))
    assert ((truth > 0).sum(dim=1) <= 2).all()
    numbers = torch.arange(6.0)
    blended, truth = Mixup(1.0)(numbers[:, None], numbers, 0)
    torch.testing.assert_close(blended[:, 0], truth)


def test_swa_is_the_mean_of_the_last_epochs() -> None:
    model = nn.Linear(2, 1)
    average = Averaged(model, "swa", decay=0.0, start_epoch=1)
    seen = []
    for epoch in range(4):
        with torch.no_grad():
            model.weight += 1
        seen.append(model.weight.detach().clone())
        average.after_step()
        average.after_epoch(epoch)
        assert (average.model is model) == (epoch < 1)
    torch.testing.assert_close(average.model.weight, torch.stack(seen[1:]).mean(dim=0))


def test_the_best_weights_are_the_averaged_ones() -> None:
    run = fit("trainer.average.method=ema", "trainer.average.decay=0.9")
    last, best = load(run.folder.last), load(run.folder.best)
    if last["state"]["best_epoch"] == 7:
        averaged = {name.removeprefix("module."): value for name, value in last["stepper"]["average"].items()}
        for name, value in best["state_dict"].items():
            assert torch.equal(value, averaged[name])
            assert not torch.equal(value, last["state_dict"][name])
    else:
        pytest.fail("a card under which the last epoch is the best")


def test_noise_is_of_seed_and_minibatch() -> None:
    def drawn(*place: int) -> float:
        reseed(*place)
        return float(torch.rand(()))

    places = [(seed, minibatch, rank) for seed in (0, 1, 2**32 - 1) for minibatch in (0, 1, 10**9) for rank in (0, 1)]
    values = [drawn(*place) for place in places]
    assert values == [drawn(*place) for place in places]
    assert len(set(values)) == len(values)
    assert 0 <= mix(2**70) < 2**64


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch's own use of it
@pytest.mark.slow
def test_a_compiled_network_learns_the_same() -> None:
    plain, compiled = fit("model.dropout=0.0"), fit("model.dropout=0.0", "trainer.compile=true")
    ours, theirs = load(compiled.folder.last)["state_dict"], load(plain.folder.last)["state_dict"]
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=1e-4)


def test_swa_with_running_statistics() -> None:
    words = ["data=digits", "model=cnn", "model.channels=[4]", "trainer.max_epochs=3", "trainer.limit_batches=2"]
    run = fit(*words, "trainer.average.method=swa", "trainer.average.start_fraction=0.0")
    average = load(run.folder.last)["stepper"]["average"]
    assert int(average["n_averaged"]) == 3
    counted = {int(value) for name, value in average.items() if name.endswith("num_batches_tracked")}
    assert counted == {6}, "a count is taken as it is, not averaged"


def test_signals_and_memory_are_given_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    run = fit()
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert run.metrics["epochs"] == 8
