"""Trials that run elsewhere: by one of Hydra's launchers, or by Ray."""

from __future__ import annotations

from runcard.card.plan import Plan
from runcard.studies import StudyFolder
from runcard.tuning.events import Executor


def elsewhere(plan: Plan, folder: StudyFolder) -> Executor:
    """Who places a plan's trials.

    Args:
        plan: With a launcher.
        folder: Of the study; every machine sees it by the same path.

    Raises:
        CardError: If Ray cannot be reached.
    """
    assert plan.launcher is not None
    # Imported here: Ray takes a second, and few sweeps leave their machine.
    if plan.launcher.name == "ray":
        from runcard.tuning.rays import RayExecutor

        return RayExecutor(plan.launcher, plan.settings.workers, folder.path)
    from runcard.tuning.launched import LaunchedExecutor

    return LaunchedExecutor(plan.launcher, plan.settings.workers, folder.path)
