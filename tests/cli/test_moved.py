"""Rows and runs that were moved: the way is said, and what is said works; nothing else of a finished run is changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from runcard.runs import RunFolder
from tests.conftest import TINY, Command

ROWS = "x,y\n" + "".join(f"{i % 7},{'ab'[i % 3 > 0]}\n" for i in range(60))


@pytest.fixture
def moved(command: Command) -> Path:
    """A finished run whose rows lie elsewhere now."""
    Path("rows.csv").write_text(ROWS)
    words = ["data=table", "data.path=rows.csv", "problem.target=y", "model=linear", *TINY]
    run = Path(command("fit", *words, "--json").json["run"])
    Path("there").mkdir()
    shutil.move("rows.csv", "there/rows.csv")
    return run


@pytest.mark.parametrize("words", [["evaluate"], ["package", "--no-http"]])
def test_the_way_to_moved_rows_is_said_and_works(words: list[str], moved: Path, command: Command) -> None:
    verb, *options = words
    done = command(verb, str(moved), *options)
    assert done.code == 4
    (way,) = re.findall(r"If it was moved, add (data\.path=)FILE\.", done.err)
    again = command(verb, str(moved), f"{way}there/rows.csv", *options)
    assert again.code == 0, again.err
    assert f"path: {Path('rows.csv').absolute()}" in (moved / "card.yaml").read_text(), "the card stays as it was"


def test_a_stopped_run_goes_on_with_moved_rows(moved: Path, command: Command) -> None:
    folder = RunFolder(moved)
    for file in (folder.last, folder.metrics):
        file.unlink()
    assert "add data.path=FILE" in command("resume", str(moved)).err
    assert command("resume", str(moved), "data.path=there/rows.csv").code == 0


def test_other_rows_are_refused_there_too(moved: Path, command: Command) -> None:
    Path("other.csv").write_text(ROWS.replace("6,", "5,"))
    done = command("evaluate", str(moved), "data.path=other.csv")
    assert done.code == 4
    assert "the data has changed since the run" in done.err


def test_a_finished_run_takes_no_other_overrides(moved: Path, command: Command) -> None:
    done = command("resume", str(moved), "optimizer.lr=6")
    assert done.code == 2
    assert f"`runcard fit {moved / 'card.yaml'}` trains another" in done.err
    assert command("resume", str(moved), "data.path=there/rows.csv").code == 0


@pytest.mark.parametrize("word", ["optimizer.lr=6", "data.kinds={}", "data.path=null", "nonsense"])
def test_nothing_else_of_a_run_is_said_anew(word: str, moved: Path, command: Command) -> None:
    for verb in ("evaluate", "package", "resume"):
        if verb == "resume":
            (moved / "metrics.json").unlink()
        done = command(verb, str(moved), word)
        is_file = verb == "evaluate" and "=" not in word  # a file of rows to be scored on
        assert done.code == (4 if is_file else 2)
        assert ("nonsense: files of rows end in .csv" if is_file else "the card has one mistake") in done.err
    assert word == "nonsense" or f"`runcard fit {moved / 'card.yaml'}` trains another" in done.err
