"""Files of groups laid over each other, in the order that Hydra's defaults list says.

Hydra itself would evaluate a reference on the way, where a mapping is laid over one, with any resolver that somebody
has registered. So it only says which files, in which order, and their content is that which was looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.default_element import ResultDefault

from runcard.card.defaults import GroupFile
from runcard.card.origins import Origins, mark_file


def merge_files(
    defaults: Iterable[ResultDefault], files: Mapping[str, GroupFile]
) -> tuple[dict[str, Any], Origins, str | None]:
    """The card's values, the place of each, and ``hydra.mode`` if a file says it.

    Args:
        defaults: Hydra's defaults list.
        files: All files of groups, by name.
    """
    tree: dict[str, Any] = {}
    origins: Origins = {}
    mode = None
    for default in defaults:
        if default.config_path is None or default.config_path.startswith("hydra/"):
            continue
        file, package = files[default.config_path], default.package or ""
        content = copy.deepcopy(file.values)
        content.pop("defaults", None)
        if not package:
            mode = (content.pop("hydra", None) or {}).get("mode", mode)
        for name in reversed(package.split(".") if package else []):
            content = {name: content}
        tree = laid_over(tree, content)
        mark_file(origins, file.path, file.node, package)
    return tree, origins, mode


def laid_over(old: Any, new: Any) -> Any:
    """A value over another: a mapping into a mapping, all else in its place."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: laid_over(old.get(key), value) for key, value in new.items()}
