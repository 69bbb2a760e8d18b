"""Trust follows the owner: of a file, of every folder on the way to it, and of every link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import runcard
from runcard.card import project
from runcard.errors import CardError
from runcard.owner import is_ours, not_ours, not_ours_in
from tests.conftest import Command

OTHER = 4_000_000
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
TRUST = "[tool.runcard]\ntrust = ['mine']\n"
NET = "import torch\n\nclass Net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(1, 1)\n"


def give_away(path: Path) -> None:
    os.chown(path, OTHER, OTHER, follow_symlinks=False)


def test_a_file_of_ones_own(away: Path) -> None:
    (away / "a" / "b").mkdir(parents=True)
    (away / "a" / "b" / "file").touch()
    (away / "link").symlink_to("a")
    (away / "a" / "up").symlink_to("../link/b/file")
    for place in ("a", "a/b", "a/b/file", "link", "link/b/file", "a/up", "a/b/../b/file"):
        assert is_ours(away / place), place


@pytest.mark.parametrize("theirs", ["a", "a/b", "a/b/file", "link", "a/up"])
def test_whatever_of_the_way_is_anothers(theirs: str, away: Path) -> None:
    (away / "a" / "b").mkdir(parents=True)
    (away / "a" / "b" / "file").touch()
    (away / "link").symlink_to("a")
    (away / "a" / "up").symlink_to("../link/b/file")
    give_away(away / theirs)
    assert not_ours(away / "a" / "up") == away / theirs


def test_a_link_of_anothers_to_ones_own_file(away: Path) -> None:
    (away / "file").touch()
    (away / "theirs").symlink_to("file")
    give_away(away / "theirs")
    assert (is_ours(away / "file"), is_ours(away / "theirs")) == (True, False)


@pytest.mark.parametrize("target", ["self", "nowhere", "/nowhere/at/all"])
def test_what_leads_nowhere_is_nobodys(target: str, away: Path) -> None:
    (away / "self").symlink_to(target)
    assert not is_ours(away / "self")
    assert not is_ours(away / "self" / "below")


def test_links_to_links(away: Path) -> None:
    (away / "0").touch()
    for number in range(1, 60):
        (away / f"{number}").symlink_to(f"{number - 1}")
    assert is_ours(away / "30")
    assert not is_ours(away / "59")


def test_what_lies_in_a_folder(away: Path) -> None:
    (away / "a" / "b").mkdir(parents=True)
    (away / "a" / "b" / "file").touch()
    (away / "a" / "link").symlink_to("/etc")
    assert not_ours_in(away / "a") is None
    give_away(away / "a" / "link")
    assert not_ours_in(away / "a") == away / "a" / "link"


@pytest.mark.parametrize("theirs", ["project", "project/pyproject.toml", "project/link.toml"])
def test_a_project_that_another_can_change(theirs: str, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "project" / "inside").mkdir(parents=True)
    file = away / "project" / "pyproject.toml"
    if "link" in theirs:
        (away / "elsewhere.toml").write_text(TRUST)
        (away / "project" / "link.toml").symlink_to(away / "elsewhere.toml")
        file.symlink_to("link.toml")
    else:
        file.write_text(TRUST)
    monkeypatch.chdir(away / "project" / "inside")
    assert project.find().trust == ("mine",)
    give_away(away / theirs)
    assert project.find().trust == ()
    with pytest.raises(CardError, match="belongs to another user, and is not read"):
        runcard.load_card(["model._target_=mine.Net"])


def test_a_folder_of_groups_that_another_can_change(away: Path, command: Command) -> None:
    (away / "theirs" / "model").mkdir(parents=True)
    (away / "cards").symlink_to("theirs")
    (away / "pyproject.toml").write_text("[tool.runcard]\nconfig_dir = 'cards'\n")
    assert command("check", "data=wine").code == 0
    give_away(away / "theirs")
    said = command("check", "data=wine")
    assert (said.code, f"{away / 'theirs'} belongs to another user" in said.err) == (2, True), said.err
    assert command("check", "data=wine", "--config-dir", "theirs").code == 0


@pytest.mark.parametrize("theirs", ["mine", "mine/__init__.py", "mine/below", "mine/below/net.py", "src"])
def test_a_package_that_another_can_change(theirs: str, away: Path, command: Command) -> None:
    (away / "pyproject.toml").write_text(TRUST)
    root = away / "src" if theirs == "src" else away
    (root / "mine" / "below").mkdir(parents=True)
    (root / "mine" / "__init__.py").write_text(f"{NET}\nopen({str(away / 'ran')!r}, 'w')\n")
    (root / "mine" / "below" / "net.py").touch()
    give_away(away / theirs)
    said = command("check", "data=wine", "model._target_=mine.Net")
    assert (said.code, "belongs to another user, and so 'mine' is not imported" in said.err) == (2, True), said.err
    assert not (away / "ran").exists()
