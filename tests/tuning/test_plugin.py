"""The sweeper that Hydra finds: for programs of Hydra's own, and no way that the command goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

import runcard
from hydra_plugins.runcard_sweeper import RuncardSweeper
from runcard.card.compose import loader
from runcard.card.groups import shipped_conf
from tests.conftest import HANG_S, TINY, Command

WORDS = ["data=wine", "model=linear", *TINY[:2], "seed=1,2"]


def test_a_sweep_does_not_go_through_hydras_plugins(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("Hydra was asked for a sweeper")

    monkeypatch.setattr(Plugins, "instantiate_sweeper", refuse)
    said = command("fit", "-m", *WORDS, "--json")
    assert said.code == 0, said.err
    assert said.json["states"]["COMPLETE"] == 2


def test_the_plugin_makes_the_study_that_the_command_makes(away: Path) -> None:
    with loader(shipped_conf()) as loading:
        config = loading.load_configuration("config", [], run_mode=RunMode.MULTIRUN)
        sweeper = RuncardSweeper()
        sweeper.setup(
            hydra_context=HydraContext(config_loader=loading, callbacks=None),  # type: ignore[arg-type]  # not called
            task_function=runcard.fit,
            config=config,
        )
    study = sweeper.sweep([*WORDS, "sweep.name=plugged"])
    assert study.folder.path == away / "studies" / "plugged"
    assert study.summary["states"]["COMPLETE"] == 2


PROGRAM = """
import hydra
from runcard.card.groups import shipped_conf
@hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")
def mine(cfg):
    print("called with", cfg.data._target_)
mine()
"""


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    Path("app.py").write_text(PROGRAM)
    return subprocess.run([sys.executable, "app.py", *words], capture_output=True, text=True, timeout=HANG_S)


def test_a_task_that_would_not_be_called_is_refused_in_one_line(away: Path) -> None:
    done = ran("-m", "data=wine", "seed=1,2")
    assert done.returncode == 1
    line, _, more = done.stderr.partition("\n")
    assert line == (
        "Runcard's sweeper fits cards, and would not call mine of app.py: `runcard fit -m ...` sweeps, and with "
        "hydra/sweeper=basic Hydra calls it"
    )
    assert "Traceback" not in more  # Hydra adds how to get one
    assert not (away / "studies").exists()


@pytest.mark.slow
def test_hydra_calls_it_with_its_own_sweeper_and_without_a_sweep(away: Path) -> None:
    for words, times in ((["data=wine"], 1), (["-m", "hydra/sweeper=basic", "data=wine", "seed=1,2"], 2)):
        done = ran(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("called with runcard.data.builtin") == times, done.stdout
