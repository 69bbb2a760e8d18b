"""Runcard: write an experiment as a card. The Python face is ``runcard.api``, loaded on first use."""

import importlib
from typing import TYPE_CHECKING, Any

import runcard.deferral  # before torchmetrics, which it makes lighter
import runcard.silence  # noqa: F401  # before any library that it asks to be silent

if TYPE_CHECKING:
    from runcard.api import (
        check,
        check_sweep,
        evaluate,
        fit,
        load_card,
        load_run,
        load_sweep,
        package,
        resume,
        resume_sweep,
        sweep,
        tested_rows,
        verify,
    )
    from runcard.removing.remove import remove

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "check",
    "check_sweep",
    "evaluate",
    "evaluate_rows",
    "fit",
    "load_card",
    "load_run",
    "load_sweep",
    "package",
    "remove",
    "resume",
    "resume_sweep",
    "sweep",
    "tested_rows",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Importing the package stays free of Hydra and torch: `runcard --help` must not pay for them.
    if name in __all__:
        module = "runcard.removing.remove" if name == "remove" else "runcard.api"
        return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'runcard' has no attribute {name!r}")


def __dir__() -> list[str]:
    # What a notebook completes: the functions, which are not imported yet.
    return sorted(__all__)
