"""What was typed after the verb: ``group=choice``, ``key=value``, ``~key``, in Hydra's grammar and a little beyond.

A sweep's overrides may name many values, ``key=1,2,3`` or ``key=interval(0,1)``; see ``space.py``.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from runcard.advice import advise
from runcard.card.conditions import IF, conditional
from runcard.card.space import Dimension, SpaceError, dimension_of
from runcard.card.spelling import edits
from runcard.errors import Mistake
from runcard.yamltext import MAX_DEPTH, MAX_DIGITS, YamlError, parse_nodes, parse_yaml

log = logging.getLogger("runcard")

# What Hydra's grammar knows; a value that begins like a call of it is no text.
FUNCTIONS = ("choice", "range", "interval", "tag", "glob", "int", "float", "str", "bool", "sort", "shuffle")
# To its end, or without one; what goes on behind it is a text, such as tag(1).csv.
CALL = re.compile(r"\s*(\w+)\s*\(([^)]*|.*\)\s*)$", flags=re.DOTALL)
# Of one override: so many letters take the grammar of Hydra some seconds.
MAX_LENGTH = 100_000
MAX_SHOWN = 200
SPELLED = re.compile(r"\+{0,2}([\w.]+)=(.*)", flags=re.DOTALL)


@dataclass(frozen=True)
class Override:
    """One word of the command line.

    Attributes:
        key: The group or the dotted key. A ``+`` before it is dropped: the judge alone knows what may be added.
        value: The value, as plain data; None for a deletion.
        delete: Whether the key is to go.
        text: As it was typed.
    """

    key: str
    value: Any
    delete: bool
    text: str


def parse_overrides(texts: Iterable[str], mistakes: list[Mistake]) -> list[Override]:
    """Read one run's overrides; those that cannot be one are added to ``mistakes``."""
    one_by_one, many = parse_sweep(texts, mistakes)
    typed = 'KEY="A,B"'
    message = "names several values, which makes a sweep; one run takes one value"
    hint = f"Add {advise('-m')} to try them all, or quote a text with a comma: {advise(typed)}."
    mistakes += [Mistake(dimension.text, message, hint=hint) for dimension in many]
    return one_by_one


def parse_sweep(texts: Iterable[str], mistakes: list[Mistake]) -> tuple[list[Override], list[Dimension]]:
    """Read a sweep's overrides: those that name one value, and those that name many."""
    parser = OverridesParser.create()
    parsed: list[Override | Dimension] = []
    for text in texts:
        try:
            parsed.append(_parse(parser, text))
        except SpaceError as wrong:
            mistakes.append(Mistake(_shortened(text), wrong.message, hint=wrong.hint))
    one = [override for override in parsed if isinstance(override, Override)]
    _say_unused(one)
    return one, [dimension for dimension in parsed if isinstance(dimension, Dimension)]


def _say_unused(overrides: Sequence[Override]) -> None:
    """Say what is typed and does nothing: of a key that is named twice the last counts, as Hydra has it."""
    last = {each.key: each for each in overrides}
    for each in overrides:
        if last[each.key] is not each and each.text != last[each.key].text:
            log.warning("%s is not used: %s stands after it", _shortened(each.text), _shortened(last[each.key].text))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _parse(parser: OverridesParser, text: str) -> Override | Dimension:
    _refuse_size(text)
    try:
        override = parser.parse_override(text)
    except (HydraException, RecursionError, ValueError) as error:
        return conditional(parser, text) or _beyond_hydra(text, str(error).splitlines()[0])
    if override.package is not None:
        raise SpaceError("a group has one place in the card; choose it without @")
    if override.is_sweep_override():
        return dimension_of(override, text)
    return Override(override.key_or_group, override.value(), override.is_delete(), text)


def _refuse_size(text: str) -> None:
    """Refuse what the grammar would take minutes for, or go down too deep in.

    Raises:
        SpaceError: If it is longer or deeper than anyone types.
    """
    key, _, value = text.partition("=")
    levels = itertools.accumulate((letter in "[{(") - (letter in ")}]") for letter in value)
    if len(text) > MAX_LENGTH:
        raise SpaceError(f"has {len(text):,} characters, and {MAX_LENGTH:,} are the most", "Write it into a file.")
    if key.count(".") >= MAX_DEPTH or max(levels, default=0) > MAX_DEPTH:
        raise SpaceError(f"is nested more than {MAX_DEPTH} deep")
    if re.search(rf"\d{{{MAX_DIGITS},}}", text):
        raise SpaceError(f"holds a number of more than {MAX_DIGITS} digits")
    try:
        parse_nodes(value if value.startswith(("{", "[")) else "")
    except YamlError as error:
        if error.node is not None:  # Hydra takes the last of two keys in silence
            raise SpaceError(error.problems[0].message.partition(": in line")[0]) from None


def _beyond_hydra(text: str, complaint: str) -> Override:
    """Read what Hydra's grammar refuses: ``data.path=~/rows (1).csv``, ``data.kinds={"Größe (cm)": number}``.

    Raises:
        SpaceError: If it is no ``key=value`` either.
    """
    spelled = SPELLED.fullmatch(text)
    if not spelled:
        raise _no_override(text, complaint)
    key, value = spelled.groups()
    if called := CALL.match(value):
        _refuse_call(called[1], value, complaint)
    if value[:1] not in ("[", "{", "'", '"'):
        return Override(key, value, False, text)
    try:
        return Override(key, parse_yaml(value), False, text)
    except YamlError:
        hint = "Look for a bracket or a quote that is not closed."
        if IF in value:
            hint = f"A condition stands behind values to try: {advise('KEY=choice(VALUE) if KEY=VALUE')}."
        raise SpaceError(f"cannot be read: {complaint}", hint) from None


def _no_override(text: str, complaint: str) -> SpaceError:
    """What is wrong with a word without a value."""
    hint = "An override is key=value, group=choice or ~key."
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        if Path(text, "card.yaml").is_file():
            return SpaceError("is a run folder", f"Name its card, first of all: {Path(text, 'card.yaml')}.")
        if Path(text).is_file():
            return SpaceError("is a file", f"A saved card comes first, before what changes it. {hint}")
    if "=" not in text:
        return SpaceError("names no value", hint)
    spaces = "There are no spaces around '='. " if text.strip() == "=" else ""
    return SpaceError(f"cannot be read: {complaint}", spaces + hint)


def _refuse_call(name: str, value: str, complaint: str) -> None:
    """Say what is wrong with a call that Hydra cannot read.

    Raises:
        SpaceError: If it is meant as a call: of a function that exists, or nearly.
    """
    typed = 'KEY="TEXT"'
    quoted = f"A text is quoted: {advise(typed)}."
    if name not in FUNCTIONS:
        near = [one for one in FUNCTIONS if edits(name.lower(), one, 1) <= 1]
        if near:
            raise SpaceError(f"calls {name}, which does not exist", f"Did you mean {' or '.join(near)}? {quoted}")
        return
    hint = "Values are named by choice(a,b), range(low,end,step), interval(low,high), int(...) and tag(log,...)."
    if value.count("(") != value.count(")"):
        hint = "Look for a bracket that is not closed."
    elif "null" in value:
        hint = f"null stands between commas only, as in {advise('KEY=null,1')}."
    raise SpaceError(f"cannot be read: {complaint}", f"{hint} {quoted}")
