"""Classes of Lightning's that Runcard would use in part only: what of them it never calls, and what to name instead."""

from __future__ import annotations

import re

# What Lightning's Trainer calls of a module; a plain network has none of it.
HOOK = re.compile(
    r"(training|validation|test|predict)_step|configure_(optimizers|gradient_clipping|model|callbacks)"
    r"|(optimizer|lr_scheduler)_step|(train|val|test|predict)_dataloader"
    r"|on_(fit|train|validation|test|predict|before|after|save|load)_\w+"
)
LIBRARIES = ("pytorch_lightning.", "lightning.", "lightning_fabric.", "torch.", "runcard.")
LISTED = 3

NETWORK = (
    "Name the torch.nn.Module within it, whose forward gives the outputs. Loss, optimizer, schedule and metrics are "
    "the card's; what else it does belongs into trainer.callbacks or augment."
)
ROWS = "Name a class whose method read gives the columns by name; docs/own_classes.md shows one."


def find_uncalled(made: type, section: str) -> tuple[str, str] | None:
    """What of a class would never be called, and what to do; None: all of it is used.

    Args:
        made: The class.
        section: That names it, such as ``model``.
    """
    bases = {base.__name__ for base in made.__mro__ if base.__module__.startswith(LIBRARIES[:2])}
    if section == "data" and "LightningDataModule" in bases:
        return "is a LightningDataModule, whose loaders would not be asked", ROWS
    if section != "model":
        return None
    hooks = list(dict.fromkeys(name for base in made.__mro__ if _is_own(base) for name in vars(base) if _is_hook(name)))
    calls = ", ".join(hooks[:LISTED]) + (" and more" if len(hooks) > LISTED else "")
    if "LightningModule" in bases:
        return f"is a LightningModule, and {calls or 'its hooks'} would never be called", NETWORK
    return (f"has {calls}, which Lightning's trainer calls of a LightningModule only", NETWORK) if hooks else None


def _is_own(base: type) -> bool:
    return base is not object and not f"{base.__module__}.".startswith(LIBRARIES)


def _is_hook(name: str) -> bool:
    return HOOK.fullmatch(name) is not None
