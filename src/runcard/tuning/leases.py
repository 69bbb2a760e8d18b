"""Who works on which trial, written down beside the trials, so that each is worked on by one process only.

A lease is held by renewing it. One that was not renewed in time is anybody's: whoever takes it raises its fencing
number, and what its former holder, who was only slow, says afterwards does not count. Optuna's own heartbeats act
only within ``study.optimize``. Time is the storage's, for machines disagree about it.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    extract,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

# Longer than a storage that is restarted keeps anybody waiting.
LEASE_S = 90.0
RENEW_EVERY_S = 15.0

TABLE = Table(
    "runcard_leases",
    MetaData(),
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(200), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires", Float(53), nullable=False),
)


@dataclass(frozen=True)
class Lease:
    """The right to work on a trial.

    Attributes:
        number: Of the trial.
        fence: How often the trial has changed hands, from 1.
    """

    number: int
    fence: int


class Leases:
    """The leases of one study, of which this process holds some.

    Args:
        engine: Of the storage.
        study_id: The study's key in it.
        sole: Whether no other process can be at work on the study.
    """

    def __init__(self, engine: Engine, study_id: int, *, sole: bool) -> None:
        self.engine = engine
        self.sole = sole
        self.study_id = study_id
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{_begun(os.getpid())}:{uuid.uuid4().hex[:8]}"
        TABLE.metadata.create_all(engine)

    def claim(self, number: int) -> Lease | None:
        """Take a trial that nobody works on and this process does not hold; None: somebody does."""
        with self.engine.begin() as connection:
            mine = TABLE.c.study_id == self.study_id, TABLE.c.number == number
            row = connection.execute(select(TABLE.c.owner, TABLE.c.fence, self._left()).where(*mine)).first()
            if row is not None and not self._free(row.owner, row.left):
                return None
            fence = 1 if row is None else row.fence + 1
            values: dict[str, Any] = {"owner": self.owner, "fence": fence, "expires": self._now() + LEASE_S}
            if row is None:
                return self._inserted(connection, number, values)
            # Only as it was when it was read: of two that take it, one wins.
            changed = connection.execute(update(TABLE).where(*mine, TABLE.c.fence == row.fence).values(**values))
            return Lease(number, fence) if changed.rowcount == 1 else None

    def held(self, lease: Lease) -> bool:
        """Whether a lease is still this process's."""
        with self.engine.connect() as connection:
            found = select(TABLE.c.number).where(*self._where(lease))
            return connection.execute(found).first() is not None

    def give_back(self, lease: Lease) -> None:
        """Work on a trial no more: it is finished, or anybody may go on with it."""
        with self.engine.begin() as connection:
            connection.execute(delete(TABLE).where(*self._where(lease)))

    def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        """Hold leases for another while.

        Returns:
            Those that have been lost.
        """
        lost = []
        with self.engine.begin() as connection:
            for lease in leases:
                longer = update(TABLE).where(*self._where(lease)).values(expires=self._now() + LEASE_S)
                if connection.execute(longer).rowcount != 1:
                    lost.append(lease)
        return lost

    def _inserted(self, connection: Connection, number: int, values: dict[str, Any]) -> Lease | None:
        try:
            connection.execute(insert(TABLE).values(study_id=self.study_id, number=number, **values))
        except IntegrityError:
            return None
        return Lease(number, 1)

    def _where(self, lease: Lease) -> tuple[ColumnElement[bool], ...]:
        here = TABLE.c.study_id == self.study_id
        return here, TABLE.c.number == lease.number, TABLE.c.owner == self.owner, TABLE.c.fence == lease.fence

    def _now(self) -> ColumnElement[float]:
        """Seconds since 1970, by the storage's clock."""
        if self.engine.dialect.name == "sqlite":
            return literal_column("((julianday('now') - 2440587.5) * 86400.0)", Float)
        return func.cast(extract("epoch", func.clock_timestamp()), Float(53))

    def _left(self) -> ColumnElement[float]:
        return (TABLE.c.expires - self._now()).label("left")

    def _free(self, owner: str, left: float) -> bool:
        """Whether a lease has run out, or its holder is known to be gone."""
        # Its own is of a claim whose answer was lost.
        if left < 0 or self.sole or owner == self.owner:
            return True
        host, pid, begun, _ = owner.rsplit(":", 3)
        return host == socket.gethostname() and _begun(int(pid)) != begun


def _begun(pid: int) -> str:
    """When a process was started, by which it is told from a later one with its number; empty: there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
