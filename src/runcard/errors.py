"""Every error a user can meet, with its exit code.

    RuncardError            1    a fault of ours, or of the machine
    ├── CardError           2    the card or the command line is wrong; holds every mistake found
    │   ├── RunError        2    what was named as a run or study is not one, or cannot be used or written
    │   ├── BundleError     2    what was named as a bundle is not one, or is not what was packaged
    │   └── TrainingError   2    the card cannot be trained: the loss is no number, memory is short
    ├── ParityError         3    the bundle would not answer as the run did
    ├── ScoreError          3    the model is not as good as its card asks
    └── DataError           4    the data is missing or wrong
``Stopped`` is no error: a signal asked the process to end (130 for Ctrl-C, 143 for SIGTERM).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import ClassVar

# More than a screen of them helps nobody; --json has all.
MAX_LISTED = 50


class RuncardError(Exception):
    """Root of every error that Runcard raises on purpose."""

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a card.

    Attributes:
        key: Dotted path in the card, or the override as it was typed.
        message: What is wrong, with the value and what was expected.
        where: File and line, or the override, that set the value; empty if nothing set it.
        hint: What to do, such as the nearest right name; may be empty.
    """

    key: str
    message: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"  ({self.where})" if self.where else ""
        hint = f"\n      {self.hint}" if self.hint else ""
        return f"{self.key}: {self.message}{place}{hint}"


class CardError(RuncardError):
    """The card or the command line is wrong."""

    exit_code = 2

    def __init__(self, problem: str | list[Mistake]) -> None:
        self.mistakes = [] if isinstance(problem, str) else problem
        super().__init__(problem if isinstance(problem, str) else _listed(problem))


class RunError(CardError):
    """A run folder is missing, unfinished, damaged, or cannot be written."""


class BundleError(CardError):
    """A bundle is missing, damaged, or no bundle at all."""


class ParityError(RuncardError):
    """What would be served does not answer as what was evaluated."""

    exit_code = 3


class ScoreError(RuncardError):
    """The model's score on the test rows is worse than the card's ``problem.least_value``."""

    exit_code = 3


class TrainingError(CardError):
    """The card is right in form and cannot be trained; the message says what to change in it."""


class DataError(RuncardError):
    """The data is missing, unreadable, or cannot be learned from."""

    exit_code = 4

    def __init__(self, message: str, *quoted: str) -> None:
        self._quoted = quoted
        super().__init__(message)

    def without_values(self) -> str:
        """The message without what stands in the data: for whom it may be too much, or a stranger's."""
        message = str(self)
        for text in filter(None, self._quoted):
            message = message.replace(text, "…")
        return message


class Stopped(BaseException):
    """A signal asked the process to end.

    Not an ``Exception``: nothing on the way up may swallow it, and Lightning passes it on where it would turn a
    ``KeyboardInterrupt`` into exit code 1.
    """

    def __init__(self, signum: int) -> None:
        # What a cluster sends before it takes the machine back asks for the same as "end now".
        self.exit_code = 128 + (signal.SIGTERM if signum == signal.SIGUSR1 else signum)
        self.go_on = ""  # the command that goes on from here, if there is one
        super().__init__(f"stopped by {signal.Signals(signum).name}")


def _listed(mistakes: list[Mistake]) -> str:
    count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    more = [f"  … and {len(mistakes) - MAX_LISTED} more"] if len(mistakes) > MAX_LISTED else []
    return "\n".join([f"the card has {count}:", *(f"  - {mistake}" for mistake in mistakes[:MAX_LISTED]), *more])


class Pruned(Exception):  # noqa: N818  # nothing went wrong
    """Training was ended early because someone who was told of its epochs saw no point in more; see ``Report``."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        super().__init__(f"pruned after {epochs} epochs")
