"""The server that tests of shared studies start."""

from __future__ import annotations

import shutil
import unittest
from pathlib import Path

import pytest

from tests.postgres import MISSING, postgres


@pytest.mark.slow  # needs: apt-get install postgresql
def test_what_was_written_survives_a_crash() -> None:
    psycopg = pytest.importorskip("psycopg")
    with postgres() as server:
        url = server.database("other")
        with psycopg.connect(url) as connection:
            connection.execute("create table numbers (number int)")
            connection.execute("insert into numbers values (3)")
        server.stop("immediate")
        assert not server.running
        with pytest.raises(psycopg.OperationalError, match="refused"):
            psycopg.connect(url)
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("select number from numbers").fetchall() == [(3,)]
    assert not server.folder.exists()
    assert not server.running


def test_without_the_binaries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [])
    with pytest.raises(unittest.SkipTest, match=MISSING), postgres():
        pass
