"""The flags that are Hydra's own: ``--cfg``, ``--info``, ``--shell-completion``. Hydra answers them itself."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence

import hydra
from omegaconf import DictConfig

from runcard.card.compose import shipped_conf
from runcard.errors import CardError


def answer(words: Sequence[str]) -> str:
    """What Hydra prints for these flags and overrides.

    Raises:
        CardError: If Hydra cannot compose them; ``runcard check`` then says more.
    """

    @hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name="config")
    def nothing(_: DictConfig) -> None:
        """Never called: each of these flags only prints."""

    output, complaint = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["runcard", *words]
    _without_verb()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(complaint):
            nothing()
    except SystemExit as error:
        if error.code:
            raise CardError(complaint.getvalue().strip().partition("\n")[0] or "Hydra cannot compose this") from error
    finally:
        sys.argv = before
    return output.getvalue()


def _without_verb() -> None:
    """Take the verb out of the line that a shell wants completed; Hydra knows overrides only."""
    line = os.environ.get("COMP_LINE", "")
    command, _, rest = line.partition(" ")
    verb, space, overrides = rest.partition(" ")
    if space and "=" not in verb:
        os.environ["COMP_LINE"] = f"{command} {overrides}"
        point = int(os.environ.get("COMP_POINT") or len(line))
        os.environ["COMP_POINT"] = str(max(point - len(verb) - 1, 0))
