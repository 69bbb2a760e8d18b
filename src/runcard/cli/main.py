"""The ``runcard`` command: find the verb, run it, say what went wrong, exit with the right code."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from runcard import __version__
from runcard.cli.verbs import VERBS, Verb
from runcard.errors import CardError, RuncardError, Stopped
from runcard.interrupts import SIGNALS

# Who stops a process often tells its group too, so that it hears it twice; a person who means it waits longer.
ONCE_S = 1.0

EPILOG = """\
start here:
  runcard fit                                      a first run: handwritten digits, a few seconds
  runcard fit data=table data.path=my.csv problem.target=my_column
  runcard VERB --help                              what a verb takes, with an example

exit codes: 0 done; 1 a fault of ours; 2 the card or the command line is wrong; 3 a check said no;
            4 the data is wrong; 130 Ctrl-C; 143 SIGTERM
"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process."""
    words = list(sys.argv[1:] if argv is None else argv)
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
    try:
        verb, arguments = _parse(list(words))
        with _trusting(arguments):
            result = verb.run(arguments)
    except RuncardError as error:
        return _failed(error, error.exit_code, str(error), words)
    except PermissionError as error:
        text = f"no permission for {error.filename}: mend its permissions, or choose another place"
        return _failed(error, CardError.exit_code, text, words)
    except BrokenPipeError:
        raise
    except Exception as error:  # the last stand: a fault of ours must not look like the user's
        text = f"a fault in Runcard: {type(error).__name__}: {error}"
        text += "\nRun again with --traceback, and please report what it shows."
        return _failed(error, 1, text, words)
    print(result.text, file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps(result.data, ensure_ascii=False))
    return result.exit_code


class _Parser(argparse.ArgumentParser):
    """Says a mistake as any other is said, also as JSON."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise CardError(f"{message}. `{self.prog} --help` says what it takes.")


def _parse(words: list[str]) -> tuple[Verb, argparse.Namespace]:
    parser = _Parser(
        prog="runcard",
        description="Write an experiment as a card: check it, train it, tune it, package it, serve it.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"runcard {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    parsers = {}
    for verb in VERBS:
        parsers[verb.name] = verbs.add_parser(
            verb.name,
            help=verb.help,
            description=f"{verb.help[0].upper()}{verb.help[1:]}.",
            epilog=f"example:\n  {verb.example}",
        )
        verb.add_arguments(parsers[verb.name])
        parsers[verb.name].add_argument("--json", action="store_true", help="print one JSON object on stdout")
        parsers[verb.name].add_argument("--traceback", action="store_true", help="show where an error came from")
    if words[:1] in (["-sc"], ["--shell-completion"]):
        # The script that Hydra installs asks for completions before any verb; the line it completes holds one.
        words = ["fit", *words]
    name = words[0] if words else ""
    if not name:
        parser.print_help()
        sys.exit(0)
    if name not in parsers:
        if not name.startswith("-"):
            from runcard.card.spelling import suggest

            raise CardError(f"there is no verb {name!r}. {suggest(name, parsers)} `runcard --help` lists them.")
        parser.parse_args(words)  # --help, --version, or a mistake
    # Intermixed: flags may stand between overrides.
    return next(verb for verb in VERBS if verb.name == name), parsers[name].parse_intermixed_args(words[1:])


def _trusting(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """Trust the packages that were typed, while the verb runs."""
    if not getattr(arguments, "trust", None):
        return contextlib.nullcontext()
    from runcard.card.trust import trusting

    return trusting(arguments.trust)


def _failed(error: BaseException, code: int, text: str, words: Sequence[str]) -> int:
    if "--traceback" in words:
        traceback.print_exception(error)
    print(f"runcard: {text}", file=sys.stderr)
    if "--json" in words:
        content: dict[str, Any] = {"kind": type(error).__name__, "message": text, "exit_code": code}
        if isinstance(error, CardError):
            content["mistakes"] = [vars(mistake) for mistake in error.mistakes]
        print(json.dumps({"error": content}, ensure_ascii=False))
    return code


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into ``Stopped``, which unwinds everything and knows its exit code."""
    stopped = -math.inf

    def stop(signum: int, _: object) -> None:
        nonlocal stopped
        if time.monotonic() - stopped > ONCE_S:
            stopped = time.monotonic()
            raise Stopped(signum)

    before = {signum: signal.signal(signum, stop) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
