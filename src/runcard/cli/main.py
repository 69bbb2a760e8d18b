"""The ``runcard`` command: find the verb, run it, say what went wrong, exit with the right code."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from runcard.advice import advise
from runcard.cli.parsing import parsers
from runcard.cli.steps import Result
from runcard.cli.verbs import VERBS, Verb
from runcard.errors import CardError, RuncardError, Stopped
from runcard.hiding import forget, hidden
from runcard.interrupts import SIGNALS, put_off
from runcard.visible import visible

# Names that no file can have.
NO_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
# Who stops a process often tells its group too, so that it hears it twice; a person who means it waits longer.
ONCE_S = 1.0
COMPLETION = ("-sc", "--shell-completion")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process."""
    words = list(sys.argv[1:] if argv is None else argv)
    _escape_what_cannot_be_shown()
    try:
        with _signals():
            code = run(words)
            sys.stdout.flush()
    except Stopped as error:
        for signum in SIGNALS:  # the way out is short, and a traceback on it would say nothing
            signal.signal(signum, signal.SIG_IGN)
        told = f"what was done is kept; go on with `{error.go_on}`" if error.go_on else "nothing was under way"
        code = _failed(error, error.exit_code, f"{error}; {told}", words)
    except BrokenPipeError:
        # Whoever read our output, `head` say, has enough. Python must not complain while it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        print(f"runcard: cannot write to stdout: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one verb.

    Returns:
        The exit code.
    """
    forget()
    try:
        if any("\0" in word for word in words):
            raise CardError("a word holds a NUL character, which no name and no value has")
        if words and words[0].startswith(COMPLETION):
            return _complete(list(words))
        verb, arguments = _parse(list(words))
        result = _done(verb, arguments)
    except RuncardError as error:
        return _failed(error, error.exit_code, str(error), words)
    except PermissionError as error:
        text = f"no permission for {error.filename}: mend its permissions, or choose another place"
        return _failed(error, CardError.exit_code, text, words)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno not in NO_NAMES:
            return _ours(error, words)
        text = f"{str(error.filename)[:100]}: no file has such a name: {error.strerror}"
        return _failed(error, CardError.exit_code, text, words)
    except Exception as error:  # the last stand: a fault of ours must not look like the user's
        return _ours(error, words)
    print(result.text, file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(_as_json(result.data, sys.stdout.encoding))
    return result.exit_code


def _ours(error: Exception, words: Sequence[str]) -> int:
    text = f"a fault in Runcard: {type(error).__name__}: {error}"
    text += f"\nRun again with {advise('--traceback')}, and please report what it shows."
    return _failed(error, 1, text, words)


def _escape_what_cannot_be_shown() -> None:
    """Let a letter that stdout or stderr has no code for be written as an escape, and not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _as_json(content: Any, encoding: str | None) -> str:
    """One line; what the stream has no code for, as half a character that a file's name may hold, is JSON's escape."""
    text = json.dumps(content, ensure_ascii=False)
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content)
    return text


def _parse(words: list[str]) -> tuple[Verb, argparse.Namespace]:
    parser, of_verb = parsers()
    name = words[0] if words else ""
    if not name:
        parser.print_help()
        sys.exit(0)
    if name not in of_verb:
        if not name.startswith("-"):
            from runcard.card.spelling import suggest

            listing = advise("runcard", "--help")
            raise CardError(f"there is no verb {name!r}. {suggest(name, of_verb)} `{listing}` lists them.")
        parser.parse_args(words)  # --help, --version, or a mistake
    # Intermixed: flags may stand between overrides.
    return next(verb for verb in VERBS if verb.name == name), of_verb[name].parse_intermixed_args(words[1:])


def _complete(words: list[str]) -> int:
    from runcard.cli.completion import answer

    text = answer(parsers()[0].parse_args(words).shell_completion)
    print(text, end="\n" if text else "")
    return 0


def _done(verb: Verb, arguments: argparse.Namespace) -> Result:
    """The verb's result, with the packages trusted that were typed; an error in their code is not ours.

    Raises:
        CardError: If their code fails.
    """
    with _trusting(arguments), _quiet(verb, arguments):
        _forget_used()
        try:
            return verb.run(arguments)
        except (RuncardError, PermissionError, BrokenPipeError):
            raise
        except (Exception, SystemExit) as error:
            theirs = _theirs(error)
            if theirs:
                raise CardError(theirs) from error
            raise


def _quiet(verb: Verb, arguments: argparse.Namespace) -> contextlib.AbstractContextManager[Any]:
    """With ``--json`` stdout holds one object, whatever a class of the user's own or a library prints."""
    if arguments.json and verb.name != "serve":  # which says where it is before it becomes the server
        return contextlib.redirect_stdout(sys.stderr)
    return contextlib.nullcontext()


def _forget_used() -> None:
    if "runcard.card.naming.trust" in sys.modules:
        sys.modules["runcard.card.naming.trust"].forget()


def _theirs(error: BaseException) -> str:
    """What to say if the code of a package that the user trusts has failed; empty if it is not that."""
    if "runcard.card.naming.trust" not in sys.modules:
        return ""
    from runcard.card.naming.trust import blamed, said, used

    module = blamed(error)
    if module:
        return f"{module} failed: {said(error)}. Run again with {advise('--traceback')} to see all of it."
    if isinstance(error, Exception) and used():
        names, again = ", ".join(used()), advise("--traceback")
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        return f"{text}. The card names classes of yours, {names}: look at what they take and give, with {again}."
    return ""


def _trusting(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """Trust the packages that were typed, while the verb runs."""
    if not getattr(arguments, "trust", None):
        return contextlib.nullcontext()
    from runcard.card.naming.trust import trusting

    return trusting(arguments.trust)


def _failed(error: BaseException, code: int, text: str, words: Sequence[str]) -> int:
    if "--traceback" in words:
        sys.stderr.write(hidden("".join(traceback.format_exception(error))))
    text = hidden(text)
    print(f"runcard: {visible(text)}", file=sys.stderr)
    if "--json" in words:
        content: dict[str, Any] = {"kind": type(error).__name__, "message": text, "exit_code": code}
        if isinstance(error, CardError):
            content["mistakes"] = [vars(mistake) for mistake in error.mistakes]
        print(hidden(_as_json({"error": content}, sys.stdout.encoding)))
    return code


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into ``Stopped``, which unwinds everything and knows its exit code."""
    stopped = -math.inf

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if time.monotonic() - stopped > ONCE_S and not put_off(signum, frame):
            stopped = time.monotonic()
            raise Stopped(signum)

    before = {signum: signal.signal(signum, stop) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
