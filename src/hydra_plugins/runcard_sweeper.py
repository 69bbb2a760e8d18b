"""Hydra's face of Runcard's sweeps: what ``-m`` and ``hydra.mode: MULTIRUN`` hand over to.

All work is done in ``runcard.tuning``; this file only answers Hydra. It is imported whenever Hydra starts, so it
imports nothing heavy.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from runcard.advice import advise
from runcard.errors import CardError

if TYPE_CHECKING:
    from runcard.tuning.sweep import Study


class HydraCardError(CardError, CompactHydraException):
    """A mistake that Hydra says in one line, and not with where it was found."""


class RuncardSweeper(Sweeper):
    """One study of a card: Hydra gives the overrides, Runcard composes, checks, tries and names the winner."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take from Hydra where the user's own groups lie; a trial is a fit of the card.

        Raises:
            HydraCardError: If the task is not Runcard's, for it would not be called; or if Hydra was given other groups
                than the sweep will read.
        """
        from runcard.card.groups import shipped_conf

        task = inspect.unwrap(task_function)
        if not f"{task.__module__}.".startswith("runcard."):
            ways = advise("runcard", "fit", "-m", "..."), advise("hydra/sweeper=basic")
            uncalled = f"{task.__qualname__} of {_file_of(task)}"
            raise HydraCardError(
                f"Runcard's sweeper fits cards, and would not call {uncalled}: `{ways[0]}` sweeps, and with {ways[1]} "
                "Hydra calls it"
            )
        folders = [source for source in config.hydra.runtime.config_sources if source.schema == "file"]
        own = [folder.path for folder in folders if folder.provider != "main"]
        # What it would not read it must not seem to have read.
        others = [folder.path for folder in folders if folder.provider == "main"]
        unread = [path for path in others if Path(path).resolve() != shipped_conf().resolve()] + own[1:]
        if unread:
            raise HydraCardError(f"a sweep reads the shipped groups and one folder beside them, and not {unread[0]}")
        self._config_dir: str | None = own[0] if own else None

    def sweep(self, arguments: list[str]) -> Study:
        """Run the study that the overrides describe."""
        from runcard import api

        return api.sweep(api.load_sweep(arguments, self._config_dir))


def _file_of(task: TaskFunction) -> str:
    code = getattr(task, "__code__", None)
    return Path(code.co_filename).name if code else str(task.__module__)


# A plain mapping: Hydra executes this file before the module is known by name, which a dataclass does not survive.
# How to sweep is said in the card's own group `sweep`, so there is nothing else to set.
ConfigStore.instance().store(
    "runcard", {"_target_": "hydra_plugins.runcard_sweeper.RuncardSweeper"}, group="hydra/sweeper", provider="runcard"
)
