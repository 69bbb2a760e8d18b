"""A case: a command that is answered with advice, which is taken out of the answer, typed, and must lead on."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from runcard.errors import CardError, Stopped
from tests.advice import source
from tests.conftest import Command, Said

# Around advice while a case is tried; no message holds such brackets.
OPEN, CLOSE = "⟦", "⟧"
FOUND = re.compile(f"{OPEN}([^|]*)\\|(.*?){CLOSE}", flags=re.DOTALL)
TRAIN = "all is read and known to fit"
# A file's content; None: a folder.
Files = Mapping[str, str | bytes | None]


@dataclass(frozen=True)
class Case:
    """How advice is come by, and where it leads.

    Attributes:
        sites: The advice that must be given, by the names that ``source.sites`` has; each is typed.
        typed: The command, as a shell reads it.
        files: What lies in the folder before.
        fill: Text of the advice → what its reader puts there, one after the other.
        onto: The command that the advice is typed behind, if it is another one.
        also: Words that are typed with it.
        mended: Files that are changed as the message says, before the advice is typed.
        then: Part of what may be said next, if it is not done with that; empty: exit code 0.
        trains: Whether it is enough that training would begin.
        before: Commands that come first; ``*`` stands for what there is.
        patched: Name → value, of what this machine has not; while the command runs the first time.
        again: Whether the same advice may be given again.
    """

    sites: Sequence[str]
    typed: str
    files: Files = field(default_factory=dict)
    fill: Mapping[str, str] = field(default_factory=dict)
    onto: str = ""
    also: str = ""
    mended: Files = field(default_factory=dict)
    then: str = ""
    trains: bool = False
    before: str = ""
    patched: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False


def each_fifth(cases: Sequence[Case]) -> list[Any]:
    """Cases of which the default run tries each fifth: the source is looked through for all of them by any run."""
    return [case if place % 5 == 0 else pytest.param(case, marks=pytest.mark.slow) for place, case in enumerate(cases)]


def named(case: Case) -> str:
    return f"{case.typed[:70]} -> {case.sites[0]}"


def try_case(case: Case, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provoke the advice, type it, and see it lead on."""
    _mark_advice(monkeypatch)
    if case.trains:
        _stop_at_training(monkeypatch)
    _write(case.files)
    for earlier in case.before.split(" && ") if case.before else []:
        said = _call(command, _expanded(earlier))
        assert said.code == 0 or TRAIN in said.err, said
    first = _expanded(case.typed)
    with monkeypatch.context() as patch:
        for name, value in case.patched.items():
            patch.setattr(name, value)
        said = _call(command, first)
    given = _given(said)
    assert "Traceback" not in said.err
    assert {*case.sites} <= {site for site, _ in given}, (given, said)
    _write(case.mended)
    base = _expanded(case.onto or case.typed)
    for site, text in given:
        if site in case.sites:
            words = words_of(text, case)
            if words[0] == "cd":
                os.chdir(words[1])
            else:
                line = with_words(base, [*words, *shlex.split(case.also)])
                _leads_on(case, site, text, {*first} - {*line}, _call(command, line))


def _expanded(line: str) -> list[str]:
    """A command's words; ``*`` in a path stands for what there is."""
    words = shlex.split(line)
    paths = [sorted(map(str, Path().glob(word))) if "*" in word and "/" in word else [] for word in words]
    return [path for word, found in zip(words, paths, strict=True) for path in found or [word]]


def _leads_on(case: Case, site: str, text: str, left: set[str], said: Said) -> None:
    """See that what was advised leads on.

    Args:
        case: The case.
        site: Who gave the advice.
        text: The advice.
        left: The words that it took the place of.
        said: What is said now.
    """
    then = case.then or (TRAIN if case.trains else "")
    assert said.code == 0 or (then and then in said.err + said.out), f"{text} leads to: {said}"
    assert "a fault in Runcard" not in said.err, said
    following = _given(said)
    assert case.again or (site, text) not in following, f"{text} is answered with the same advice"
    for other, back in following if said.code else []:
        assert not {*words_of(back, case)} <= left, f"{text} is answered with the advice of {other} to go back: {back}"


def words_of(text: str, case: Case) -> list[str]:
    """Advice as a shell reads it, with what its reader fills in."""
    words = shlex.split(text)
    for name, value in case.fill.items():
        words = [word.replace(name, value) for word in words]
    return words


def with_words(line: Sequence[str], words: Sequence[str]) -> list[str]:
    """A command with words of advice in place of those that say another thing of the same key or option."""
    if words[0] == "runcard":
        return [*words[1:]]
    keys = {word.partition("=")[0] for word in words}
    kept, skip = list[str](), False
    for word in line[1:]:
        own = word.lstrip("+~").partition("=")[0]
        if not skip and own not in keys:
            kept.append(word)
        skip = not skip and own in keys and word.startswith("--") and "=" not in word
    return [line[0], *kept, *words]


def _call(command: Command, words: Sequence[str]) -> Said:
    try:
        return command(*words)
    except Stopped as stopped:  # which the program itself tells so
        return Said(stopped.exit_code, "", f"{stopped}; go on with `{stopped.go_on}`")


def _given(said: Said) -> list[tuple[str, str]]:
    """Name of the call → advice, for all that was printed."""
    return [(found[1], found[2]) for found in FOUND.finditer(said.out + said.err)]


def _write(files: Files) -> None:
    for name, content in files.items():
        path = Path(name)
        (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(content, encoding="utf-8")


def _mark_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print advice in brackets, with the name of the call that gave it: so each is told from any other."""

    def join(words: Sequence[str]) -> str:
        return f"{OPEN}{site_of(sys._getframe(2))}|{shlex.join(words)}{CLOSE}"

    monkeypatch.setattr("runcard.advice.shlex", SimpleNamespace(join=join))


def site_of(frame: FrameType) -> str:
    """The name of the call that a frame is at."""
    line, _, column, _ = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    assert line is not None
    assert column is not None
    return source.sites()[frame.f_code.co_filename, line, column]


def _stop_at_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """End a fit where all is read and known to fit, and only time is left to spend."""

    def stop(*_: object) -> None:
        raise CardError(TRAIN)

    def stop_sweep(outputs: Path) -> None:
        (outputs.parent / "study.json").write_text("{}")  # as when trials have begun
        stop()

    pool = SimpleNamespace(share=lambda *_: None, ready=stop_sweep)
    monkeypatch.setattr("runcard.fitting.write_beginnings", stop)
    monkeypatch.setattr("runcard.tuning.sweep._pool", lambda _: contextlib.nullcontext(pool))


def raising(error: BaseException) -> Callable[..., Any]:
    """What stands in for a function that meets with an error."""

    def failing(*_: object, **__: object) -> None:
        raise error

    return failing
