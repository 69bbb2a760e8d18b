"""Questions to a training: can the model learn at all, and where does the time go."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import runcard
from runcard.data.loader import InMemory
from runcard.training.overfit import dead_units, few_rows, known, unrestrained, verdict
from runcard.training.profiling import PHASES, REST, Clock
from runcard.training.state import State
from runcard.training.task import Task
from tests.conftest import Command
from tests.training.test_resume import assert_same, dies, fit


@pytest.mark.parametrize(
    "card", [pytest.param("experiment=digits_cnn", marks=pytest.mark.slow), "experiment=wine", "experiment=diabetes"]
)
def test_ten_rows_are_learned_by_heart(card: str, command: Command) -> None:
    said = command("fit", card, "debug=overfit")
    numbers = {name: value for name, value in the_metrics().items() if name.startswith("overfit/")}
    assert (said.code, numbers["overfit/rows"], numbers["overfit/learned"]) == (0, 10, 1), said.out
    last_line = said.out.splitlines()[-1]
    assert last_line == f"the model can learn: ten rows by heart after {int(numbers['overfit/steps'])} steps"
    again = command("resume", str(next(Path("runs").glob("debug/2*"))))
    assert (again.code, again.out.splitlines()[-1]) == (0, last_line)


def the_metrics() -> dict[str, float]:
    (run,) = Path("runs").glob("debug/2*")
    return runcard.load_run(run).metrics


def test_a_model_that_cannot_learn_is_told_from_one_that_can(command: Command) -> None:
    words = ["data=wine", "debug=overfit", "optimizer.lr=1e-12", "trainer.max_epochs=5"]
    said = command("fit", *words)
    assert said.code == 3
    assert "the model can NOT learn: ten rows are not known by heart after 5 steps" in said.out
    assert "optimizer.lr=1e-12; the loss hardly moved: try ten times as much" in said.out
    assert command("resume", str(next(Path("runs").glob("debug/2*")))).code == 3
    said = command("fit", *words, "--json")
    assert (said.code, said.json["learned"], said.json["metrics"]["overfit/accuracy"] < 1) == (3, False, True)


def test_a_rate_that_is_too_high_is_told(command: Command) -> None:
    words = ["data=diabetes", "debug=overfit", "optimizer.lr=3", "trainer.max_epochs=3", "trainer.overfit_rows=20"]
    said = command("fit", *words)
    assert (said.code, "20 rows are not known" in said.out, "try a tenth of it" in said.out) == (3, True, True)


def test_overfitting_goes_on_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit("debug=overfit", "runs_dir=whole").folder
    run = dies(monkeypatch, Task, "on_validation_epoch_end", lambda task: task.state.epoch == 2, "debug=overfit")
    runcard.resume(run.path)
    assert_same(run, whole)


def test_few_rows_are_of_every_class_and_a_function_of_the_seed() -> None:
    targets = torch.tensor([0] * 50 + [1] * 5 + [2] * 3)
    part = InMemory(torch.arange(58.0)[:, None], targets)
    first, again, other = (few_rows(part, 10, seed=seed, classes=True) for seed in (0, 0, 1))
    assert sorted(first.targets.tolist()) == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert torch.equal(targets[first.inputs[:, 0].long()], first.targets)
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    assert len(few_rows(part, 100, seed=0, classes=True)) == 58
    many = InMemory(part.inputs, torch.arange(58))
    assert len(set(few_rows(many, 10, seed=0, classes=True).targets.tolist())) == 10, "more classes than rows"


def test_few_rows_of_numbers_are_spread() -> None:
    part = InMemory(torch.zeros(100, 1), torch.from_numpy(np.random.default_rng(0).permutation(100)).float())
    assert sorted(int(value) // 10 for value in few_rows(part, 10, seed=0, classes=False).targets) == list(range(10))


class Target:
    classes = ("a", "b")


def task_of(model: nn.Module) -> Task:
    return Task(model, target=Target(), metrics=[], make_stepper=None, state=State(), rows=[1])  # type: ignore[arg-type]


def test_nothing_holds_the_network_back() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.LSTM(3, 4, 2, dropout=0.5), nn.MultiheadAttention(4, 2, dropout=0.5))
    task = unrestrained(task_of(model))
    assert (task.model[0].p, task.model[1].dropout, task.model[2].dropout) == (0, 0, 0)
    assert task.metrics == ["accuracy"]


def test_the_suspects_are_seen() -> None:
    first, second = nn.Linear(2, 4), nn.Linear(4, 2)
    model = nn.Sequential(first, nn.ReLU(), second)
    with torch.no_grad():
        first.bias[:3] = -100
    second.requires_grad_(False)
    task = task_of(model)
    rows = InMemory(torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1, 1, 1]))
    state = State(history=[{"val/loss": 0.7, "val/accuracy": 0.5}], best_weights=model.state_dict())
    state.losses.append(0.5)
    found = verdict(task, rows, state)
    assert found["overfit/dead"] >= 0.75
    assert found["overfit/frozen"] == pytest.approx(10 / 22)
    assert found["overfit/alike"] == 2


def test_dead_channels_of_images() -> None:
    convolution = nn.Conv2d(1, 2, 1, bias=False)
    model = nn.Sequential(convolution, nn.ReLU())
    with torch.no_grad():
        convolution.weight[0], convolution.weight[1] = -1, 1
    assert dead_units(model, torch.rand(3, 1, 4, 4)) == 0.5
    assert dead_units(nn.Sequential(nn.Linear(1, 1)), torch.zeros(3, 1)) == 0


def test_what_counts_as_known() -> None:
    assert known({"val/loss": 0.01, "val/accuracy": 1.0})
    assert not known({"val/loss": 0.06, "val/accuracy": 1.0})
    assert not known({"val/loss": 0.01, "val/accuracy": 0.9})
    assert (known({"val/loss": 9.0, "val/r2": 0.995}), known({"val/loss": 0.0})) == (True, False)


@pytest.mark.slow
def test_where_the_time_goes(command: Command) -> None:
    said = command("fit", "data=wine", "debug=profile", "report=false")
    assert said.code == 0, said.err
    for text in ("where the time went: 35 steps", "backward", "Lightning and the rest", "operators of 5 more steps"):
        assert text in said.out
    profile = command("fit", "data=wine", "debug=profile", "report=false", "--json").json["profile"]
    assert set(profile["seconds"]) == {*PHASES, REST}
    assert all(value > 0 for value in profile["seconds"].values())
    assert (profile["steps"], profile["traced_steps"], len(profile["operators"])) == (35, 5, 10)
    assert 0 < sum(item["share"] for item in profile["operators"]) <= 1
    trace = json.loads(Path(profile["trace"]).read_text())
    assert any(event.get("name") == "aten::addmm" for event in trace["traceEvents"])


def test_a_watch_changes_no_bit() -> None:
    watched = fit("trainer.profile=true").folder
    assert_same(watched, fit("runs_dir=whole").folder)
    assert watched.trace.is_file()


def test_an_inner_phase_takes_its_time_from_the_outer(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0, 1, 3, 6, 10, 15, 21, 28, 36, 45])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    clock = Clock(lambda: None)
    clock.go()
    with clock.within("callbacks, loggers"), clock.within("checkpoint"):
        pass
    with clock.within("validation"), clock.within("forward"):
        pass
    clock.stop()
    with clock.within("data"):
        pass
    seconds = {name: value for name, value in clock.seconds.items() if value}
    assert seconds == {"callbacks, loggers": 2 + 4, "checkpoint": 3, "validation": 6 + 7 + 8, REST: 1 + 5 + 9}
