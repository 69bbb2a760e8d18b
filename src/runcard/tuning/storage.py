"""Where studies are kept: a SQLite file in the study's folder, or a PostgreSQL server that many machines share."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError, SQLAlchemyError

from runcard.errors import RunError

log = logging.getLogger("runcard")

T = TypeVar("T")
# Longer than any transaction of ours: who waits so long for the file has met a dead disk, not a busy one.
LOCK_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 4
# For a server that is restarted; who waits longer may as well resume later.
PATIENCE_S = 900.0
ASK_AGAIN_EVERY_S = 1.0
# The server's side of the same, for a lock falls only when it knows that its holder is gone.
OF_SERVER = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
# Of a connection whose other end is gone without a word.
TCP = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
# How a server says that it could not be reached or was lost; the last one if it is asked again over what was lost, as
# Optuna does where it reads all trials.
GONE = OperationalError, InterfaceError, PendingRollbackError


class Storage:
    """An open storage.

    Args:
        place: The SQLite file, or the server's URL.

    Attributes:
        patience_s: How long a server that does not answer is waited for, 0 or more.
        pause: Lets some time pass between two attempts; may end the waiting by raising.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = place
        self.shared = isinstance(place, str)
        self.patience_s = PATIENCE_S
        self.pause: Callable[[], None] = lambda: time.sleep(ASK_AGAIN_EVERY_S)
        self.optuna = self._opened()
        self.engine: Engine = self.optuna.engine

    @property
    def name(self) -> str:
        """For people: without a password."""
        return make_url(str(self.place)).render_as_string() if self.shared else str(self.place)

    def close(self) -> None:
        """Let go of all connections."""
        self.optuna.remove_session()
        self.engine.dispose()

    def patiently(self, call: Callable[[], T]) -> T:
        """Ask again and again while a server does not answer; of a file, what it says first counts.

        Args:
            call: What may be done twice: where an answer was lost, nobody knows whether it was done.

        Raises:
            RunError: If it cannot be had at all.
        """
        began, said = time.monotonic(), False
        while True:
            try:
                answer = call()
            except (StorageInternalError, SQLAlchemyError) as error:
                if not self.shared or not _gone(error) or time.monotonic() - began >= self.patience_s:
                    raise self._unusable(error) from error
                if not said:
                    log.warning("the storage %s does not answer (%s); waiting for it", self.name, plain_cause(error))
                said = True
                self.pause()
                continue
            if said:
                log.warning("the storage answers again, after %.0f s", time.monotonic() - began)
            return answer

    @contextlib.contextmanager
    def alone(self, study_name: str) -> Iterator[None]:
        """Among all processes that share a study, be the only one in this part; of a file, there is but one process."""
        with alone(self.engine, f"study/{study_name}") if self.shared else contextlib.nullcontext():
            yield

    def _opened(self) -> RDBStorage:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return _server(str(self.place)) if self.shared else _file(Path(self.place))
        except (StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: BaseException) -> RunError:
        cause = plain_cause(error)
        if self.shared:
            hint = "Look at sweep.storage, and whether the server runs and lets this machine in."
            return RunError(f"cannot reach the storage {self.name}: {cause}. {hint}")
        if "malformed" in cause or "not a database" in cause:
            hint = "What is finished is still in study.json and the run folders. Choose another sweep.name, or put"
            return RunError(f"{self.place} is damaged: {cause}. {hint} a copy of the file in its place.")
        return RunError(f"cannot write {self.place}: {cause}")


def plain_cause(error: BaseException) -> str:
    """The database's own words, such as ``database or disk is full``."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without Optuna's own report of each trial, and without its word that an option may change."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _file(path: Path) -> RDBStorage:
    """A SQLite file that several processes may write: they wait for each other, and readers for nobody."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, LOCK_TIMEOUT_S, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        return connection

    if path.exists():
        with contextlib.closing(sqlite3.connect(path, LOCK_TIMEOUT_S)) as looked:
            (found,) = looked.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(f"malformed: {found.splitlines()[0]}")
    # Connected by hand: in an URL a path with a question mark would end there.
    return RDBStorage("sqlite:///study.db", engine_kwargs={"creator": connect})


def _server(address: str) -> RDBStorage:
    url = driver_url(address)
    settings = {"connect_timeout": CONNECT_TIMEOUT_S, "options": OF_SERVER, **TCP}
    options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": settings}
    first = create_engine(url, **options)
    try:
        with alone(first, "tables"):  # of two that make the same tables at once, one would fail
            return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=options)
    finally:
        first.dispose()


@contextlib.contextmanager
def alone(engine: Engine, name: str) -> Iterator[None]:
    """Among all processes that use a server, be the only one in the part of this name."""
    key = {"name": f"runcard/{name}"}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), key)
        try:
            yield
        finally:
            # Without the connection there is no lock either; one that was found to be lost says so in another way.
            with contextlib.suppress(DBAPIError, PendingRollbackError):
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)


def driver_url(address: str) -> URL:
    """A server's address with the driver that reaches it."""
    return make_url(address).set(drivername="postgresql+psycopg")


def _gone(error: BaseException) -> bool:
    """Whether a server could not be reached, or was lost."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, GONE) or getattr(found, "connection_invalidated", False):
            return True
        found = found.__cause__
    return False
