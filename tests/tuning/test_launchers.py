"""What is said on the command line of where trials run."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from runcard.card.launchers import Launcher, take_launcher
from runcard.card.overrides import parse_overrides
from runcard.errors import Mistake
from tests.conftest import Command

SWEEP = ["check", "-m", "data=wine", "seed=1,2"]


def taken(*words: str) -> tuple[Launcher | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    launcher, others = take_launcher(parse_overrides(words, mistakes), mistakes)
    assert not others
    return launcher, mistakes


def test_a_launcher_and_what_is_set_of_it() -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "hydra.launcher.timeout_min=90"]
    launcher, mistakes = taken(*words, "hydra.launcher.additional_parameters={mail-type: END}")
    assert not mistakes
    params = {"timeout_min": 90, "partition": "gpu", "additional_parameters": {"mail-type": "END"}}
    assert launcher == Launcher("submitit_slurm", params)
    assert Launcher.from_dict(json.loads(json.dumps(launcher.to_dict()))) == launcher


def test_the_pool_is_no_launcher() -> None:
    assert taken("hydra/launcher=basic") == (None, [])
    assert taken() == (None, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hydra/launcher=slurm", "Did you mean submitit_slurm"),
        ("hydra/launcher=submitit_slurm hydra.launcher.partiton=a", "Did you mean partition"),
        ("hydra/launcher=submitit_slurm hydra.launcher.timeout_min=long", "Integer"),
        ("hydra/launcher=submitit_slurm hydra.launcher.nodes=2", "one task of one job"),
        ("hydra/launcher=submitit_local hydra.launcher._target_=evil.Net", "says which class runs"),
        ("hydra/launcher=submitit_slurm hydra.launcher.setup=[{_target_: evil.Net}]", "plain value"),
        ("hydra/launcher=submitit_slurm 'hydra.launcher.comment=${oc.env:HOME}'", "plain value"),
        ("hydra/launcher=joblib hydra.launcher.n_jobs=2", "sweep.workers=N"),
        ("hydra/launcher=joblib hydra/launcher=ray", "given twice"),
        ("hydra.launcher.partition=a", "has no settings"),
    ],
)
def test_what_is_wrong_is_said(words: str, said: str, command: Command) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    done = command(*SWEEP, *(word.strip("'") for word in words.replace("{_target_: ", "{_target_:").split()))
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("words", [["submitit_slurm"], ["ray", "hydra.launcher.address=auto"]])
def test_other_machines_cannot_share_a_file(words: list[str], command: Command) -> None:
    for module in ("hydra_plugins.hydra_submitit_launcher", "ray"):
        pytest.importorskip(module)
    done = command("fit", *SWEEP[1:], f"hydra/launcher={words[0]}", *words[1:])
    assert done.code == 2
    assert "sweep.storage" in done.err
    assert "sweep.storage=postgresql://" in done.err
    assert not list(Path.cwd().glob("studies/*"))


def test_one_machine_needs_no_storage(command: Command) -> None:
    pytest.importorskip("ray")
    assert command(*SWEEP, "hydra/launcher=ray").code == 0


def test_a_shared_study_has_a_name(command: Command) -> None:
    pytest.importorskip("psycopg")
    storage = "sweep.storage=postgresql://me@localhost/studies"
    done = command(*SWEEP, storage)
    assert done.code == 2
    assert "sweep.name=NAME" in done.err
    assert command(*SWEEP, storage, "sweep.name=mine").code == 0


def test_one_card_has_no_launcher(command: Command) -> None:
    done = command("check", "data=wine", "hydra/launcher=joblib")
    assert done.code == 2
    assert "one card is no sweep" in done.err


def test_a_launcher_that_is_not_installed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    done = command(*SWEEP, "hydra/launcher=ray")
    assert done.code == 2
    assert "pip install 'runcard[ray]'" in done.err
