"""Hand one trial to one instance of a Hydra launcher, in a process of its own.

Launchers wait for their jobs, share state that threads mix up, and compose again inside the job. So each trial has
its own instance and process, and a configuration that holds no more than the path of the trial's task file.
"""

from __future__ import annotations

import copy
import json
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.conf import HydraConf
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from runcard.card.launchers import Launcher, defaults
from runcard.interrupts import end_with_parent
from runcard.tuning.remote import launched_trial

# A launcher that runs the trial in this process, which then ends with the sweep.
HERE = "joblib"


class Given(ConfigLoader):
    """Answers every question for a configuration with the one there is."""

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The same again."""
        return copy.deepcopy(master_config)

    def load_configuration(self, *_: Any, **__: Any) -> DictConfig:
        """Nothing is composed."""
        raise NotImplementedError

    def get_sources(self) -> list[Any]:
        """Nothing is read."""
        return []

    def list_groups(self, parent_name: str) -> list[str]:
        """No groups."""
        return []

    def get_group_options(self, *_: Any, **__: Any) -> list[str]:
        """No choices."""
        return []

    def get_search_path(self) -> ConfigSearchPath:
        """Nothing is looked for."""
        raise NotImplementedError

    compute_defaults_list = load_configuration


def launch(launcher: Launcher, task_file: Path, jobs: Path) -> None:
    """Launch one trial, and wait for its job.

    Args:
        launcher: A launcher of Hydra's.
        task_file: All that the job needs.
        jobs: The trial's folder for jobs and their logs.
    """
    settings = defaults(launcher.name)
    settings.merge_with(launcher.params)
    if launcher.name == HERE:
        settings.n_jobs = 1
    else:
        settings.submitit_folder = f"{jobs}/%j"
        if "name" not in launcher.params:
            settings.name = f"runcard-{task_file.stem}"
    # What launchers hand on to their jobs as the state of this process.
    HydraConfig.instance()
    JobRuntime.instance().set("name", "runcard")
    plugin = instantiate(settings)
    context = HydraContext(config_loader=Given(), callbacks=Callbacks())
    task: TaskFunction = run
    plugin.setup(hydra_context=context, task_function=task, config=_configuration(task_file, jobs))
    plugin.launch([[]], initial_job_idx=int(task_file.stem))


def run(config: DictConfig) -> dict[str, Any]:
    """What a job does; Hydra keeps an error to itself, and the log is where it is looked for."""
    try:
        return launched_trial(str(config.task_file))
    except Exception:
        traceback.print_exc()
        raise


def _configuration(task_file: Path, jobs: Path) -> DictConfig:
    """What ``run_job`` reads of Hydra's part, and the task."""
    hydra = OmegaConf.structured(HydraConf)
    hydra.sweep.dir, hydra.sweep.subdir = str(jobs), "."
    hydra.job.name, hydra.job.chdir = "runcard", False
    hydra.output_subdir = None
    hydra.job_logging, hydra.hydra_logging = {"root": None}, {"root": None}
    return OmegaConf.create({"task_file": str(task_file), "hydra": hydra})


def main() -> None:
    """Launch what the words of the command line say: a launcher, a task file, a folder for jobs.

    Not as ``python -m``: jobs elsewhere would look for what is pickled here in their own ``__main__``.
    """
    launcher, task_file, jobs = sys.argv[1:]
    given = Launcher.from_dict(json.loads(launcher))
    # Without the sweep, a trial here is saved, and no job is submitted that nobody knows of.
    end_with_parent(signal.SIGTERM if given.name == HERE else signal.SIGKILL)
    launch(given, Path(task_file), Path(jobs))
