"""Interpolations filled in, ``${data.path}`` and ``${oc.env:NAME}``: read by OmegaConf's grammar, evaluated here.

OmegaConf stops at the first that is wrong, calls any resolver that somebody has registered, and writes out a hundred
bytes of references as gigabytes. Here each value is made once, only three resolvers are known, and what comes out has
a size. What was read from the environment may be a secret: such a value is noted, so that no file ever holds it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf._utils import split_key
from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar_parser import parse
from omegaconf.grammar_visitor import GrammarVisitor

from runcard.card.origins import Origins, place_of
from runcard.card.spelling import nearest
from runcard.errors import CardError, Mistake
from runcard.hiding import note
from runcard.leaves import flatten
from runcard.yamltext import MAX_VALUES, YamlError, parse_yaml

MISSING = "???"
MAX_TEXT = 10_000
MAX_REFERENCES = 2_000
# Of references to references; and of brackets in one text, which the grammar goes down one by one.
MAX_DEPTH = 40

Path = tuple[str | int, ...]
Secrets = dict[Path, str]


@dataclass(frozen=True)
class Filled:
    """Values with their interpolations filled in.

    Attributes:
        values: The values; one that could not be made is ``???``.
        secrets: Path → the text as it was written, for each value that holds something of the environment.
        mistakes: What could not be filled in.
    """

    values: dict[str, Any]
    secrets: Secrets = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def fill_in(tree: Mapping[str, Any], origins: Origins) -> Filled:
    """Fill in every interpolation of nested plain values.

    Args:
        tree: As composed.
        origins: Where each value came from.

    Raises:
        CardError: If what comes out is too large.
    """
    filling = _Filling(tree)
    try:
        filled = Filled(filling.whole(tree, ()).value)
    except _WrongError as error:
        raise CardError(f"the card {error}") from None
    for path, made in filling.made.items():
        key = ".".join(map(str, path))
        if made.problem:
            filled.mistakes.append(Mistake(key, made.problem, place_of(origins, key), made.hint))
        elif made.secret:
            filled.secrets[path] = str(_at(tree, path))
    return filled


def literal(text: str) -> str:
    """A text that ``fill_in`` makes into this one."""
    return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + "\\${", text)


def escaped(value: Any, keep: Container[Path] = (), path: Path = ()) -> Any:
    """Nested values that ``fill_in`` makes into these.

    Args:
        value: The values.
        keep: Paths whose texts are references and stay so.
        path: Of ``value``.
    """
    if isinstance(value, dict):
        return {name: escaped(item, keep, (*path, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [escaped(item, keep, (*path, place)) for place, item in enumerate(value)]
    return literal(value) if is_open(value) and path not in keep else value


def put(tree: Any, path: Path, value: Any) -> None:
    """Write a value at a path of nested values, if there is such a place."""
    *above, last = path
    try:
        place = _at(tree, tuple(above))
        _at(place, (last,))
    except LookupError:
        return
    place[last] = value


def is_open(value: object) -> bool:
    """Whether there is something to fill in, or to undo, in a value."""
    return isinstance(value, str) and "${" in value


def unreadable(text: str) -> str:
    """Why OmegaConf's grammar cannot read a text with references; empty if it can."""
    if len(text) > MAX_TEXT or text.count("{") > MAX_DEPTH:
        return "holds references that are too long or too deep"
    try:
        parse(text)
    except (OmegaConfBaseException, RecursionError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    return ""


class _WrongError(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True)
class _Made:
    value: Any
    size: int = 1
    secret: bool = False
    problem: str = ""
    hint: str = ""


class _Filling:
    """Makes each value when it is first asked for."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.made: dict[Path, _Made] = {}
        self.under_way: list[Path] = []
        self.asked = 0

    def whole(self, value: Any, path: Path) -> _Made:
        """A value with all below it."""
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            parts = {key: self.whole(item, (*path, key)) for key, item in items}
            size, secret = 1 + sum(part.size for part in parts.values()), any(part.secret for part in parts.values())
            if size > MAX_VALUES:
                raise _WrongError(f"refers to what stands for more than {MAX_VALUES:,} values")
            made = [part.value for part in parts.values()]
            return _Made(made if isinstance(value, list) else dict(zip(parts, made, strict=True)), size, secret)
        return self.leaf(value, path) if is_open(value) else _Made(value)

    def leaf(self, text: str, path: Path) -> _Made:
        """A text with references."""
        if path not in self.made:
            if path in self.under_way:
                circle = " → ".join(".".join(map(str, one)) for one in [*self.under_way, path])
                raise _WrongError(f"refers to itself: {circle}")
            self.under_way.append(path)
            try:
                self.made[path] = self._evaluated(text, path)
            except _WrongError as error:
                self.made[path] = _Made(MISSING, problem=str(error), hint=error.hint)
            finally:
                self.under_way.pop()
        return self.made[path]

    def _evaluated(self, text: str, path: Path) -> _Made:
        wrong = unreadable(text)
        if wrong or len(self.under_way) > MAX_DEPTH:
            raise _WrongError(wrong or "holds references to references that are too deep")
        self.asked += 1
        if self.asked > MAX_REFERENCES:
            raise _WrongError(f"is one of more than {MAX_REFERENCES:,} references")
        seen: list[_Made] = []
        visitor = GrammarVisitor(
            lambda key, _: self._noted(self._referred(key, path), seen),
            lambda name, args, args_str: self._noted(self._resolved(name, args, path), seen),
            None,
        )
        try:
            value = visitor.visit(parse(text))
        except (OmegaConfBaseException, RecursionError) as error:
            raise _WrongError(f"cannot be read: {str(error).splitlines()[0]}") from None
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise _WrongError(f"refers to what stands for more than {MAX_TEXT:,} characters")
        missing = any(part.value == MISSING for part in seen)
        if any(part.secret for part in seen):
            note(value, text)
        size = sum(part.size for part in seen) + (len(value) // 100 if isinstance(value, str) else 0)
        return _Made(MISSING if missing else value, size, any(part.secret for part in seen))

    @staticmethod
    def _noted(made: _Made, seen: list[_Made]) -> Any:
        seen.append(made)
        return made.value

    def _referred(self, key: str, path: Path) -> _Made:
        target = self._absolute(key, path)
        if path[: len(target)] == target:
            raise _WrongError(f"refers to itself, or to what it is a part of: {key}")
        try:
            made = self._found(target)
        except LookupError:
            near = nearest(key, flatten(dict(self.tree)))
            hint = f"Did you mean {' or '.join(near)}?" if near else ""
            raise _WrongError(f"refers to {key!r}, which there is not", hint) from None
        if made.problem:
            raise _WrongError(f"refers to {key!r}, which cannot be filled in")
        return made

    def _found(self, target: Path) -> _Made:
        """What stands at a place, be it behind a reference.

        Raises:
            LookupError: If there is no such place.
        """
        value: Any = self.tree
        for depth, part in enumerate(target):
            if is_open(value):
                made = self.leaf(value, target[:depth])
                return replace(made, value=made.value if made.problem else _at(made.value, target[depth:]))
            value = _at(value, (part,))
        return self.whole(value, target)

    def _absolute(self, key: str, path: Path) -> Path:
        dots = len(key) - len(key.lstrip("."))
        parts: Path = tuple(split_key(key[dots:]))
        if not dots:
            return parts
        if dots > len(path):
            raise _WrongError(f"refers to {key!r}, which is above the card")
        return (*path[: len(path) - dots], *parts)

    def _resolved(self, name: str, args: tuple[Any, ...], path: Path) -> _Made:
        known: dict[str, Callable[..., _Made]] = {
            "oc.env": self._environment,
            "oc.decode": self._decoded,
            "oc.select": lambda *args: self._selected(path, *args),
        }
        if name not in known:
            listed = ", ".join(f"${{{one}:...}}" for one in known)
            raise _WrongError(f"calls {name!r}, which a card cannot", f"There are: {listed}.")
        try:
            return known[name](*args)
        except (TypeError, AttributeError):
            raise _WrongError(f"gives {name} {len(args)} arguments") from None

    @staticmethod
    def _environment(name: object, default: object = MISSING) -> _Made:
        found = os.environ.get(str(name))
        if found is not None:
            note(found, f"${{oc.env:{name}}}")
            return _Made(found, secret=True)
        if default == MISSING:
            hint = f"Set it, or write a default: ${{oc.env:{name},DEFAULT}}."
            raise _WrongError(f"the environment variable {name} is not set", hint)
        return _Made(None if default is None else str(default))

    @staticmethod
    def _decoded(text: object) -> _Made:
        try:
            return _Made(parse_yaml(text) if isinstance(text, str) else text)
        except YamlError as error:
            raise _WrongError(f"cannot be read as a value: {error}") from None

    def _selected(self, path: Path, key: str, default: Any = None) -> _Made:
        try:
            return self._found(self._absolute(key, path))
        except LookupError:
            return _Made(default)


def _at(tree: Any, path: Path) -> Any:
    """What stands below a value.

    Raises:
        LookupError: If nothing does.
    """
    for part in path:
        if isinstance(tree, list) and str(part).isascii() and str(part).isdecimal():
            tree = tree[int(part)]
        elif isinstance(tree, dict):
            tree = tree[part]
        else:
            raise LookupError(part)
    return tree
