"""What a line can go on with, for one TAB: quick, and without a word where it knows nothing."""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Mapping, Sequence

from runcard.advice import advise
from runcard.cli.offers import SAVED, Answers, bundles, fitting, of_card, paths, places_of, runs_and_studies
from runcard.cli.parsing import parsers
from runcard.cli.shells import SCRIPTS, UNDONE, Line, read_line, reply
from runcard.errors import CardError

# The words that name a run, a study or a bundle.
NAMED = ("run", "names", "bundle", "words")
WHATS = [f"{what}={shell}" for what in ("install", "uninstall", "query") for shell in SCRIPTS]


def answer(what: str) -> str:
    """Answer ``--shell-completion``.

    Args:
        what: ``install=SHELL``, ``uninstall=SHELL`` or ``query=SHELL``, which asks by ``COMP_LINE``, up to the
            character ``COMP_POINT`` where that is set.

    Raises:
        CardError: If it is none of them.
    """
    if what not in WHATS:
        ways = ", ".join(advise("runcard", "--shell-completion", way) for way in WHATS[:-3])
        raise CardError(f"--shell-completion {what}: say one of {ways}")
    verb, _, shell = what.partition("=")
    if verb != "query":
        return (SCRIPTS if verb == "install" else UNDONE)[shell]
    point = os.environ.get("COMP_POINT")
    line = read_line(os.environ.get("COMP_LINE", ""), int(point) if point else None)
    return reply(shell, line, fitting(line.typed, answers(line)), os.environ.get("COMP_TEXT"))


def answers(line: Line) -> Answers:
    """What the word under way may become; those that do not begin as it does are for the caller to drop."""
    whole, of_verb = parsers()
    _, *words = line.words or [""]
    if not words:
        verbs = {name: parser.description or "" for name, parser in of_verb.items()}
        return verbs | _flags(whole) if line.typed.startswith("-") else verbs
    if words[0] in ("-sc", "--shell-completion"):
        return dict.fromkeys(WHATS[:-3], "")
    if words[0] not in of_verb:
        return {}
    return _of_verb(of_verb[words[0]], words[1:], line)


def _of_verb(parser: argparse.ArgumentParser, words: Sequence[str], line: Line) -> Answers:
    typed = line.typed
    flags = {flag: action for action in parser._actions for flag in action.option_strings}
    before = _under_way(words, flags)
    if before is not None and not (before.nargs and typed.startswith("-")):
        return _values_of_flag(before, typed)
    flag, equals, value = typed.partition("=")
    if equals and flag in flags:
        return {f"{flag}={answer}": text for answer, text in _values_of_flag(flags[flag], value).items()}
    if typed.startswith("-"):
        return _flags(parser)
    given = _without_flags(words, flags)
    wanted = [action for action in parser._actions if not action.option_strings]
    place = min(len(given), len(wanted) - 1)
    if place < 0 or (place < len(given) and wanted[place].nargs not in ("*", "+")):
        return {}
    return _of_word(wanted[place], given, words, line)


def _of_word(wanted: argparse.Action, given: Sequence[str], words: Sequence[str], line: Line) -> Answers:
    typed, whole = line.typed, [*words, *line.later]
    if wanted.dest == "overrides":
        sweeps = "-m" in whole or "--multirun" in whole
        return of_card(typed, given, line.later, places_of(whole), sweeps=sweeps)
    if wanted.dest == "words" and any("=" not in word for word in given):
        return {}  # one bundle is served at a time
    if wanted.dest in NAMED:
        return _of_name(str(wanted.metavar), given, typed)
    return paths(typed) if wanted.dest == "rows" else {}


def _of_name(kinds: str, given: Sequence[str], typed: str) -> Answers:
    """Runs, studies and bundles, as far as a word may be one and is not typed yet; else folders."""
    found = runs_and_studies(studies_too="STUDY" in kinds) if "RUN" in kinds else {}
    found |= bundles() if "BUNDLE" in kinds else {}
    left = {name: text for name, text in fitting(typed, found).items() if name not in given}
    return left or (paths(typed) if "RUN" in kinds or typed else {})


def _flags(parser: argparse.ArgumentParser) -> Answers:
    return {flag: action.help or "" for action in parser._actions for flag in action.option_strings}


def _takes_value(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.nargs is None


def _under_way(words: Sequence[str], flags: Mapping[str, argparse.Action]) -> argparse.Action | None:
    """The flag whose value comes next, or one of whose values may."""
    last = next((word for word in reversed(words) if word in flags), "")
    many = bool(last) and flags[last].nargs == "+"
    return flags[last] if many or (last and last == words[-1] and _takes_value(flags[last])) else None


def _values_of_flag(action: argparse.Action, typed: str) -> Answers:
    if action.choices:
        return dict.fromkeys(map(str, action.choices), "")
    if action.metavar == "CARD":
        return fitting(typed, runs_and_studies(studies_too=False)) or paths(typed, suffixes=SAVED)
    return paths(typed, folders_only=action.metavar == "DIR") if action.metavar in ("DIR", "FILE") else {}


def _without_flags(words: Sequence[str], flags: Mapping[str, argparse.Action]) -> list[str]:
    """The words that are neither a flag nor the value of one."""
    values = {flag for flag, action in flags.items() if _takes_value(action)}
    pairs = itertools.pairwise(["", *words])
    return [word for before, word in pairs if not word.startswith("-") and before not in values]
