"""What a word of a line may become: of a card, of runs, of files."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from runcard.card import pyproject
from runcard.card.groups import choices_in, shipped_conf
from runcard.card.help.keys import about, chosen, keys_of, keys_of_saved, takes, values_of, written

# What the word under way may become → what to say about it.
Answers = dict[str, str]
SAVED = (".yaml", ".yml")


def places_of(words: Sequence[str]) -> list[Path]:
    """Where groups lie: the shipped ones, and those of the folder that the line or the project names."""
    joined = [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    named = [after for word, after in itertools.pairwise(words) if word == "--config-dir"]
    own = [Path(folder).expanduser() for folder in (joined + named)[:1]]
    file, said = _project()
    if not own and file is not None and "config_dir" in said:
        own = [file.parent / str(said["config_dir"])]
    return [shipped_conf(), *own]


def _project() -> tuple[Path | None, Mapping[str, object]]:
    try:
        file = pyproject.nearest()
        table = pyproject.table(file) if file else {}
    except (OSError, ValueError):
        return None, {}
    return file, table if isinstance(table, dict) else {}


def of_card(typed: str, given: Sequence[str], later: Sequence[str], places: Sequence[Path], *, sweeps: bool) -> Answers:
    """A group, a key, or what one of them may hold; as the first word also a saved card.

    Args:
        typed: The word under way.
        given: The overrides before it.
        later: The words behind it.
        places: Where groups lie.
        sweeps: Whether ``-m`` was typed, so that keys of a sweep belong to it.
    """
    saved = bool(given) and given[0].endswith(SAVED)
    choices = {} if saved else choices_in(places)
    groups = {} if saved else ({"sweep": ""} if sweeps else {}) | chosen([*_first(), *given, *later], places)
    key, equals, value = typed.partition("=")
    if equals and key in choices:
        listed = {choice: about(places, key, choice) for choice in choices[key]}
        return _after(f"{key}=", value, listed)
    keys = keys_of_saved(Path(given[0])) if saved else keys_of(groups, places)
    if equals:
        schema = keys.get(key, {"type": "string"})
        files = {f"{key}={path}": "" for path in paths(value)} if takes(schema, "string") else {}
        return _after(f"{key}=", value, _values(schema, value, written(groups, places, key))) | files
    known = {f"{group}=": "" for group in choices} | _named(keys, typed)
    return known if given else known | paths(typed, suffixes=SAVED, shy=True)


def _first() -> list[str]:
    """What the project chooses where nothing else is said."""
    own = _project()[1].get("experiment")
    return [f"experiment={own}"] if isinstance(own, str) else []


def _values(schema: Mapping[str, object], typed: str, now: str) -> Answers:
    """The values with names; where there is one, and numbers beside it, also the one that the key has now."""
    named = values_of(dict(schema))
    if len(named) == 1 and any(takes(dict(schema), kind) for kind in ("integer", "number", "string")):
        named += [now] if now and now not in named else []
        if len(named) == 1 and not typed:  # alone it would be taken for the only one
            return {}
    return dict.fromkeys(named, "")


def _named(keys: Mapping[str, Mapping[str, object]], typed: str) -> Answers:
    """Keys to set; those of a section when its name and the dot are typed."""
    if "." in typed:
        return {f"{key}=": str(schema.get("description", "")) for key, schema in keys.items()}
    sections = {f"{key.partition('.')[0]}.": "" for key in keys if "." in key}
    return {f"{key}=": str(schema.get("description", "")) for key, schema in keys.items() if "." not in key} | sections


def _after(head: str, value: str, listed: Mapping[str, str]) -> Answers:
    """What a key may hold; behind a comma one more of a sweep's values, but none inside of brackets."""
    if set(value) & set("([{"):
        return {}
    before = value[: value.rfind(",") + 1]
    return {f"{head}{before}{name}": text for name, text in listed.items() if name not in before.split(",")}


def runs_and_studies(*, studies_too: bool) -> Answers:
    """The run folders below ``runs/``, newest first; and if wanted the studies."""
    from runcard import runs, studies

    found = dict.fromkeys((str(run.path) for run in runs.find("runs")), "")
    if studies_too:
        found |= dict.fromkeys((str(path) for path in Path("studies").glob("[!.]*") if studies.is_study(path)), "")
    return found


def bundles() -> Answers:
    """The bundles in BentoML's model store, newest first."""
    from runcard.packaging import stored

    return dict.fromkeys(stored.bundles(), "")


def paths(typed: str, *, suffixes: tuple[str, ...] = ("",), folders_only: bool = False, shy: bool = False) -> Answers:
    """Files and folders as far as typed; shy: folders only where something was typed."""
    head, tail = typed[: typed.rfind("/") + 1], typed[typed.rfind("/") + 1 :]
    try:
        entries = sorted(os.scandir(head or "."), key=lambda entry: entry.name)
    except OSError:
        return {}
    seen = [entry for entry in entries if entry.name.startswith(tail) and (tail or not entry.name.startswith("."))]
    found = [f"{head}{entry.name}/" for entry in seen if entry.is_dir() and (typed or not shy)]
    if not folders_only:
        found += [f"{head}{entry.name}" for entry in seen if entry.name.endswith(suffixes) and entry.is_file()]
    return dict.fromkeys(found, "")


def fitting(typed: str, found: Mapping[str, str]) -> Answers:
    """Those that begin as the word under way does."""
    return {name: text for name, text in found.items() if name.startswith(typed)}
