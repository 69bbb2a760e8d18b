"""Who is told of a run while it trains; a tracker that fails or is out of reach never stops the training."""

from __future__ import annotations

import contextlib
import logging
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytorch_lightning.loggers.logger import DummyLogger, Logger

from runcard.advice import advise
from runcard.card.schema import Card
from runcard.card.sections.loggers import NoLogger, OwnLogger
from runcard.errors import CardError, Pruned, Stopped
from runcard.runs import RunFolder
from runcard.training.csvlog import CsvLogger
from runcard.training.trackers.base import Tracker
from runcard.training.trackers.mlflow import Mlflow
from runcard.training.trackers.owntracker import OwnTracker
from runcard.training.trackers.patience import patience
from runcard.training.trackers.tensorboard import TensorBoard
from runcard.training.trackers.wandb import Wandb

log = logging.getLogger("runcard")

TRACKERS: dict[str, type[Tracker]] = {
    "pytorch_lightning.loggers.TensorBoardLogger": TensorBoard,
    "pytorch_lightning.loggers.MLFlowLogger": Mlflow,
    "pytorch_lightning.loggers.WandbLogger": Wandb,
}


@contextlib.contextmanager
def told(card: Card, run: RunFolder, history: list[dict[str, float]]) -> Iterator[list[Logger]]:
    """Who is told of a run, for as long as the context lasts: the history as a file, and the card's tracker.

    Args:
        card: With nothing left on ``auto``.
        run: Its folder.
        history: The numbers of the epochs that are over; training goes on from the next.

    Raises:
        CardError: If a package is not installed, or the process has a wandb run open.
        RunError: If the history cannot be written.
    """
    if isinstance(card.logger, NoLogger):
        yield []
        return
    with contextlib.ExitStack() as stack:
        # The file first: a tracker that lacks epochs reads them there.
        loggers: list[Logger] = [CsvLogger(run.history, history)]
        stack.enter_context(closing(loggers[0]))
        if card.logger.target_class in TRACKERS or isinstance(card.logger, OwnLogger):
            loggers.append(make_logger(card, run, len(history)))
            stack.enter_context(closing(loggers[1]))
        yield loggers


def make_logger(card: Card, run: RunFolder, first_epoch: int = 0) -> Guarded:
    """The card's tracker, begun, and told the card.

    ``log_metrics(metrics, step=epoch)`` takes an epoch; without ``step`` the final numbers, under names that no epoch
    has. ``finalize`` takes ``success``, ``failed`` or ``stopped``; nothing is taken after it.

    Args:
        card: With nothing left on ``auto``.
        run: Its folder; ``tracker.json`` in it says which of the tracker's runs to go on with.
        first_epoch: The epoch that training goes on from. Earlier ones come from the history where the tracker lacks
            them; later ones that it already holds are held once.

    Raises:
        CardError: If a package is not installed, or the process has a wandb run open.
    """
    return Guarded(TRACKERS.get(card.logger.target_class, OwnTracker)(card, run, first_epoch))


@contextlib.contextmanager
def closing(logger: Logger) -> Iterator[None]:
    """Tell a logger how training ended."""
    try:
        yield
    except Pruned:
        logger.finalize("success")
        raise
    except Exception:
        logger.finalize("failed")
        raise
    except BaseException:
        logger.finalize("stopped")
        raise
    logger.finalize("success")


class Guarded(Logger):
    """Passes all to a tracker until that fails: then it says so once, and training goes on without it.

    Args:
        tracker: Not begun yet.

    Raises:
        CardError: If the tracker cannot begin for a reason that the user must mend.
    """

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self._tracker = tracker
        self._listening = True
        self._epochs = tracker.first_epoch
        try:
            with patience():
                tracker.begin()
        except ModuleNotFoundError as error:
            named = f" ({error.name})" if error.name else ""
            raise CardError(
                f"logger: this one needs a package that is not installed{named}: "
                f"{advise('pip', 'install', f'runcard[{tracker.kind}]')}"
            ) from error
        except CardError:
            self._let_go()
            raise
        except Exception as error:
            self._give_up("begin", error)

    @property
    def name(self) -> str:
        """The tracker's kind."""
        return self._tracker.kind

    @property
    def version(self) -> str | int | None:
        """What the tracker calls the run; None if it could not be reached."""
        return self._tracker.logger.version if self._tracker.logger is not None else None

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return str(self._tracker.run.path)

    @property
    def experiment(self) -> Any:
        """The tracker's own object, not guarded; one that takes any call and does nothing when the tracker failed."""
        logger = self._tracker.logger if self._listening else None
        return getattr(logger or DummyLogger(), "experiment", None)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the tracker has the card."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Pass on the numbers of an epoch; without a step, those of the whole run."""
        numbers = {name: float(value) for name, value in metrics.items() if value is not None}
        if step is None:
            self._pass("take the final numbers", lambda: self._tracker.log_final(numbers, self._epochs))
        else:
            self._epochs = max(self._epochs, step + 1)
            self._pass("take an epoch", lambda: self._tracker.log(numbers, step))

    def attach(self) -> None:
        """Have the tracker keep the files that the card chooses; one that it cannot take is said, and lost alone."""
        for path in self._tracker.chosen():
            if not self._listening:
                return
            try:
                with patience():
                    self._tracker.attach(path)
            except Exception as error:
                log.warning("%s could not take %s: %s", self.name, path, _reason(error))

    def finalize(self, status: str) -> None:
        """End the tracker's run, once."""
        # Lightning calls a run that a signal stopped a failed one.
        stopped = isinstance(sys.exception(), KeyboardInterrupt | Stopped)
        self._pass("close the run", lambda: self._tracker.close("stopped" if stopped else status))
        self._listening = False

    def _pass(self, what: str, call: Callable[[], None]) -> None:
        if not self._listening:
            return
        try:
            with patience():
                call()
        except Exception as error:
            self._give_up(what, error)

    def _give_up(self, what: str, error: Exception) -> None:
        where = self._tracker.run.history
        log.warning(
            "%s could not %s: %s. Training goes on; its history is in %s", self.name, what, _reason(error), where
        )
        self._let_go()

    def _let_go(self) -> None:
        self._listening = False
        with contextlib.suppress(Exception), patience():
            self._tracker.abandon()


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
