"""Whom the owner trusts: packages whose classes a card may name, and how a class of theirs is found.

A card comes from anywhere; what it names runs. So a package is trusted in a place that no card can reach: in the
project's ``pyproject.toml``, with ``--trust``, or in the variable ``RUNCARD_TRUST`` by which a process tells those that
it starts.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from runcard.advice import advise
from runcard.card import project, pyproject
from runcard.card.spelling import nearest
from runcard.errors import CardError
from runcard.owner import not_ours, not_ours_in

VARIABLE = "RUNCARD_TRUST"
# Where they are looked for, told to a process that works in another folder.
PLACE = "RUNCARD_TRUST_IN"
PACKAGE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_used: dict[str, None] = {}


class RefusedError(Exception):
    """A name that a card may not use, or that leads to nothing."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


def trusted() -> tuple[str, ...]:
    """The packages that are trusted here.

    Raises:
        CardError: If one of them cannot be.
    """
    said = [word for word in os.environ.get(VARIABLE, "").split(",") if word]
    packages = tuple(dict.fromkeys([*project.find().trust, *said]))
    for package in packages:
        if not PACKAGE.fullmatch(package):
            raise CardError(f"trust: {package!r} is no name of a package")
        if package.partition(".")[0] in sys.stdlib_module_names:
            raise CardError(f"trust: {package!r} is a part of Python, with all that it can do; trust your own packages")
    return packages


@contextlib.contextmanager
def trusting(packages: Iterable[str]) -> Iterator[None]:
    """Trust more packages, here and in the processes that are started meanwhile."""
    before = os.environ.get(VARIABLE)
    more = [*filter(None, [before]), *packages]
    if more:
        os.environ[VARIABLE] = ",".join(more)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def passed_on() -> dict[str, str]:
    """Variables by which a process that works in another folder trusts what is trusted here."""
    packages = ",".join(trusted())
    return {VARIABLE: packages, PLACE: str(_root())} if packages else {}


def _root() -> Path:
    return Path(os.environ.get(PLACE) or project.find().root)


def is_trusted(name: str) -> bool:
    """Whether a dotted name lies in a package that is trusted."""
    return _lies_in(name, trusted())


def _lies_in(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def resolve(target: str) -> Any:
    """The class or function of a trusted package; imports its module.

    Args:
        target: A dotted name for which ``is_trusted`` holds.

    Raises:
        RefusedError: If it leads to nothing, or to what was made elsewhere and has only an alias here.
    """
    root = _root()
    _Finder.places = {package.partition(".")[0]: [str(root / "src"), str(root)] for package in trusted()}
    _check_owner(target.partition(".")[0])
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    found = _walk(target)
    if not isinstance(found, type | FunctionType):
        raise RefusedError(f"{target!r} is neither a class nor a function, but a {type(found).__name__}")
    _used[target] = None
    if not is_trusted(found.__module__):
        made = f"{found.__module__}.{found.__qualname__}"
        raise RefusedError(f"{target!r} is an alias of {made}, which is not of a trusted package", how_to_trust())
    return found


def _check_owner(package: str) -> None:
    """Look whose a package of the project is, before it is imported.

    Raises:
        RefusedError: If a part of it, or of the way to it, is another user's.
    """
    spec = None if package in sys.modules else PathFinder.find_spec(package, _Finder.places.get(package, []))
    if spec is None or package not in _Finder.places:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    places = [*folders, *([Path(spec.origin)] if spec.origin else [])]
    theirs = next(filter(None, (*map(not_ours, places), *map(not_ours_in, folders))), None)
    if theirs is not None:
        raise RefusedError(f"{theirs} belongs to another user, and so {package!r} is not imported")


def how_to_trust() -> str:
    """What to do for a package of one's own."""
    settings = f'trust = ["PACKAGE"] below [tool.runcard] in {pyproject.FILE}'
    return f"Trust a package of your own with {advise('--trust', 'PACKAGE')}, or with {settings}."


def _walk(target: str) -> Any:
    first, *rest = target.split(".")
    found: Any = _imported(first)
    if found is None:
        raise RefusedError(f"there is no package {first!r}", f"It is looked for in {_root()} and its src/.")
    name = first
    for part in rest:
        name = f"{name}.{part}"
        inner = _imported(name) if hasattr(found, "__path__") else None
        if inner is None and not hasattr(found, part):
            near = nearest(part, [one for one in (*dir(found), *_modules(found)) if not one.startswith("_")])
            hint = f"Did you mean {' or '.join(near)}?" if near else ""
            raise RefusedError(f"{target!r} leads to nothing: {name.rpartition('.')[0]} has no {part!r}", hint)
        found = getattr(found, part) if inner is None else inner
        if isinstance(found, ModuleType) and found.__name__ != name:
            raise RefusedError(f"{target!r} goes through {name}, an alias of the module {found.__name__}")
    return found


def _modules(package: Any) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(getattr(package, "__path__", []))]


def _imported(name: str) -> ModuleType | None:
    """A module; None if there is none of this name.

    Raises:
        RefusedError: If it fails while it is imported.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise RefusedError(f"importing {name} failed: {said(error)}") from error
    except (Exception, SystemExit) as error:  # it is the user's code, which may fail in any way
        raise RefusedError(f"importing {name} failed: {said(error)}") from error


def used() -> list[str]:
    """The classes of trusted packages that were asked for in this process, in order."""
    return list(_used)


def forget() -> None:
    """Let ``used`` begin anew."""
    _used.clear()


def blamed(error: BaseException) -> str:
    """The module of a trusted package in which an error was raised, or that led to it last; empty if none did."""
    names = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = trusted()
    return next((name for name in reversed(names) if _lies_in(name, packages)), "")


def said(error: BaseException) -> str:
    """What an error in the user's code says, with the last line of that code that led to it."""
    mine = str(Path(__file__).parents[2])
    lines = [line for line in traceback.extract_tb(error.__traceback__) if not line.filename.startswith(("<", mine))]
    # Not the libraries, be they Python's own: the line of the user's that led there.
    theirs = [line for line in lines if not line.filename.startswith((sys.base_prefix, sys.prefix))] or lines
    place = f" ({theirs[-1].filename}:{theirs[-1].lineno})" if theirs else ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({error.filename}:{error.lineno})"
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"


class _Finder(MetaPathFinder):
    """Finds trusted packages, and only these, in the project's folder, which need not be on Python's path."""

    places: dict[str, list[str]] = {}  # noqa: RUF012  # of the project that was last asked for

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As importlib asks for it."""
        return PathFinder.find_spec(fullname, cls.places[fullname]) if fullname in cls.places and path is None else None

    @classmethod
    def invalidate_caches(cls) -> None:
        """As importlib asks for it, of the class that stands among the finders; there is nothing kept."""
