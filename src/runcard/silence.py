"""Nothing reports home: libraries that tell their makers of each use are asked not to, before they are imported.

Imported before all else of the package, in every process: the command, its workers, BentoML's command, notebooks. What
a user has set stays, so that who wants to report can: ``ORT_DISABLE_TELEMETRY=0``. ``docs/security.md`` says what each
would send.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

# Variable → what stops the reports.
QUIET: Mapping[str, str] = {
    "ORT_DISABLE_TELEMETRY": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
# Where BentoML keeps what it has read of its variable.
_BENTOML = "bentoml._internal.utils.analytics.usage_stats"


def silence() -> None:
    """Set the variables that are not set; and have BentoML's command, if this is it, read its own once more."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if _BENTOML in sys.modules:
        sys.modules[_BENTOML].do_not_track.cache_clear()


silence()
