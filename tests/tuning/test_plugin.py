"""The sweeper that Hydra finds: for programs of Hydra's own, and no way that the command goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from hydra_plugins.runcard_sweeper import RuncardSweeper
from runcard.card.compose import loader
from runcard.card.groups import shipped_conf
from tests.conftest import TINY, Command

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
            task_function=lambda _: None,
            config=config,
        )
    study = sweeper.sweep([*WORDS, "sweep.name=plugged"])
    assert study.folder.path == away / "studies" / "plugged"
    assert study.summary["states"]["COMPLETE"] == 2
