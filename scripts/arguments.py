"""Write the table of what the constructors of third-party classes take, from the installed libraries.

python -m scripts.arguments

Run it after a library's version has changed, or after ``scripts/allowed.py`` has.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import textwrap
import types
import typing
from abc import ABC
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple

import torch
from scripts.allowed import ABSTRACT, ALLOWED, CHOICES, CLOSED, PASSED_ON, POSITIONAL, RANGES, TYPES

FILE = Path(__file__).parents[1] / "src" / "runcard" / "card" / "naming" / "arguments.json"
PLAIN = {int: "int", float: "float", bool: "bool", str: "str", type(None): "None", Any: "any", Path: "str"}
LISTS = (list, Sequence, Iterable)
MAPPINGS = (dict, Mapping)
NO_BASES = (object, ABC, Generic)
# Names in annotations that the libraries import for type checkers alone.
UNSEEN = {"Iterable": Iterable, "Mapping": Mapping, "Callable": Callable, "Run": object, "RunDisabled": object}


class Argument(NamedTuple):
    """One parameter, with its annotation resolved; ``inspect.Parameter.empty`` where there is none."""

    annotation: Any
    default: Any


def main() -> None:
    """Write the table, a class a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(entry, allow_nan=False)}" for name, entry in table().items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(lines)} classes in {FILE}")


def table() -> dict[str, dict[str, Any]]:
    """Public name → the class's bases and arguments, as the file holds them."""
    entries = {name: _entry(found) for name, found in _classes(ALLOWED)}
    return entries | {name: _entry(found) | {"abstract": True} for name, found in _classes(ABSTRACT)}


def _classes(lists: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, type]]:
    for package, names in lists.items():
        module = importlib.import_module(package)
        yield from ((f"{package}.{name}", getattr(module, name)) for name in names)


def _entry(found: type) -> dict[str, Any]:
    arguments = {name: _said(found.__name__, name, argument) for name, argument in _arguments(found).items()}
    arguments |= {name: {"type": text} for name, text in PASSED_ON.get(found.__name__, {}).items()}
    bases = [f"{base.__module__}.{base.__qualname__}" for base in found.__mro__ if base not in NO_BASES]
    entry: dict[str, Any] = {"bases": bases, "arguments": arguments}
    return entry | ({"positional": POSITIONAL[found.__name__]} if found.__name__ in POSITIONAL else {})


def _said(owner: str, name: str, argument: Argument) -> dict[str, Any]:
    """What the table holds of an argument; ``type`` null: it cannot be written in a card."""
    text = None if _is_closed(owner, name) else _type(owner, name, argument)
    said: dict[str, Any] = {"type": text}
    if argument.default is inspect.Parameter.empty:
        return said | {"required": True}
    default = argument.default.value if isinstance(argument.default, Enum) else argument.default
    return said | ({"default": default} if text and _is_plain(default) else {})


def _is_closed(owner: str, name: str) -> bool:
    return name.startswith("_") or name in CLOSED or f"{owner}.{name}" in CLOSED


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def _type(owner: str, name: str, argument: Argument) -> str | None:
    choices = CHOICES.get(f"{owner}.{name}", CHOICES.get(name, ()))
    text = TYPES.get(f"{owner}.{name}", TYPES.get(name))
    if text is None:
        annotated = argument.annotation is not inspect.Parameter.empty
        text = _text(argument.annotation if annotated else type(argument.default), choices)
    if text in (None, "None"):
        return None
    text = _ranged(text, RANGES.get(f"{owner}.{name}", RANGES.get(name)))
    return f"{text} | None" if argument.default is None and "None" not in text.split(" | ") else text


def _ranged(text: str, word: str | None) -> str:
    return re.sub(r"\bint\b" if word in ("count", "several") else r"\bfloat\b", word, text) if word else text


def _text(annotation: Any, choices: Sequence[str]) -> str | None:
    """The annotation in the table's few words; None if no value of YAML can be one."""
    origin, options = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is str and choices:
        return f"Literal[{', '.join(map(repr, choices))}]"
    if annotation in PLAIN:
        return PLAIN[annotation]
    if origin is Literal and {True, False} <= {*options}:
        return " | ".join(["bool", *(f"Literal[{option!r}]" for option in options if not isinstance(option, bool))])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, options))}]"
    if origin in (typing.Union, types.UnionType):
        texts = [text for text in (_text(option, choices) for option in options) if text]
        return " | ".join(dict.fromkeys(texts)) or None
    if origin in (tuple, *LISTS, *MAPPINGS):
        return _container(origin, [_text(option, choices) for option in options if option is not ...], ... in options)
    return _class(annotation)


def _container(origin: Any, texts: Sequence[str | None], endless: bool) -> str | None:
    inner = ", ".join(text for text in texts if text)
    if not inner or None in texts:
        return None
    if origin is tuple:
        return f"tuple[{inner}{', ...' if endless else ''}]"
    return f"{'list' if origin in LISTS else 'dict'}[{inner}]"


def _class(annotation: Any) -> str | None:
    if annotation is torch.Size:
        return "list[int]"
    if isinstance(annotation, type) and issubclass(annotation, torch.nn.Module):
        return f"{annotation.__module__}.{annotation.__qualname__}"
    return None


def _arguments(found: type, after: type | None = None) -> dict[str, Argument]:
    """The constructor's named arguments, and those that it takes through ``**kwargs``.

    Args:
        found: The class.
        after: Look at the constructor of the classes behind this one; None: at the class's own.
    """
    order = found.__mro__[found.__mro__.index(after) + 1 if after else 0 :]
    owner = next(base for base in order if "__init__" in base.__dict__)
    if owner in (object, torch.nn.Module):  # whose constructor refuses every argument, though it is *args and **kwargs
        return {}
    constructor = owner.__dict__["__init__"]
    hints = typing.get_type_hints(constructor, localns=UNSEEN)
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    own = {
        item.name: Argument(hints.get(item.name, item.empty), item.default)
        for item in parameters
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    keywords = next((item.name for item in parameters if item.kind is item.VAR_KEYWORD), None)
    return {**own, **_followed(found, owner, keywords, own)} if keywords else own


def _followed(found: type, owner: type, keywords: str, own: Collection[str]) -> dict[str, Argument]:
    """What a constructor takes from its ``**kwargs`` and what it hands on to the next one."""
    source = textwrap.dedent(inspect.getsource(owner.__dict__["__init__"]))
    more: dict[str, Argument] = {}
    refused: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            more |= _taken(node, keywords)
            more |= {name: item for name, item in _handed_on(node, found, owner, keywords).items() if name not in more}
        elif isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise):
            refused |= _looked_for(node.test, keywords)
    return {name: item for name, item in more.items() if name not in refused and name not in own}


def _taken(call: ast.Call, keywords: str) -> dict[str, Argument]:
    """``kwargs.pop("name", default)``, or ``get``."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("pop", "get") or len(call.args) != 2:
        return {}
    if not isinstance(call.func.value, ast.Name) or call.func.value.id != keywords:
        return {}
    name, default = (ast.literal_eval(item) for item in call.args)
    return {name: Argument(inspect.Parameter.empty, default)}


def _handed_on(call: ast.Call, found: type, owner: type, keywords: str) -> dict[str, Argument]:
    """``super().__init__(..., **kwargs)``: the next constructor's arguments that this call does not give."""
    function = call.func
    if not any(item.arg is None and ast.unparse(item.value) == keywords for item in call.keywords):
        return {}
    if not (isinstance(function, ast.Attribute) and function.attr == "__init__"):
        return {}
    there = _arguments(found, _start(function.value, found, owner))
    given = set(list(there)[: sum(not isinstance(item, ast.Starred) for item in call.args)])
    given |= {item.arg for item in call.keywords if item.arg}
    return {name: item for name, item in there.items() if name not in given}


def _start(above: ast.expr, found: type, owner: type) -> type:
    """The class behind which ``super()``, or ``super(Class, self)``, looks."""
    named = ast.unparse(above.args[0]) if isinstance(above, ast.Call) and above.args else owner.__name__
    return next(base for base in found.__mro__ if base.__name__ == named)


def _looked_for(test: ast.expr, keywords: str) -> set[str]:
    """``"name" in kwargs``, of which the constructor complains."""
    if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.In)):
        return set()
    return {ast.literal_eval(test.left)} if ast.unparse(test.comparators[0]) == keywords else set()


if __name__ == "__main__":
    main()
