"""The flags that are Hydra's own, ``--cfg --info``: answered with its loader, and nothing else of it.

``hydra.main`` would call whatever the configuration names as callbacks, launcher or log handler. So Hydra composes the
groups, which are looked at before, and everything else happens here: values that were typed never reach it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.default_element import DefaultsTreeNode
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from runcard.card import project
from runcard.card.compose import compose_groups, divide, folders, group_choices, loader, searchpath
from runcard.card.groups import shipped_conf
from runcard.card.interpolate import fill_in, put
from runcard.card.overrides import Override, parse_sweep
from runcard.card.values import lay_over
from runcard.errors import CardError, Mistake
from runcard.yamltext import dump_yaml

INFOS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
OF_HYDRA = ("hydra_help", "help")


def show_config(overrides: Sequence[str], config_dir: str | None, what: str, *, resolve: bool) -> str:
    """The composed configuration as YAML.

    Args:
        overrides: As they were typed.
        config_dir: A folder with groups of the user's own.
        what: ``job``: the card; ``hydra``: Hydra's own part; ``all``: both.
        resolve: Whether the card's interpolations are filled in.

    Raises:
        CardError: If the groups cannot be composed, or an override cannot be read.
    """
    choices, values = _typed(overrides, config_dir)
    content: dict[str, Any] = {}
    if what in ("job", "all"):
        content = _card(choices, values, config_dir, resolve=resolve)
    if what in ("hydra", "all"):
        content["hydra"] = _of_hydra(choices, config_dir)
    return dump_yaml(content)


def show_info(overrides: Sequence[str], config_dir: str | None, what: str) -> str:
    """How the configuration is composed.

    Args:
        overrides: As they were typed.
        config_dir: A folder with groups of the user's own.
        what: One of ``INFOS``.

    Raises:
        CardError: If there is no such information, or the groups cannot be composed.
    """
    if what not in INFOS:
        raise CardError(f"--info {what}: there is no such information. There are: {', '.join(INFOS)}.")
    choices, values = _typed(overrides, config_dir)
    compose_groups(choices, config_dir, [])
    places = folders(config_dir)
    parts = {"searchpath": ["search path", *(f"  {folder}" for folder in places)]}
    with loader(places[0]) as loading:
        used = loading.compute_defaults_list("config", [searchpath(places), *choices], run_mode=RunMode.RUN)
        parts["plugins"] = ["plugins", *(f"  {name}" for name in sorted(Plugins.instance().class_name_to_class))]
        parts["defaults"] = ["defaults list", *(f"  {one.config_path}  @{one.package}" for one in used.defaults)]
        parts["defaults-tree"] = ["defaults tree", *_tree(used.defaults_tree, 1)]
    parts["config"] = ["config", *dump_yaml(_card(choices, values, config_dir, resolve=False)).splitlines()]
    chosen = parts if what == "all" else {what: parts[what]}
    return "\n\n".join("\n".join(lines) for lines in chosen.values())


def _typed(overrides: Sequence[str], config_dir: str | None) -> tuple[list[str], list[Override]]:
    mistakes: list[Mistake] = []
    parsed, _ = parse_sweep(project.find().words(overrides), mistakes)
    choices, values = divide(parsed, group_choices(config_dir), mistakes)
    if mistakes:
        raise CardError(mistakes)
    return choices, values


def _card(choices: list[str], values: list[Override], config_dir: str | None, *, resolve: bool) -> dict[str, Any]:
    mistakes: list[Mistake] = []
    template = compose_groups(choices, config_dir, mistakes)
    lay_over(template.tree, values, template.origins, mistakes)
    filled = fill_in(template.tree, template.origins) if resolve else None
    mistakes += filled.mistakes if filled is not None else []
    if mistakes:
        raise CardError(mistakes)
    if filled is None:
        return template.tree
    for path, text in filled.secrets.items():  # what the environment holds is printed nowhere
        put(filled.values, path, text)
    return filled.values


def _of_hydra(choices: list[str], config_dir: str | None) -> Any:
    compose_groups(choices, config_dir, [])
    with loader(shipped_conf()) as loading:  # no file of the user's own has a say in it
        config = _configuration(loading, [], RunMode.RUN)
    content: Any = OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)
    return {name: value for name, value in content.items() if name not in OF_HYDRA}


def _configuration(loading: ConfigLoader, words: list[str], mode: RunMode) -> DictConfig:
    return loading.load_configuration("config", words, run_mode=mode)


def _tree(node: Any, depth: int) -> Iterator[str]:
    inner = isinstance(node, DefaultsTreeNode)
    one = node.node if inner else node
    yield "  " * depth + (str(one.get_config_path()) if not one.is_virtual() else "root")
    for child in (node.children or []) if inner else []:
        yield from _tree(child, depth + 1)
