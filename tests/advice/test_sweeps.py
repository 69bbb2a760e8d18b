"""Advice on sweeps: each is given by the command, typed, and leads on; no trial is run."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runcard.errors import Stopped
from tests.advice.trying import Case, each_fifth, named, raising, try_case
from tests.conftest import Command

FIT = "fit -m data=wine seed=1,2"
RUN = "runcard.tuning.sweep._run"
PRUNED: dict[str, Any] = {"best": None, "trials": [], "states": {"PRUNED": 2}, "ended": ""}


def stopped(*given: Any) -> None:
    given[2].summary.write_text("{}")  # of the study's folder, as when trials have begun
    raise Stopped(signal.SIGTERM)


LR = "'optimizer.lr=interval(1e-4,1e-1)'"
OF = "card.unfit: "
POSTGRESQL = "postgresql://USER@HOST/DATABASE"
SERVER = {"USER": "me", "HOST": "localhost", "DATABASE": "studies"}
CONDITION = {"KEY=VALUES": "model.dropout=choice(0.1,0.2)", "KEY=VALUE,VALUE": "model=mlp", "KEY=VALUE": "seed=1"}
CASES = [
    Case(
        ['card.conditions: KEY="TEXT"'],
        "check 'problem.goal=choice(0.1) if x==(1)'",
        fill={"KEY": "problem.goal", "TEXT": "choice(0.1) if x==(1)"},
    ),
    Case(
        ["card.conditions: KEY=VALUES if KEY=VALUE,VALUE and KEY=VALUE"],
        "check -m model=mlp,linear seed=1,2 'model.dropout=choice(0.1,0.2) if (model==mlp)'",
        fill=CONDITION,
    ),
    Case(
        ["card.overrides: KEY=choice(VALUE) if KEY=VALUE"],
        "check -m model=mlp,linear 'model.dropout=[0.1 if model=mlp'",
        fill={"KEY=choice(VALUE)": "model.dropout=choice(0.1,0.2)", "KEY=VALUE": "model=mlp"},
    ),
    Case(
        ["card.plan: f'{mistake.key}=VALUES if {group}=CHOICE'"],
        "check -m model=mlp,linear model.dropout=0.1,0.2",
        fill={"VALUES": "0.1,0.2", "CHOICE": "mlp"},
    ),
    Case(["card.space: sweep=random"], "check -m 'seed=shuffle(1,2,3)'", also="seed=1,2,3"),
    Case(
        ["card.sweep: optimizer.lr=tag(log,interval(1e-4,1e-1))", "card.sweep: seed=1,2,3"],
        "check -m",
        also="sweep.n_trials=3",
    ),
    Case(
        ["card.launchers: f'{GROUP}={one}'"],
        "check -m seed=1,2 hydra.launcher.partition=gpu",
        onto="check -m seed=1,2",
        then="sweep.storage",
    ),
    Case(
        ["card.launchers: sweep.workers=N"],
        "check -m seed=1,2 hydra/launcher=joblib hydra.launcher.n_jobs=2",
        fill={"N": "2"},
        onto="check -m seed=1,2 hydra/launcher=joblib",
    ),
    Case([f"{OF}sweep.n_trials=20"], f"check -m sweep=tpe sweep.n_trials=null {LR}"),
    Case([f"{OF}sweep.sampler=gp"], f"check sweep=tpe sweep.window=50 {LR}"),
    Case([f"{OF}sweep.seeds=3"], f"check sweep=tpe sweep.spread_weight=1 {LR}"),
    Case(
        [f"{OF}sweep.sampler=nsga2", f"{OF}sweep.sampler=tpe"],
        f"check sweep=cmaes 'sweep.metric=[val/loss,val/accuracy]' {LR} 'model.dropout=interval(0,0.5)'",
    ),
    Case([f"{OF}f'sweep.seeds={{enough + 1}}'"], f"check sweep=tpe sweep.pruner=wilcoxon {LR}"),
    Case([f"{OF}f'sweep.seeds={{enough + 1}}' (2)"], f"check sweep=tpe sweep.pruner=wilcoxon sweep.seeds=2 {LR}"),
    Case(
        [f"{OF}sweep.storage={POSTGRESQL}"],
        "check -m seed=1,2 hydra/launcher=submitit_slurm sweep.name=one",
        fill=SERVER,
    ),
    Case([f"{OF}sweep.name=NAME"], f"check -m seed=1,2 sweep.storage={POSTGRESQL}", fill={"NAME": "one"}),
    Case([f"{OF}f'{{dimension.key}}=auto'"], "check -m optimizer.lr=auto,1e-3", also="seed=1,2"),
    Case([f"{OF}*words"], f"check sweep=grid {LR}"),
    Case([f"{OF}*words"], f"check -m sweep.sampler=brute_force sweep.n_trials=5 {LR}"),
    Case(
        [f"{OF}sweep.sampler=grid"],
        "check -m data=wine sweep.sampler=random sweep.n_trials=2 data.split.seed=1,2 seed=0",
    ),
    Case([f"{OF}sweep.sampler=tpe (2)"], f"check -m sweep.sampler=cmaes sweep.n_trials=3 {LR}"),
    Case(
        ["card.varied: f'{key}={value}'"], "check sweep=tpe 'sweep.space={seed: 3}'", onto="check -m data.workers=0,1"
    ),
    Case(
        ["tuning.objective: problem.metric=NAME", "tuning.objective: sweep.metric=val/loss"],
        "check -m data=wine problem.metric=accuracy,f1",
        fill={"NAME": "f1"},
        also="seed=1,2",
    ),
    Case(
        ["tuning.objective: sweep.metric=val/loss"],
        "check -m data=table data.path=rows.csv problem.target=y problem.task=classification,regression",
        {"rows.csv": "x,y\n" + "1,0\n2,1\n" * 20},
    ),
    Case(["tuning.objective: problem.metric=NAME (2)"], "check -m seed=1,2 sweep.metric=val/f1", fill={"NAME": "f1"}),
    Case(
        ["tuning.opening: sweep.name=NAME"],
        f"{FIT} sweep.name=one sweep.if_exists=refuse",
        {"studies/one": None},
        {"NAME": "two"},
        trains=True,
    ),
    Case(
        ["tuning.opening: sweep.if_exists=new"],
        f"{FIT} sweep.name=one sweep.if_exists=resume",
        {"studies/one/plan.json": "{}"},
        trains=True,
    ),
    Case(["tuning.opening: sweep.if_exists=new (2)"], FIT, before=FIT, trains=True),
    Case(
        ["tuning.sweep: sweep.sampler=grid"],
        "fit -m data=wine seed=1,2 sweep.sampler=random sweep.n_trials=5",
        trains=True,
    ),
    Case(
        ["tuning.sweep: sweep.pruner=none"], f"{FIT} sweep.pruner=median", patched={RUN: lambda *_: PRUNED}, trains=True
    ),
    Case(
        ["tuning.sweep: runcard resume str(folder.path)"],
        f"{FIT} 'sweep.studies_dir=my studies'",
        patched={RUN: stopped},
        trains=True,
    ),
]


@pytest.mark.parametrize("case", each_fifth(CASES), ids=named)
def test_advice_on_sweeps_leads_on(case: Case, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    try_case(case, command, monkeypatch)


def test_a_study_without_a_trial_is_not_gone_on_with(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stopped(signal.SIGTERM)
    monkeypatch.setattr(RUN, raising(stop))
    monkeypatch.setattr("runcard.tuning.sweep._pool", lambda _: contextlib.nullcontext(SimpleNamespace(share=print)))
    with pytest.raises(Stopped):
        command(*FIT.split())
    assert not stop.go_on
    assert not [*Path("studies").iterdir()]
