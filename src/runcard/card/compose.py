"""From YAML groups to plain values, with the place each value came from. Hydra composes; nothing judges.

Overrides of values are laid over what Hydra composed, not handed to it: Hydra stops at the first unknown key and
advises a ``+``, where the judge can name all of them with the right spelling.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from runcard.advice import advise
from runcard.card import project, pyproject
from runcard.card.groupfiles import Library, read_library, sound_folders
from runcard.card.groups import GROUPS, OPTIONAL_GROUPS, choices_in, shipped_conf
from runcard.card.merging import merge_files
from runcard.card.origins import Origins, mark_file, shown_file
from runcard.card.overrides import Override, parse_overrides
from runcard.card.spelling import suggest
from runcard.card.values import Composed, Template, plain
from runcard.card.versions import brought_up
from runcard.errors import CardError, Mistake
from runcard.owner import not_ours
from runcard.yamltext import YamlError, construct, parse_nodes, read_text

Found = tuple[Sequence[ResultDefault], dict[str, str]]
MAX_FOUND = 512
_found: dict[tuple[Any, ...], Found] = {}

NO_GROUPS = "a saved card holds values, no groups, so a group cannot be chosen"


def compose(overrides: Sequence[str], config_dir: str | Path | None = None) -> Composed:
    """Compose the groups, then lay the overridden values over them.

    Args:
        overrides: ``group=choice`` and ``key=value``, in Hydra's syntax.
        config_dir: A folder of the user's own groups, searched after the shipped ones.

    Raises:
        CardError: If the folder is missing or the groups cannot be composed at all.
    """
    mistakes: list[Mistake] = []
    aside: list[Mistake] = []
    parsed = parse_overrides(overrides, mistakes)
    choices, values = divide(parsed, group_choices(config_dir), mistakes)
    try:
        template = compose_groups(choices, config_dir, mistakes, aside)
    except CardError as error:
        return _without_own(error, values)
    return replace(template.with_values(values, mistakes), aside=aside)


def _without_own(error: CardError, values: Sequence[Override]) -> Composed:
    """What can be judged of a card whose own groups cannot be read: values that were typed for sections of all cards.

    Raises:
        CardError: The error, if there are none.
    """
    judged = [value for value in values if value.key.split(".")[0] not in GROUPS or value.key.startswith("trainer.")]
    if not judged or not error.mistakes:
        raise error
    template = _compose([], [shipped_conf()], [], [])
    return template.with_values(judged, error.mistakes)


def compose_groups(
    choices: Sequence[str],
    config_dir: str | Path | None,
    mistakes: list[Mistake],
    aside: list[Mistake] | None = None,
) -> Template:
    """Compose choices of groups, such as ``model=cnn``, that are known to exist.

    Args:
        choices: The choices.
        config_dir: A folder of the user's own groups.
        mistakes: What was found wrong before, which an error repeats.
        aside: Takes what is wrong in files that were not chosen.

    Raises:
        CardError: If the folder is missing, a chosen file in it is not right, or the groups cannot be composed.
    """
    return _compose(choices, folders(config_dir), mistakes, [] if aside is None else aside)


def _compose(choices: Sequence[str], places: list[Path], mistakes: list[Mistake], aside: list[Mistake]) -> Template:
    library = read_library(places[0], places[1:])
    asked = {choice.replace("=", "/", 1) for choice in choices}
    if library.mistakes or asked & (set(library.wrong) - set(library.files)):  # a name may mean something to Hydra
        raise CardError([*mistakes, *library.mistakes, *library.wrong_in(asked)])
    try:
        defaults, chosen = _defaults_list(places, choices, library)
    except (HydraException, OmegaConfBaseException, OSError, ValueError, RecursionError) as error:
        wrong = Mistake("conf", plain(error), hint=_group_hint(str(error)))
        raise CardError([*mistakes, wrong, *library.wrong_in(library.wrong)]) from error
    used = {str(default.config_path) for default in defaults}
    broken, unused = library.wrong_in(used), library.wrong_in(set(library.wrong) - used)
    if broken:
        raise CardError([*mistakes, *broken, *unused])
    aside += unused
    tree, origins, mode = merge_files(defaults, library.files)
    for choice in choices:
        origins.setdefault(choice.partition("=")[0], f"override {choice}")
    name = "-".join(str(chosen[group]) for group in ("data", "model"))
    return Template(tree, origins, name, chosen, sweeps=mode == "MULTIRUN")


def _defaults_list(places: list[Path], choices: Sequence[str], library: Library) -> Found:
    """Which files Hydra lays over each other, and the choices of the groups.

    Once for as long as the files agree in what that depends on, which are their defaults and not their values: Hydra
    reads all of them each time.

    Args:
        places: The folders of groups.
        choices: What is chosen.
        library: What is in the folders.
    """
    files = ((file.name, file.whole, repr(file.values.get("defaults"))) for file in library.files.values())
    key = (tuple(choices), tuple(files))
    if key not in _found:
        if len(_found) >= MAX_FOUND:
            _found.clear()
        with sound_folders(places, library) as sound, loader(sound[0]) as loading, no_resolvers():
            used = loading.compute_defaults_list("config", [searchpath(sound), *choices], run_mode=RunMode.RUN)
        known: Any = used.overrides.known_choices
        _found[key] = used.defaults, {group: known.get(group) for group in GROUPS}
    return _found[key]


def compose_file(path: Path, overrides: Sequence[str]) -> Composed:
    """Take a saved card, and lay overridden values over it; of it, only what the environment holds is filled in.

    Raises:
        CardError: If the file is no YAML mapping.
    """
    mistakes: list[Mistake] = []
    saved = saved_template(path)
    parsed = parse_overrides(overrides, mistakes)
    chosen = [override for override in parsed if override.key in GROUPS and isinstance(override.value, str)]
    mistakes += [Mistake(override.text, NO_GROUPS) for override in chosen]
    return saved.with_values([override for override in parsed if override not in chosen], mistakes)


def saved_template(path: Path) -> Template:
    """A saved card as what values can be laid over.

    Raises:
        CardError: If the file is no YAML mapping.
    """
    try:
        text = read_text(path)
        node = parse_nodes(text)
        values = construct(node)
    except YamlError as error:
        file = shown_file(path)
        raise CardError(
            [Mistake(file, one.message, f"{file}:{one.line}", one.hint) for one in error.problems]
        ) from None
    except OSError as error:
        raise CardError(f"cannot read the card {path}: {error.strerror}") from error
    if not isinstance(values, dict) or node is None:
        raise CardError(f"{path} is not a card: a mapping of keys was expected")
    origins: Origins = {}
    mark_file(origins, path, node)
    return Template(brought_up(values, origins.get("version", shown_file(path))), origins, "card")


def group_choices(config_dir: str | Path | None = None) -> dict[str, list[str]]:
    """The choices of every group, shipped and the user's own."""
    return choices_in(folders(config_dir))


@contextlib.contextmanager
def loader(folder: Path) -> Iterator[ConfigLoader]:
    """Hydra's loader of a folder of groups."""
    # A notebook may have Hydra in use already; it gets its own state back.
    state = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with own_plugins(), initialize_config_dir(str(folder), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = state


@contextlib.contextmanager
def no_resolvers() -> Iterator[None]:
    """Let OmegaConf know none of the functions that somebody in this process has registered for references."""
    before = BaseContainer._resolvers
    BaseContainer._resolvers = {}
    try:
        yield
    finally:
        BaseContainer._resolvers = before


@contextlib.contextmanager
def own_plugins() -> Iterator[None]:
    """Keep the working directory off Python's path: Hydra imports every module of ``hydra_plugins`` that it finds."""
    here, before = Path.cwd(), sys.path[:]
    source = str(Path(__file__).resolve().parents[2])
    sys.path[:] = [entry for entry in before if entry == source or (entry and Path(entry).absolute() != here)]
    try:
        yield
    finally:
        sys.path[:] = before


def folders(config_dir: str | Path | None) -> list[Path]:
    """Where groups are looked for, in order; without a folder of the user's own, in the project's.

    Raises:
        CardError: If the folder is missing.
    """
    own = project.find().config_dir if config_dir is None else Path(config_dir).absolute()
    if own is None:
        return [shipped_conf()]
    if not own.is_dir():
        said = f"--config-dir {config_dir}" if config_dir is not None else f"config_dir in {pyproject.FILE}"
        raise CardError(f"{said}: there is no folder {own}")
    theirs = not_ours(own) if config_dir is None else None  # one that is typed is looked at by who types it
    if theirs is not None:
        raise CardError(f"config_dir in {pyproject.FILE}: {theirs} belongs to another user, and {own} is not read")
    return [shipped_conf(), own]


def searchpath(places: Sequence[Path]) -> str:
    """The override that has Hydra look for groups in the user's own folders too."""
    return f"hydra.searchpath=[{','.join(_quoted(f'file://{folder}') for folder in places[1:])}]"


def _sweeping() -> str:
    return f"{advise('-m')} or {advise('sweep=NAME')}"


def divide(
    parsed: list[Override], options: dict[str, list[str]], mistakes: list[Mistake]
) -> tuple[list[str], list[Override]]:
    """Divide overrides into choices of a group, as text for Hydra, and values; a choice must exist."""
    choices: list[str] = []
    values: list[Override] = []
    for override in parsed:
        group, value = override.key, override.value
        if re.match(r"hydra[./]launcher\b", group):
            message, hint = "places the trials of a sweep, and one card is no sweep", f"Add {_sweeping()}."
            mistakes.append(Mistake(group, message, f"override {override.text}", hint))
        elif re.match(r"hydra\b", group):
            message, hint = "a card changes nothing of Hydra's own", f"A sweep is asked for with {_sweeping()}."
            mistakes.append(Mistake(group, message, f"override {override.text}", hint))
        elif group not in GROUPS or isinstance(value, dict):
            values.append(override)
        elif value is None and group in OPTIONAL_GROUPS:
            choices = [choice for choice in choices if not choice.startswith(f"{group}=")]
        elif value is None:
            hint = f"Choose one with {advise(f'{group}=NAME')}. {suggest('', options[group])}"
            mistakes.append(Mistake(group, "a card needs this section", f"override {override.text}", hint))
        elif value in options[group]:
            choices.append(f"{group}={value}")
        else:
            hint = suggest(str(value), options[group])
            mistakes.append(Mistake(group, f"there is no {group}={value}", f"override {override.text}", hint))
    return choices, values


def _group_hint(complaint: str) -> str:
    """What to do where Hydra speaks of packages."""
    inside = [group for group in OPTIONAL_GROUPS if f"@{group}." in complaint]
    return f"A file of the group {inside[0]} must begin with the line '# @package _global_'." if inside else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
