"""The third-party classes that a card may name, and what their constructors take, without importing them.

``scripts/arguments.py`` makes the table beside this file from the installed libraries.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import Field

_FILE = Path(__file__).with_name("arguments.json")
# The table's words for types that have no brackets.
_WORDS: dict[str, Any] = {
    "any": Any,
    "bool": bool,
    "str": str,
    "int": int,
    "count": Annotated[int, Field(ge=1)],
    "several": Annotated[int, Field(ge=2)],
    "float": float,
    "positive": Annotated[float, Field(gt=0)],
    "nonnegative": Annotated[float, Field(ge=0)],
    "probability": Annotated[float, Field(ge=0, le=1)],
    "share": Annotated[float, Field(ge=0, lt=1)],
}
_CONTAINERS: dict[str, Any] = {"list": list, "tuple": tuple, "dict": dict}


@dataclass(frozen=True)
class Instance:
    """In an annotation: an object of the class of this name, which nobody imports to judge a card."""

    qualified: str


def known(target: str) -> bool:
    """Whether a card may name this class."""
    return target in _table() and not _table()[target].get("abstract")


@cache
def names() -> tuple[str, ...]:
    """All classes that a card may name."""
    return tuple(name for name in _table() if known(name))


def entry(name: str) -> dict[str, Any]:
    """What the table holds of a class: ``bases``, ``arguments`` and perhaps ``positional``.

    An argument has a ``type`` for ``annotation``, or null if no card can write it, and ``required`` or ``default``.

    Args:
        name: A public name, which may be that of a base that no card can name.
    """
    found: dict[str, Any] = _table()[name]
    return found


def public(qualified: str) -> str | None:
    """The public name of the class that has this name in its module; None if the table lacks it."""
    return _public_names().get(qualified)


@cache
def annotation(text: str) -> Any:
    """The table's words for a type as a type; a class becomes an ``Instance``."""
    return _typed(ast.parse(text, mode="eval").body)


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_FILE.read_bytes())
    return found


@cache
def _public_names() -> dict[str, str]:
    return {entry["bases"][0]: name for name, entry in _table().items()}


def _typed(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp):
        return Union[_typed(node.left), _typed(node.right)]  # noqa: UP007  # not known until it is read
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _WORDS[node.id]
    if isinstance(node, ast.Subscript):
        return _subscribed(ast.unparse(node.value), node.slice)
    return Annotated[Any, Instance(ast.unparse(node))]


def _subscribed(name: str, inside: ast.expr) -> Any:
    items = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        return Literal[tuple(ast.literal_eval(item) for item in items)]
    return _CONTAINERS[name][tuple(_typed(item) for item in items)]
