"""What each test would do anew and what comes out the same: done once for each process of tests."""

from __future__ import annotations

import copy
import functools
import gettext
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _pytest.logging import catching_logs
from hydra._internal import defaults_list
from hydra.core.default_element import InputDefault
from omegaconf import DictConfig, OmegaConf

from runcard.card import compose, groupfiles
from runcard.card.groupfiles import Library, read_library
from runcard.card.groups import shipped_conf
from runcard.cli import main as cli
from runcard.cli import terminal
from runcard.cli.parsing import parsers
from runcard.errors import Mistake
from runcard.yamltext import dump_yaml

if TYPE_CHECKING:
    from torch.nn import Module


def install() -> None:
    """Have all of it done once; imports torch."""
    # For each word of each flag of each verb Python looks for the files of a translation, which there is none of.
    gettext.find = functools.cache(gettext.find)  # type: ignore[assignment]
    os.fsync = os.fstat  # type: ignore[assignment]  # no test cuts the power, and the disk takes as long as a fit
    _look_at_loggers_once()
    _make_the_command_line_once()
    _read_groups_once()
    _read_yaml_once()
    _follow_only_what_leads_on()
    _read_migrations_once()
    _look_for_plugins_once()
    _count_work_once()


def _look_at_loggers_once() -> None:
    """Six times a test pytest looks at each of a thousand loggers that libraries have: here, if there are new ones."""
    found: list[logging.Logger] = []
    seen = [0]

    def apart() -> list[logging.Logger]:
        known = logging.getLogger().manager.loggerDict
        if len(known) != seen[0]:
            seen[0] = len(known)
            loggers = [each for each in known.values() if isinstance(each, logging.Logger)]
            found[:] = [each for each in loggers if not each.propagate or each.name.startswith("runcard")]
        return found

    def enter(self: Any) -> Any:
        root = logging.getLogger()
        if self.level is not None:
            self.handler.setLevel(self.level)
            self.orig_level = root.level
            root.setLevel(min(self.orig_level, self.level))
        self.attached_loggers += [root, *(each for each in apart() if not each.propagate)]
        for each in self.attached_loggers:
            each.addHandler(self.handler)
        return self.handler

    catching_logs.__enter__ = enter  # type: ignore[method-assign]


def _make_the_command_line_once() -> None:
    """What a command is parsed with, and how a value of a card is shown: the same for thousands of commands."""
    cli.parsers = functools.cache(parsers)  # type: ignore[attr-defined]
    really, known = dump_yaml, dict[tuple[type, str], str]()

    def dump(value: Any, *, width: float) -> str:
        key = type(value), repr(value)  # 1, 1.0 and true are equal, and so are both zeros
        if key not in known:
            known[key] = really(value, width=width)
        return known[key]

    terminal.dump_yaml = dump  # type: ignore[attr-defined, assignment]


def _read_groups_once() -> None:
    """Each card is composed of all that is shipped, which no test changes; a folder beside it is read each time."""
    whole, really, ours = functools.cache(read_library), groupfiles._content, str(shipped_conf())
    one = functools.cache(lambda path: really(path, []))

    def read(shipped: Path, own: Sequence[Path]) -> Library:
        return read_library(shipped, own) if own else whole(shipped, ())

    def content(path: Path, mistakes: list[Mistake]) -> Any:
        return one(path) if str(path).startswith(ours) else really(path, mistakes)

    compose.read_library = read  # type: ignore[attr-defined]
    groupfiles._content = content


def _read_yaml_once() -> None:
    """Hydra reads each file of ``conf/`` anew for each choice of files that it composes: here, each text once.

    Where it is only asked which files it would lay over each other, the list of these is enough, and whether a file
    has anything beside it.
    """
    really, known = OmegaConf.load, dict[tuple[str, bool], Any]()
    listed, asked = compose._defaults_list, list[bool]()

    def load(file: Any) -> Any:
        if isinstance(file, str | Path):
            return really(file)
        place = file.tell()
        key = file.read(), bool(asked)
        if key not in known:
            file.seek(place)
            whole = really(file)
            known[key] = _without_values(whole) if asked and isinstance(whole, DictConfig) else whole
        return copy.deepcopy(known[key])

    def files(*arguments: Any) -> Any:
        asked.append(True)
        try:
            return listed(*arguments)
        finally:
            asked.pop()

    OmegaConf.load = staticmethod(load)  # type: ignore
    compose._defaults_list = files  # type: ignore[assignment]


def _without_values(file: DictConfig) -> DictConfig:
    beside = [str(name) for name in file if name != "defaults"]
    return OmegaConf.masked_copy(file, ["defaults", *beside[:1]])


def _follow_only_what_leads_on() -> None:
    """For each file Hydra makes a tree of all choices, in case its name is an interpolation: here, if it is."""
    make, resolve = defaults_list._create_interpolation_map, InputDefault._resolve_interpolation_impl

    def resolved(self: InputDefault, choices: Any, name: str) -> str:
        return resolve(self, choices(), name) if "${" in name else name

    defaults_list._create_interpolation_map = lambda *known: functools.partial(make, *known)  # type: ignore
    InputDefault._resolve_interpolation_impl = resolved  # type: ignore


def _read_migrations_once() -> None:
    """Optuna reads its migrations, thirty files of code, anew for each study that is opened: they are the same."""
    from optuna.storages._rdb.storage import _VersionManager

    really, known = _VersionManager._create_alembic_script, list[Any]()

    def create(self: _VersionManager) -> Any:
        if not known:
            known.append(really(self))
        return known[0]

    _VersionManager._create_alembic_script = create  # type: ignore[method-assign]


def _look_for_plugins_once() -> None:
    """What packages offer Lightning, and which ONNX operator stands for which of torch's."""
    from lightning_fabric.utilities import registry
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    # Each trainer looks it up anew, in 20 ms.
    registry.entry_points = functools.cache(registry.entry_points)  # type: ignore[assignment]
    # By the opset's number: torch finds it anew for each export.
    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))


def _count_work_once() -> None:
    """How much each layer of a network computes, for which each fit runs it without numbers."""
    from runcard.training import rules

    really, known = rules.work, dict[tuple[Any, ...], float]()

    def work(model: Module, *settings: Any, **more: Any) -> float:
        key = (type(model), repr(model), settings, *more.items())
        if key not in known:
            known[key] = really(model, *settings, **more)
        return known[key]

    rules.work = work
