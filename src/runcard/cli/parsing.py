"""The command line's parsers, one for each verb."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from runcard import __version__
from runcard.advice import advise
from runcard.cli.verbs import VERBS
from runcard.errors import CardError

EPILOG = """\
start here:
  runcard fit                                      a first run: handwritten digits, a few seconds
  runcard init my_project --data my.csv --target my_column
  runcard VERB --help                              what a verb takes, with an example

one of these lines in the file that your shell reads first completes verbs, groups, choices and keys with TAB:
  eval "$(runcard --shell-completion install=bash)"     ~/.bashrc
  eval "$(runcard --shell-completion install=zsh)"      ~/.zshrc, below compinit
  runcard --shell-completion install=fish | source      ~/.config/fish/config.fish

exit codes: 0 done; 1 a fault of ours; 2 the card or the command line is wrong; 3 a check said no;
            4 the data is wrong; 130 Ctrl-C; 143 SIGTERM
"""


class StoreOnce(argparse.Action):
    """Keeps the value of an option that is given once; of two, argparse would drop the first without a word."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Keep it.

        Raises:
            CardError: If there is one already.
        """
        assert isinstance(parser, Parser)
        if option and self.dest in parser.given:
            before = getattr(namespace, self.dest)
            parser.error(f"{option} is given twice, as {before!r} and as {values!r}: leave one of them out")
        parser.given.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Says a mistake as any other is said, also as JSON.

    Attributes:
        given: What was set by the line that is being parsed.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)
        self.given: set[str] = set()
        for name in (None, "store"):
            self.register("action", name, StoreOnce)

    def parse_known_args(self, *words: Any, **more: Any) -> Any:
        """As argparse does, from a clean slate."""
        self.given = set()
        return super().parse_known_args(*words, **more)

    def error(self, message: str) -> NoReturn:
        """Give the mistake to who called.

        Raises:
            CardError: Always.
        """
        command = advise(*self.prog.split(), "--help")
        raise CardError(f"{message}. {self._meant(message)}`{command}` says what it takes.")

    def _meant(self, message: str) -> str:
        """The flag that is nearest to one that there is not."""
        from runcard.card.spelling import nearest

        word = message.removeprefix("unrecognized arguments: ").split()[0].partition("=")[0]
        if word == message.split()[0] or not word.startswith("-"):
            return ""
        near = nearest(word, [flag for flag in self._option_string_actions if flag.startswith("--")])
        return (
            f"Did you mean {' or '.join(advise(one) for one in near)}? "
            if near
            else f"A key of the card has no dashes: {advise(word.strip('-') + '=VALUE')}. "
        )


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole line, and verb → the parser of what follows it."""
    parser = Parser(
        prog="runcard",
        description="Write an experiment as a card: check it, train it, tune it, package it, serve it.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"runcard {__version__}")
    completion = "install=SHELL prints what a shell needs to complete a line, uninstall=SHELL what takes it away again"
    parser.add_argument("-sc", "--shell-completion", metavar="WHAT", help=f"{completion}; bash, zsh or fish")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs", parser_class=Parser)
    of_verb: dict[str, Parser] = {}
    for verb in VERBS:
        said = f"{verb.help[0].upper()}{verb.help[1:]}."
        of_verb[verb.name] = verbs.add_parser(
            verb.name, help=verb.help, description=said, epilog=f"example:\n  {verb.example}"
        )
        verb.add_arguments(of_verb[verb.name])
        of_verb[verb.name].add_argument("--json", action="store_true", help="print one JSON object on stdout")
        of_verb[verb.name].add_argument("--traceback", action="store_true", help="show where an error came from")
    return parser, of_verb
