"""Where the source gives advice, and texts in it that look like advice and did not go through ``advise``."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "runcard"
OVERRIDE = r"(?<![\w/?&{.$-])[a-z_]+(\.[a-z_{}]+)*=(?!=)|\{\}=[A-Z]|\b[A-Z]{2,}="
COMMAND = r"\b(runcard|pip|bentoml|docker|kubectl) [a-z-]+"
LOOKS_TYPED = re.compile(rf"{OVERRIDE}|{COMMAND}|(?<!\S)--[a-z][a-z-]+")
OPTION = re.compile(r"--[a-z-]+=?")
# The option that a mistake is about begins its message.
ABOUT = re.compile(r"--[a-z-]+( \{[^}]*\})?: ")
# What makes words for ``advise``, and itself.
MAKES_WORDS = {"advise", "write_override", "write_setting", "write_settings"}

Place = tuple[str, int, int]


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@functools.cache
def sites() -> dict[Place, str]:
    """File, line and column of each call of ``advise`` → its name: the module and what it is given.

    One that another of the same module equals has its number behind it.
    """
    found: dict[Place, str] = {}
    for path in files():
        seen: Counter[str] = Counter()
        for call in _calls(tree_of(path)):
            name = f"{module_of(path)}: {' '.join(map(_shown, call.args))}"
            seen[name] += 1
            number = f" ({seen[name]})" if seen[name] > 1 else ""
            found[str(path), call.lineno, call.col_offset] = name + number
    return found


def _calls(tree: ast.Module) -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "advise"]
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _shown(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def given_without_call() -> list[str]:
    """Where ``advise`` stands and is not called at once: such a place has no name."""
    found = []
    for path in files():
        called = {id(call.func) for call in _calls(tree_of(path))}
        names = [node for node in ast.walk(tree_of(path)) if _name(node) == "advise" and id(node) not in called]
        found += [f"{module_of(path)}: {node.lineno}" for node in names if isinstance(node, ast.Name)]
    return found


def given_on_import() -> list[str]:
    """Where ``advise`` is called while a module is imported."""
    found = []
    for path in files():
        outside = [node for node in _within(tree_of(path), ast.FunctionDef | ast.Lambda) if _is_advice(node)]
        found += [f"{module_of(path)}: {ast.unparse(node)}" for node in outside]
    return found


def _is_advice(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "advise"


def _within(node: ast.AST, but: type | object) -> Iterator[ast.AST]:
    for below in ast.iter_child_nodes(node):
        if not isinstance(below, but):  # type: ignore[arg-type]
            yield below
            yield from _within(below, but)


def loose() -> dict[str, list[str]]:
    """Module → the texts in it that look typed and went through no function that makes advice."""
    found = {module_of(path): list(_loose(tree_of(path), False)) for path in files()}
    return {module: texts for module, texts in found.items() if texts}


def _loose(node: ast.AST, made: bool) -> Iterator[str]:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        text = _text(node)
        if not made and looks_typed(text):
            yield text
        parts = node.values if isinstance(node, ast.JoinedStr) and not made else []
        for part in parts:
            yield from _loose(part, made) if isinstance(part, ast.FormattedValue) else ()
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    made = isinstance(node, ast.Call) and _name(node.func) in MAKES_WORDS
    for below in ast.iter_child_nodes(node):
        yield from _loose(below, made)


def looks_typed(text: str) -> bool:
    """Whether a text of the source holds what a user might type; an option alone is a word of a program."""
    if OPTION.fullmatch(text):
        return False
    return LOOKS_TYPED.search(ABOUT.sub("", text, count=1) if ABOUT.match(text) else text) is not None


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return "{}"
