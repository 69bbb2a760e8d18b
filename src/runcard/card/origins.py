"""Where each value of a card came from: file and line, or override."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runcard.errors import RunError
from runcard.files import read_json
from runcard.leaves import flatten
from runcard.runs import RunFolder

Origins = dict[str, str]
# What a place that is no file begins with.
OVERRIDE, SETTLED, MADE, DEFAULT = "override ", "settled, ", "made of ", "default of "


def mark_file(origins: Origins, path: Path, node: yaml.Node, package: str = "") -> None:
    """Note the line of every key of one YAML file; what was noted before gives way.

    Args:
        origins: Dotted key → place; changed here.
        path: The file.
        node: Its content.
        package: The dotted key below which the content stands; empty for the root.
    """
    if package:
        origins[package] = shown_file(path)
    _mark(origins, node, package, shown_file(path))


def first_places(origins: Origins, saved: Path) -> Origins:
    """The places where those that are lines of a saved card say what a run noted beside it, when it wrote the card.

    Args:
        origins: Dotted key → place.
        saved: The file of the card; what was edited since is no longer what the run noted, so its lines stay.
    """
    noted, lines = _noted(saved), f"{shown_file(saved)}:"
    first = {key: leaf_place(noted, key) for key, place in origins.items() if place.startswith(lines)}
    return origins | {key: place for key, place in first.items() if place}


def mark_override(origins: Origins, key: str, text: str, merged: Mapping[str, Any] | None = None) -> None:
    """Note what an override set.

    Args:
        origins: Dotted key → place; changed here.
        key: The dotted key that was typed.
        text: The override as it was typed.
        merged: The mapping that was laid over one that was there, so that its keys alone were set; None: all was.
    """
    place = f"{OVERRIDE}{text}"
    for name in [key] if merged is None else [f"{key}.{leaf}" for leaf in flatten(dict(merged))]:
        _set_whole(origins, name, place)
    if "." in key:  # a group's own place stays the file that was chosen
        origins[key] = place


def mark_settled(origins: Origins, key: str, before: object = None, after: object = None) -> None:
    """Note that a value was found in place of what stood there, such as ``auto``.

    Args:
        origins: Dotted key → place; changed here.
        key: The dotted key.
        before: What stood there.
        after: What was found; of a mapping in place of a mapping, the keys that are not as they were are marked alone.
    """
    place = leaf_place(origins, key)
    place = place if place.startswith(SETTLED) else f"{SETTLED}{place}"
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        origins |= {f"{key}.{name}": place for name, value in after.items() if before.get(name) != value}
    else:
        _set_whole(origins, key, place)


def place_of(origins: Origins, key: str) -> str:
    """The place of a key, or else of the first key below it, or else of the nearest section above; may be empty."""
    if key not in origins:
        below = [name for name in origins if name.startswith(f"{key}.")]
        typed = [name for name in below if origins[name].startswith(OVERRIDE)]
        key = next(iter(typed or below), key)
    return leaf_place(origins, key)


def leaf_place(origins: Origins, key: str) -> str:
    """The place of a key, or else of the nearest section above, which was set whole; may be empty."""
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, "")


def complete(origins: Origins, values: dict[str, Any]) -> Origins:
    """The places with one for every value of a card, and none for the items of its lists."""
    leaves = flatten(values)
    kept = {key: place for key, place in origins.items() if not any(above in leaves for above in _above(key))}
    return kept | {key: leaf_place(origins, key) for key in leaves}


def _above(key: str) -> Iterator[str]:
    return (key[:place] for place, letter in enumerate(key) if letter == ".")


def _noted(saved: Path) -> Origins:
    run = RunFolder(saved.parent)
    try:
        if saved.name != run.card.name or saved.stat().st_mtime_ns > run.origin.stat().st_mtime_ns:
            return {}
        return {key: place for key, place in read_json(run.origin).items() if isinstance(place, str)}
    except (OSError, RunError):
        return {}


def _set_whole(origins: Origins, key: str, place: str) -> None:
    for below in [name for name in origins if name.startswith(f"{key}.")]:
        del origins[below]
    origins[key] = place


def _mark(origins: Origins, node: yaml.Node | None, prefix: str, file: str) -> None:
    for key, value in _children(node):
        if not prefix and key.value in ("defaults", "hydra"):
            continue
        name = f"{prefix}.{key.value}" if prefix else key.value
        # A mapping that is laid over a section changes some of its keys; over one value, it takes its place.
        if not isinstance(value, yaml.MappingNode) or not any(one.startswith(f"{name}.") for one in origins):
            _set_whole(origins, name, f"{file}:{_line(key)}")
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


def _line(node: yaml.Node) -> int:
    assert node.start_mark is not None
    return node.start_mark.line + 1


def shown_file(path: Path) -> str:
    """Relative to the working directory when below it, as an editor or a shell would open it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
