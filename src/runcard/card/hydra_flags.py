"""The flags that are Hydra's own, ``--cfg --info --shell-completion --multirun``: Hydra answers them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import hydra
from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from runcard.card.compose import folders, loader, searchpath, shipped_conf
from runcard.card.values import plain
from runcard.errors import CardError


def answer(words: Sequence[str]) -> str:
    """What Hydra prints for these flags and overrides.

    Raises:
        CardError: If Hydra cannot compose them; ``runcard check`` then says more.
    """
    # The function is never called: each of these flags only prints.
    main = hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")(_nothing)
    output, complaint = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["runcard", *words]
    _without_verb()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(complaint):
            main()
    except HydraException as error:
        raise CardError(_one_card(plain(error))) from error
    except SystemExit as error:
        if error.code:
            raise CardError(_one_card(complaint.getvalue().strip().partition("\n")[0])) from error
    finally:
        sys.argv = before
    return output.getvalue()


def _one_card(complaint: str) -> str:
    several = "Ambiguous" in complaint or "--multirun" in complaint
    hint = ". Hydra's flags show one card: give each key one value." if several else ""
    return f"{complaint or 'Hydra cannot compose this'}{hint}"


def multirun(overrides: Sequence[str], config_dir: str | None) -> Any:
    """Hand a sweep's overrides to the sweeper plugin that ``conf/config.yaml`` names.

    Of Hydra's own multirun only this is left: its callbacks, launchers and log settings are classes that a
    configuration may name, and a card runs no code that its owner did not allow.

    Args:
        overrides: As they were typed.
        config_dir: A folder with groups of the user's own.

    Returns:
        What the sweeper gives back.
    """
    places = folders(config_dir)
    with loader(places[0]) as loading:
        config = loading.load_configuration("config", [searchpath(places)], run_mode=RunMode.MULTIRUN)
        sweeper = Plugins.instance().instantiate_sweeper(
            hydra_context=HydraContext(config_loader=loading, callbacks=Callbacks()),
            task_function=_nothing,
            config=config,
        )
    return sweeper.sweep(arguments=list(overrides))


def _nothing(_: DictConfig) -> None:
    """A trial is a fit of its card, which the sweeper knows how to do."""


def _without_verb() -> None:
    """Take the verb out of the line that a shell wants completed; Hydra knows overrides only."""
    line = os.environ.get("COMP_LINE", "")
    command, _, rest = line.partition(" ")
    verb, space, overrides = rest.partition(" ")
    if space and "=" not in verb:
        os.environ["COMP_LINE"] = f"{command} {overrides}"
        point = int(os.environ.get("COMP_POINT") or len(line))
        os.environ["COMP_POINT"] = str(max(point - len(verb) - 1, 0))
