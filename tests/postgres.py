"""A real PostgreSQL server in a folder of its own, for tests and ``bench/chaos.py``; Debian's binaries are enough."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.servers import HANG_S, free_port

MISSING = "install postgresql: apt-get install postgresql"
# A crash of the server is tried, of the machine not: what is written reaches the kernel, and none waits for a disk.
SETTINGS = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
Shutdown = Literal["smart", "fast", "immediate"]


@dataclass
class Postgres:
    """A server that runs, or was stopped.

    Attributes:
        port: On 127.0.0.1; the same after each start.
        folder: Holds its data and ``log``; gone at the end.
        programs: Where ``pg_ctl`` and its like are.
    """

    port: int
    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        """Of a database that is there from the start, as SQLAlchemy reads it; no password is asked."""
        return self._url("postgres")

    def database(self, name: str) -> str:
        """Make another database, empty; its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return self._url(name)

    def start(self) -> None:
        """Start, and come back when it answers."""
        settings = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        self._control("start", "-l", str(self.folder / "log"), "-o", f"-p {self.port} {settings}")

    def stop(self, mode: Shutdown = "fast") -> None:
        """Stop, and come back when it is down.

        Args:
            mode: ``smart`` waits until all clients have left, ``fast`` sends them away, ``immediate`` is as a crash.
        """
        self._control("stop", "-m", mode)

    def lose_connections(self, database: str) -> None:
        """End all connections to a database, and come back when they are gone."""
        gone = f"SELECT pg_terminate_backend(pid, {1000 * HANG_S}) FROM pg_stat_activity WHERE datname = '{database}'"
        self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "template1", "-c", gone)

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        words = [str(self.programs / "pg_ctl"), "status", "-D", str(self.folder / "data")]
        return subprocess.run(words, cwd="/", **_output(), **_owner()).returncode == 0

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _control(self, verb: str, *words: str) -> None:
        self._run("pg_ctl", verb, "-w", "-t", str(HANG_S), "-D", str(self.folder / "data"), *words)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run([str(self.programs / program), *words], cwd="/", **_output(), **_owner())
        if done.returncode:
            log = self.folder / "log"
            said = log.read_text() if log.exists() else ""
            raise RuntimeError(f"{program} {words[0]} ended with {done.returncode}:\n{done.stdout}{said}")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that answers, without any of the user's settings; stopped and removed at the end.

    Raises:
        SkipTest: If the binaries are missing, which pytest takes as a reason to skip.
    """
    programs = _programs()
    # Not pytest's folder: that one is closed to the server's owner.
    folder = Path(tempfile.mkdtemp(prefix="runcard-postgres-"))
    try:
        if _owner():
            shutil.chown(folder, *_owner().values())
        server = Postgres(free_port(), folder, programs)
        server._run("initdb", "-D", str(folder / "data"), *INITDB)
        server.start()
        try:
            yield server
        finally:
            if server.running:
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder with the newest server's binaries; Debian keeps them off the search path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = [path for path in debian if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise unittest.SkipTest(MISSING)
    return found[-1] if found else Path(str(on_path)).resolve().parent


def _owner() -> Mapping[str, Any]:
    """As whom it runs: PostgreSQL refuses root, and its package made a user."""
    if os.geteuid():
        return {}
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        raise unittest.SkipTest(MISSING) from None
    return {"user": account.pw_uid, "group": account.pw_gid}


def _output() -> Mapping[str, Any]:
    """One stream, and no terminal that it could hold."""
    return {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
