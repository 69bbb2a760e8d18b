"""From a section to an object. A card may name Runcard's own classes, some of other libraries, and what is trusted.

Every name is looked at before anything is imported, and what it leads to again before it is called: a name says
nothing of an object that has an alias somewhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runcard.advice import advise
from runcard.card.naming import thirdparty, trust
from runcard.card.naming.arguments import accepts, converted
from runcard.card.naming.trust import RefusedError
from runcard.card.naming.uncalled import find_uncalled
from runcard.card.pyproject import passed_over
from runcard.card.schema import section_targets
from runcard.card.sections.parts import OwnPart, Part, shipped_targets
from runcard.card.spelling import nearest
from runcard.errors import CardError, Mistake, RuncardError

# Section → the modules whose classes it may name, of those that are in the table.
LIBRARIES = {
    "model": "",
    "data": "",
    "augment": "",
    "logger": "",
    "optimizer": "torch.optim",
    "scheduler": "torch.optim.lr_scheduler",
    "trainer.callbacks": "pytorch_lightning.callbacks",
}
AVERAGE = "trainer.average.method=swa"
# Lightning's callbacks that would do nothing here, or what is done already → the key that does it.
ELSEWHERE = {
    "DeviceStatsMonitor": "trainer.profile",
    "EarlyStopping": "trainer.early_stopping",
    "GradientAccumulationScheduler": "trainer.accumulate",
    "LearningRateMonitor": "logger: each tracker is told the rate of every epoch",
    "ModelCheckpoint": "checkpoint.every_s: the best weights and the last are kept",
    "StochasticWeightAveraging": AVERAGE,
}
# Section → what its class must be or have.
BASES = {
    "model": "torch.nn.modules.module.Module",
    "logger": "pytorch_lightning.loggers.logger.Logger",
    "optimizer": "torch.optim.optimizer.Optimizer",
    "trainer.callbacks": "pytorch_lightning.callbacks.callback.Callback",
}
METHODS = {"data": "read", "augment": "__call__", "scheduler": "__call__"}
TARGET = "_target_"
# What Hydra would take from beside a target; a card names a class and its arguments, and no more.
HYDRAS_OWN = ("_partial_", "_recursive_", "_convert_", "_mode_")


@dataclass(frozen=True)
class Named:
    """A place that names a class.

    Attributes:
        key: Of the mapping, such as ``model`` or ``model.layers.0``.
        section: The section if the place is the section's own, else empty.
        content: The mapping.
    """

    key: str
    section: str
    content: dict[str, Any]


def named_in(values: Mapping[str, Any]) -> Iterator[Named]:
    """Every place of a card that names a class, at any depth, also in lists."""
    yield from _named_in(values, "")


def _named_in(value: Any, key: str) -> Iterator[Named]:
    if isinstance(value, dict) and TARGET in value and key:
        yield Named(key, section_of(key), value)
    items: Any = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, below in items:
        yield from _named_in(below, f"{key}.{name}" if key else str(name))


def section_of(key: str) -> str:
    """The section whose class a key names; empty if it names an argument."""
    above, _, _ = key.rpartition(".")
    return key if key in LIBRARIES else above if above == "trainer.callbacks" else ""


def refuse(target: object, section: str) -> None:
    """Look at a name before anything is imported.

    Args:
        target: What stands at ``_target_``.
        section: As ``section_of`` gives it.

    Raises:
        RefusedError: If a card may not name it there.
    """
    if not isinstance(target, str):
        raise RefusedError(f"must name a class, as package.module.Class, not {target!r}")
    if trust.PACKAGE.fullmatch(target) is None or "." not in target:
        raise RefusedError(f"{target!r} is no name of a class, such as package.module.Class")
    module, _, name = target.rpartition(".")
    if section == "trainer.callbacks" and module == LIBRARIES[section] and name in ELSEWHERE:
        raise RefusedError(
            f"{name} has no use here",
            f"Set it with {advise(AVERAGE) if ELSEWHERE[name] == AVERAGE else ELSEWHERE[name]}.",
        )
    if not (target in allowed(section) or trust.is_trusted(target)):
        near = nearest(target, allowed(section))
        ignored = passed_over()
        how = f"{trust.how_to_trust()} {ignored}".rstrip()
        hint = f"Did you mean {' or '.join(near)}?" if near else how
        raise RefusedError(f"the class {target!r} is not allowed", hint)


def allowed(section: str) -> list[str]:
    """What a place may name without anyone's trust: a section its own, an argument all that are known."""
    if not section:
        return [*shipped_targets(), *thirdparty.names()]
    module = LIBRARIES.get(section) or "none"
    found = [name for name in thirdparty.names() if name.rpartition(".")[0] == module]
    return [*section_targets(section), *(name for name in found if name.rpartition(".")[2] not in ELSEWHERE)]


def resolve(target: str, section: str = "") -> Any:
    """The class or function that a name leads to.

    Args:
        target: The name.
        section: As ``section_of`` gives it.

    Raises:
        RefusedError: If a card may not name it, or it is not what the section needs.
    """
    refuse(target, section)
    if target not in shipped_targets() and not thirdparty.known(target):
        found = trust.resolve(target)
        _check_made(found, target, section)
        return found
    module, _, name = target.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    qualified = f"{found.__module__}.{found.__qualname__}"
    expected = thirdparty.entry(target)["bases"][0] if thirdparty.known(target) else target
    if not isinstance(found, type) or (target not in shipped_targets() and qualified != expected):
        raise RefusedError(f"{target!r} is {qualified} here, and was {expected} when it was allowed")
    return found


def _check_made(found: Any, target: str, section: str) -> None:
    """Whether a class of the user's own is what the section needs; what a function makes is seen when it is called."""
    if not isinstance(found, type):
        return
    bases = {f"{base.__module__}.{base.__qualname__}" for base in found.__mro__}
    if section in BASES and BASES[section] not in bases:
        raise RefusedError(f"{target!r} is no {BASES[section]}")
    if uncalled := find_uncalled(found, section):
        raise RefusedError(f"{target!r} {uncalled[0]}", uncalled[1])
    # Not hasattr: every class can be called, to make an object.
    if section in METHODS and not any(METHODS[section] in vars(base) for base in found.__mro__):
        raise RefusedError(f"{target!r} has no method {METHODS[section]!r}")


def named(part: Part, section: str = "") -> Any:
    """The section's class."""
    return resolve(part.target_class, section)


def build(part: Part, *positional: Any, section: str = "", **more: Any) -> Any:
    """Call the section's class with the section's arguments, and with those that only the caller knows.

    Args:
        part: The section.
        positional: Arguments that come first.
        section: Its name, such as ``model``.
        more: Further arguments; a class of the user's own gets those that it takes.
    """
    call = named(part, section)
    if not isinstance(part, OwnPart):
        return call(*positional, **part.arguments(), **more)
    known = part.target_class if thirdparty.known(part.target_class) else call
    arguments = {name: made(value) for name, value in converted(known, part.arguments(), own).items()}
    given = {name: value for name, value in more.items() if name in accepts(known)}
    try:
        return call(*positional, *arguments.pop("_args_", ()), **arguments, **given)
    except RuncardError:
        raise
    except Exception as error:  # it is not our code, which may fail in any way
        message = f"{part.target_class} cannot be made: {trust.said(error)}"
        raise CardError([Mistake(section or TARGET, message)]) from error


def own(target: str) -> Any:
    """The user's class of this name; None if it is one of the table."""
    return None if thirdparty.known(target) else resolve(target)


def made(value: Any) -> Any:
    """A value in which every mapping that names a class has become an object of it."""
    if type(value) in (list, tuple):  # a named tuple has none, for its items are judged as plain values
        return type(value)(made(item) for item in value)
    if not isinstance(value, dict):
        return value
    content = {name: made(item) for name, item in value.items()}
    if TARGET not in content:
        return content
    call: Callable[..., Any] = resolve(content.pop(TARGET))
    return call(*content.pop("_args_", ()), **content)
