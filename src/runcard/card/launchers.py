"""Where a sweep runs its trials: ``hydra/launcher=NAME`` and ``hydra.launcher.KEY=VALUE``, no more of Hydra's own.

Keys and types are read from the installed plugin. Only the command line may say it: a file that comes with someone
else's project chooses no machine, and no commands to run there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runcard.advice import advise
from runcard.card.compose import own_plugins
from runcard.card.overrides import Override
from runcard.card.spelling import suggest
from runcard.errors import Mistake

GROUP = "hydra/launcher"
KEY = re.compile(r"hydra\.launcher\.(.+)")
LOCAL = "basic"
# Name → module and class of its settings, and the extra that brings it.
PLUGINS = {
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher.config", "SlurmQueueConf", "cluster"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher.config", "LocalQueueConf", "cluster"),
    "joblib": ("hydra_plugins.hydra_joblib_launcher.config", "JobLibLauncherConf", "cluster"),
    "ray": ("runcard.card.launchers", "RaySettings", "ray"),
}
ONE_TASK = "A trial is one task of one job."
# What a user of the plugin may set, and a sweep sets itself; without a reason: as many as there are workers.
OURS = {
    "_target_": "It says which class runs, which the launcher's name says already.",
    "submitit_folder": "It lies in the study's folder, where resuming finds it.",
    "n_jobs": "",
    "array_parallelism": "",
    "nodes": ONE_TASK,
    "tasks_per_node": ONE_TASK,
}


@dataclass(frozen=True)
class Launcher:
    """Where trials run.

    Attributes:
        name: One of ``PLUGINS``.
        params: What was set of it, of the right types; the rest is the plugin's own.
    """

    name: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def elsewhere(self) -> bool:
        """Whether trials may run on other machines than the sweep."""
        return self.name == "submitit_slurm" or self.params.get("address") is not None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"name": self.name, "params": self.params}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Launcher:
        """What ``to_dict`` gave."""
        return cls(str(values["name"]), dict(values["params"]))


@dataclass
class RaySettings:
    """Where Ray is, and what it keeps free for each trial.

    Attributes:
        address: Of a running cluster, ``auto`` or ``ray://host:port``; None starts one on this machine.
        num_cpus: Cores a trial, from 0; a part of one is allowed.
        num_gpus: GPUs a trial, from 0; a part of one is allowed.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0


def take_launcher(overrides: Sequence[Override], mistakes: list[Mistake]) -> tuple[Launcher | None, list[Override]]:
    """Take what is said of the launcher out of a sweep's overrides.

    Args:
        overrides: Of the command line, each naming one value.
        mistakes: What is wrong is added here.

    Returns:
        The launcher, or None for the pool of this machine; and the other overrides.
    """
    chosen = [one for one in overrides if one.key == GROUP]
    set_keys = [one for one in overrides if KEY.fullmatch(one.key)]
    others = [one for one in overrides if one not in chosen and one not in set_keys]
    mistakes += [_wrong(one, "is given twice", "Leave one of them out.") for one in chosen[1:]]
    name = chosen[-1].value if chosen and not chosen[-1].delete else LOCAL
    if name != LOCAL and name not in PLUGINS:
        mistakes.append(_wrong(chosen[-1], f"there is no launcher {name!r}", suggest(str(name), [LOCAL, *PLUGINS])))
        return None, others
    if name == LOCAL:
        hint = f"Choose a launcher: {', '.join(advise(f'{GROUP}={one}') for one in PLUGINS)}."
        mistakes += [_wrong(one, "the pool of this machine has no settings of a launcher", hint) for one in set_keys]
        return None, others
    return _judged(name, chosen[-1], set_keys, mistakes), others


def defaults(name: str) -> DictConfig:
    """All settings of a launcher that is installed, as its plugin declares them.

    Raises:
        ImportError: If it is not installed.
    """
    module, settings, extra = PLUGINS[name]
    with own_plugins():
        if name == "ray":
            importlib.metadata.version(extra)
        config = OmegaConf.structured(getattr(importlib.import_module(module), settings))
    assert isinstance(config, DictConfig)
    return config


def _judged(name: str, chosen: Override, keys: list[Override], mistakes: list[Mistake]) -> Launcher | None:
    try:
        config = defaults(name)
    except ImportError:
        hint = f"Install it: {advise('pip', 'install', f'runcard[{PLUGINS[name][2]}]')}."
        mistakes.append(_wrong(chosen, f"the launcher {name} is not installed", hint))
        return None
    for override in keys:
        wrong = _lay_over(config, override)
        if wrong is not None:
            mistakes.append(wrong)
    given = {_key(override).partition(".")[0] for override in keys}
    values: Any = OmegaConf.to_container(config, resolve=False)
    return Launcher(name, {key: value for key, value in values.items() if key in given})


def _lay_over(config: DictConfig, override: Override) -> Mistake | None:
    """Set one key; what is wrong with it."""
    key = _key(override)
    top = key.partition(".")[0]
    if top not in config:
        return _wrong(
            override, "there is no such setting", suggest(top, [str(one) for one in config if one not in OURS])
        )
    if top in OURS:
        return _wrong(override, "is not to be set", OURS[top] or f"Say {advise('sweep.workers=N')}.")
    if override.delete:
        return _wrong(override, "cannot be deleted", "Leave it out.")
    if "${" in str(override.value) or "_target_" in str(override.value) or "_target_" in key:
        return _wrong(override, "must be a plain value, without references or _target_")
    try:
        OmegaConf.update(config, key, override.value, merge=True)
    except (OmegaConfBaseException, ValueError) as error:
        return _wrong(override, str(error).splitlines()[0])
    if top.startswith("num_") and config[top] < 0:
        return _wrong(override, f"must be 0 or more, not {config[top]:g}")
    return None


def _key(override: Override) -> str:
    found = KEY.fullmatch(override.key)
    assert found is not None
    return found[1]


def _wrong(override: Override, message: str, hint: str = "") -> Mistake:
    return Mistake(override.key, message, f"override {override.text}", hint)
