"""Where each value of a card came from: file and line, or override."""

from __future__ import annotations

from pathlib import Path

import yaml

Origins = dict[str, str]


def mark_file(origins: Origins, path: Path, node: yaml.Node, package: str = "") -> None:
    """Note the line of every key of one YAML file; what was noted before gives way.

    Args:
        origins: Dotted key → place; changed here.
        path: The file.
        node: Its content.
        package: The dotted key below which the content stands; empty for the root.
    """
    if package:
        origins[package] = shown(path)
    _mark(origins, node, package, shown(path))


def mark_override(origins: Origins, key: str, text: str) -> None:
    """Note that an override set a key and all below it."""
    _forget_below(origins, key)
    origins[key] = f"override {text}"


def place_of(origins: Origins, key: str) -> str:
    """The place of a key, or else of the first key below it, or else of the nearest section above; may be empty."""
    if key not in origins:
        key = next((name for name in origins if name.startswith(f"{key}.")), key)
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, "")


def _mark(origins: Origins, node: yaml.Node | None, prefix: str, file: str) -> None:
    for key, value in _children(node):
        if not prefix and key.value in ("defaults", "hydra"):
            continue
        name = f"{prefix}.{key.value}" if prefix else key.value
        if not isinstance(value, yaml.MappingNode) or name not in origins:
            _forget_below(origins, name)
            origins[name] = f"{file}:{_line(key)}"
        if isinstance(value, yaml.SequenceNode):
            _mark_items(origins, value, name, file)
        else:
            _mark(origins, value, name, file)


def _mark_items(origins: Origins, node: yaml.SequenceNode, name: str, file: str) -> None:
    for place, item in enumerate(node.value):
        if isinstance(item, yaml.MappingNode) or _line(item) != _line(node):
            origins[f"{name}.{place}"] = f"{file}:{_line(item)}"
        _mark(origins, item, f"{name}.{place}", file)


def _children(node: yaml.Node | None) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [(key, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)]


def _forget_below(origins: Origins, key: str) -> None:
    for old in [name for name in origins if name.startswith(f"{key}.")]:
        del origins[old]


def _line(node: yaml.Node) -> int:
    assert node.start_mark is not None
    return node.start_mark.line + 1


def shown(path: Path) -> str:
    """Relative to the working directory when below it, as an editor or a shell would open it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
