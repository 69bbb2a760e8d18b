"""Where each value of a card came from: file and line, or override."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

Origins = dict[str, str]


def mark_file(origins: Origins, folders: Sequence[Path], config_path: str, package: str) -> None:
    """Note the line of every key of one YAML file; what was noted before gives way.

    Args:
        origins: Dotted key → place; changed here.
        folders: Where the file may lie; the first that has it counts, as for Hydra.
        config_path: The file below its folder, without ``.yaml``, such as ``model/mlp``.
        package: The dotted key below which the file's content stands; empty for the root.
    """
    for folder in folders:
        path = folder / f"{config_path}.yaml"
        if path.is_file():
            if package:
                origins[package] = _shown(path)
            mark_text(origins, path.read_text(encoding="utf-8"), path, package)
            return


def mark_text(origins: Origins, text: str, path: Path, package: str) -> None:
    """Note the line of every key in the text of one file; see ``mark_file``."""
    _mark(origins, yaml.compose(text, Loader=yaml.SafeLoader), package, _shown(path))


def mark_override(origins: Origins, key: str, text: str) -> None:
    """Note that an override set a key and all below it."""
    for old in [name for name in origins if name.startswith(f"{key}.")]:
        del origins[old]
    origins[key] = f"override {text}"


def place_of(origins: Origins, key: str) -> str:
    """The place of a key, or else of the first key below it, or else of the nearest section above; may be empty."""
    if key not in origins:
        key = next((name for name in origins if name.startswith(f"{key}.")), key)
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, "")


def _mark(origins: Origins, node: yaml.Node | None, prefix: str, file: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or (not prefix and key.value in ("defaults", "hydra")):
            continue
        name = f"{prefix}.{key.value}" if prefix else key.value
        if not isinstance(value, yaml.MappingNode) or name not in origins:
            origins[name] = f"{file}:{key.start_mark.line + 1}"
        _mark(origins, value, name, file)


def _shown(path: Path) -> str:
    """Relative to the working directory when below it, as an editor or a shell would open it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
