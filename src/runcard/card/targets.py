"""From a judged section to an object. The card has already refused every class that is not allowed."""

from __future__ import annotations

import importlib
from typing import Any

from runcard.card.sections.parts import Part


def named(part: Part) -> Any:
    """The section's class."""
    module, _, name = part.target_class.rpartition(".")
    return getattr(importlib.import_module(module), name)


def build(part: Part, *positional: Any, **more: Any) -> Any:
    """Call the section's class with the section's arguments, and with those that only the caller knows."""
    return named(part)(*positional, **part.arguments(), **more)
