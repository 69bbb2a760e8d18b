"""From YAML groups and overrides to plain values, with the place each value came from. Hydra composes; nothing judges.

Overrides of values are laid over what Hydra composed, not handed to it: Hydra stops at the first unknown key and
advises a ``+``, where the judge can name all of them with the right spelling.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runcard.card.origins import Origins, mark_file, mark_override
from runcard.card.spelling import suggest
from runcard.errors import CardError, Mistake

GROUPS = ("problem", "data", "model", "optimizer", "scheduler", "trainer", "logger", "experiment", "debug")


@dataclass
class Composed:
    """What a card says before anyone judges it.

    Attributes:
        values: The card as nested plain values; a value that must be given and was not is ``???``.
        origins: Dotted key → the file and line or the override that set it.
        mistakes: What composing alone found wrong.
    """

    values: dict[str, Any]
    origins: Origins = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def shipped_conf() -> Path:
    """The folder of the shipped groups: inside an installed wheel, else beside ``src/``."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def compose(overrides: Sequence[str], config_dir: str | Path | None = None) -> Composed:
    """Compose the groups, then lay the overridden values over them.

    Args:
        overrides: ``group=choice`` and ``key=value``, in Hydra's syntax.
        config_dir: A folder of the user's own groups, searched after the shipped ones.

    Raises:
        CardError: If the folder is missing or the groups cannot be composed at all.
    """
    folders = _folders(config_dir)
    mistakes: list[Mistake] = []
    parsed = _parse(overrides, mistakes)
    choices, values = _sort(parsed, group_choices(config_dir), mistakes)
    search = [f"hydra.searchpath=[{','.join(_quoted(f'file://{folder}') for folder in folders[1:])}]"]
    with _loader(folders[0]) as loader:
        try:
            config = loader.load_configuration("config", [*search, *choices], run_mode=RunMode.RUN)
            used = loader.compute_defaults_list("config", [*search, *choices], run_mode=RunMode.RUN)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError) as error:
            raise CardError([*mistakes, Mistake("conf", _plain(error))]) from error
    origins: Origins = {}
    for default in used.defaults:
        if default.config_path is not None and not default.config_path.startswith("hydra"):
            mark_file(origins, folders, default.config_path, default.package or "")
    for choice in choices:
        origins.setdefault(choice.partition("=")[0].lstrip("~"), f"override {choice}")
    composed = _lay_over(config, values, origins)
    composed.mistakes = mistakes + composed.mistakes
    return composed


def compose_file(path: Path, overrides: Sequence[str]) -> Composed:
    """Take a saved card, and lay overridden values over it; groups are not looked up again.

    Raises:
        CardError: If the file is no YAML mapping.
    """
    mistakes: list[Mistake] = []
    try:
        config = OmegaConf.load(path)
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise CardError(f"cannot read the card {path}: {_plain(error)}") from error
    if not isinstance(config, DictConfig):
        raise CardError(f"{path} is not a card: a mapping of keys was expected")
    parsed = _parse(overrides, mistakes)
    origins: Origins = {}
    mark_file(origins, [path.parent], path.name.removesuffix(".yaml"), "")
    for override in list(parsed):
        if override.key_or_group in GROUPS and isinstance(override.value(), str):
            message = "a saved card holds values, no groups, so a group cannot be chosen"
            mistakes.append(Mistake(override.input_line or "", message))
            parsed.remove(override)
    composed = _lay_over(config, parsed, origins)
    composed.mistakes = mistakes + composed.mistakes
    return composed


def group_choices(config_dir: str | Path | None = None) -> dict[str, list[str]]:
    """The choices of every group, shipped and the user's own."""
    folders = _folders(config_dir)
    return {
        group: sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")}) for group in GROUPS
    }


@contextlib.contextmanager
def _loader(folder: Path) -> Iterator[ConfigLoader]:
    # A notebook may have Hydra in use already; it gets its own state back.
    state = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = state


def _folders(config_dir: str | Path | None) -> list[Path]:
    """Where groups are looked for, in order."""
    if config_dir is None:
        return [shipped_conf()]
    folder = Path(config_dir).expanduser().absolute()
    if not folder.is_dir():
        raise CardError(f"--config-dir {config_dir}: there is no folder {folder}")
    return [shipped_conf(), folder]


def _parse(overrides: Sequence[str], mistakes: list[Mistake]) -> list[Override]:
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            hint = "An override is key=value; quote a value that holds spaces or signs: 'key=\"a b\"'."
            mistakes.append(Mistake(text, f"cannot be read: {_plain(error)}", hint=hint))
            continue
        if override.is_sweep_override():
            message = "names several values, which makes a sweep; one run takes one value"
            mistakes.append(Mistake(text, message, hint="Quote a text with a comma: 'key=\"a,b\"'."))
        else:
            parsed.append(override)
    return parsed


def _sort(
    parsed: list[Override], options: dict[str, list[str]], mistakes: list[Mistake]
) -> tuple[list[str], list[Override]]:
    """Divide overrides into choices of a group, as text for Hydra, and values; a choice must exist."""
    choices, values = [], []
    for override in parsed:
        group, value = override.key_or_group, override.value()
        if group not in GROUPS or isinstance(value, dict):
            values.append(override)
        elif override.is_delete():
            choices.append(f"~{group}")
        elif value is None or value in options[group]:
            choices.append(f"{group}={'null' if value is None else value}")
        else:
            hint = suggest(str(value), options[group])
            mistakes.append(Mistake(group, f"there is no {group}={value}", f"override {override.input_line}", hint))
    return choices, values


def _lay_over(config: DictConfig, overrides: list[Override], origins: Origins) -> Composed:
    OmegaConf.set_struct(config, False)
    OmegaConf.set_readonly(config, False)
    hydra = config.pop("hydra", None)
    mistakes = []
    for override in overrides:
        key, text = override.key_or_group, override.input_line or ""
        try:
            if override.is_delete():
                OmegaConf.update(config, key, None, force_add=True)
                _delete(config, key)
            else:
                OmegaConf.update(config, key, override.value(), merge=True, force_add=True)
        except (OmegaConfBaseException, AttributeError, TypeError, ValueError) as error:
            mistakes.append(Mistake(key, f"cannot be set: {_plain(error)}", f"override {text}"))
        mark_override(origins, key, text)
    try:
        values: Any = OmegaConf.to_container(config, resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise CardError([*mistakes, Mistake(getattr(error, "full_key", None) or "card", _plain(error))]) from error
    if values.get("name", "") is None and hydra is not None:
        chosen = hydra.runtime.choices
        values["name"] = "-".join(str(chosen.get(group)) for group in ("data", "model"))
    return Composed(values, origins, mistakes)


def _delete(config: DictConfig, key: str) -> None:
    parent, _, leaf = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    del node[leaf]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _plain(error: BaseException) -> str:
    """The first line of a library's message, which is the one that says what is wrong."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem or error.context} ({error.problem_mark.name}:{error.problem_mark.line + 1})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
