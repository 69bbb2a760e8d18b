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
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runcard.card.origins import Origins, mark_file, mark_override, mark_text
from runcard.card.overrides import Override, parse_overrides
from runcard.card.spelling import suggest
from runcard.errors import CardError, Mistake
from runcard.runs import parse_yaml

GROUPS = ("problem", "data", "model", "optimizer", "scheduler", "trainer", "logger", "experiment", "debug")
# What a card can be without; they hold changes to the other groups, no section of their own.
OPTIONAL_GROUPS = ("experiment", "debug")


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
    parsed = parse_overrides(overrides, mistakes)
    mistakes += _hidden(folders)
    choices, values = _sort(parsed, group_choices(config_dir), mistakes)
    search = [f"hydra.searchpath=[{','.join(_quoted(f'file://{folder}') for folder in folders[1:])}]"]
    with _loader(folders[0]) as loader:
        try:
            config = loader.load_configuration("config", [*search, *choices], run_mode=RunMode.RUN)
            used = loader.compute_defaults_list("config", [*search, *choices], run_mode=RunMode.RUN)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError, RecursionError) as error:
            raise CardError([*mistakes, Mistake("conf", _plain(error), hint=_group_hint(str(error)))]) from error
    origins: Origins = {}
    for default in used.defaults:
        if default.config_path is not None and not default.config_path.startswith("hydra"):
            mark_file(origins, folders, default.config_path, default.package or "")
    for choice in choices:
        origins.setdefault(choice.partition("=")[0], f"override {choice}")
    tree: Any = OmegaConf.to_container(config, resolve=False)
    chosen = tree.pop("hydra")["runtime"]["choices"]
    _lay_over(tree, values, origins, mistakes)
    tree = _filled_in(tree, mistakes)
    if tree.get("name", "") is None:
        tree["name"] = "-".join(str(chosen.get(group)) for group in ("data", "model"))
    return Composed(tree, origins, mistakes)


def compose_file(path: Path, overrides: Sequence[str]) -> Composed:
    """Take a saved card, and lay overridden values over it; nothing in it is looked up or filled in again.

    Raises:
        CardError: If the file is no YAML mapping.
    """
    mistakes: list[Mistake] = []
    try:
        text = path.read_text(encoding="utf-8")
        values = parse_yaml(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise CardError(f"cannot read the card {path}: {_plain(error)}") from error
    if not isinstance(values, dict):
        raise CardError(f"{path} is not a card: a mapping of keys was expected")
    origins: Origins = {}
    mark_text(origins, text, path, "")
    parsed = parse_overrides(overrides, mistakes)
    chosen = [override for override in parsed if override.key in GROUPS and isinstance(override.value, str)]
    message = "a saved card holds values, no groups, so a group cannot be chosen"
    mistakes += [Mistake(override.text, message) for override in chosen]
    _lay_over(values, [override for override in parsed if override not in chosen], origins, mistakes)
    return Composed(values, origins, mistakes)


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
    folder = Path(config_dir).absolute()
    if not folder.is_dir():
        raise CardError(f"--config-dir {config_dir}: there is no folder {folder}")
    return [shipped_conf(), folder]


def _hidden(folders: list[Path]) -> list[Mistake]:
    """Files of the user's own that Hydra would pass over in silence, for a shipped one has their name."""
    shipped, *own = folders
    both = [
        (file, shipped / file.relative_to(folder))
        for folder in own
        for file in sorted(folder.rglob("*.yaml"))
        if (shipped / file.relative_to(folder)).is_file()
    ]
    hint = "Give it a name of its own and choose that."
    return [Mistake(str(file), f"would not be read: {other} has the same name", hint=hint) for file, other in both]


def _sort(
    parsed: list[Override], options: dict[str, list[str]], mistakes: list[Mistake]
) -> tuple[list[str], list[Override]]:
    """Divide overrides into choices of a group, as text for Hydra, and values; a choice must exist."""
    choices, values = [], []
    for override in parsed:
        group, value = override.key, override.value
        if group not in GROUPS or isinstance(value, dict):
            values.append(override)
        elif value is None and group in OPTIONAL_GROUPS:
            continue
        elif value is None:
            hint = f"Choose one with {group}=NAME. {suggest('', options[group])}"
            mistakes.append(Mistake(group, "a card needs this section", f"override {override.text}", hint))
        elif value in options[group]:
            choices.append(f"{group}={value}")
        else:
            hint = suggest(str(value), options[group])
            mistakes.append(Mistake(group, f"there is no {group}={value}", f"override {override.text}", hint))
    return choices, values


def _lay_over(tree: dict[str, Any], overrides: list[Override], origins: Origins, mistakes: list[Mistake]) -> None:
    """Write overrides into the card's values; a mapping is merged into a mapping, all else replaces."""
    for override in overrides:
        *sections, leaf = override.key.split(".")
        section: Any = tree
        for name in sections:
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        typed = f"override {override.text}"
        if override.delete and not (isinstance(section, dict) and leaf in section):
            mistakes.append(Mistake(override.key, "there is no such key to delete", typed))
        elif override.delete:
            del section[leaf]
        elif isinstance(section, dict):
            section[leaf] = _merged(section.get(leaf), override.value)
        else:
            mistakes.append(Mistake(override.key, "stands below a value, which has no keys", typed))
        mark_override(origins, override.key, override.text)


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: _merged(old.get(key), value) for key, value in new.items()}


def _filled_in(tree: dict[str, Any], mistakes: list[Mistake]) -> dict[str, Any]:
    """The values with their interpolations filled in.

    Raises:
        CardError: If one cannot be.
    """
    try:
        values: Any = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise CardError([*mistakes, Mistake(getattr(error, "full_key", None) or "card", _plain(error))]) from error
    return dict(values)


def _group_hint(complaint: str) -> str:
    """What to do where Hydra speaks of packages."""
    inside = [group for group in OPTIONAL_GROUPS if f"@{group}." in complaint]
    return f"A file of the group {inside[0]} must begin with the line '# @package _global_'." if inside else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _plain(error: BaseException) -> str:
    """The first line of a library's message, which is the one that says what is wrong."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem or error.context} ({error.problem_mark.name}:{error.problem_mark.line + 1})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
