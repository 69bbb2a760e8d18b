"""The folder from which ``bentoml build`` makes a Bento, where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from runcard.deploying import bento
from tests.conftest import Command, Made
from tests.servers import BIN, HANG_S, ROOT, bentoml_serve


@pytest.fixture
def lone_store(away: Path, table_made: Made) -> Path:
    """BentoML's folder, with one bundle in it."""
    home = away / "home"
    name, _, version = table_made.bundle.tag.partition(":")
    shutil.copytree(table_made.bundle.path, home / "models" / name / version)
    return home


def test_it_holds_what_the_checkouts_bento_holds(command: Command, table_made: Made, away: Path) -> None:
    said = command("deploy", "--target", "bento", table_made.bundle.tag, "--json")
    assert said.code == 0, said.err
    folder = away / "bento"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {*said.json["files"]} == there
    assert (folder / "bentofile.yaml").read_text() == (ROOT / "bentofile.yaml").read_text()
    for pattern in yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]:
        expected = [path for path in ROOT.glob(pattern) if path.is_file()]
        assert expected, pattern
        for path in expected:
            assert (folder / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert "src/runcard/serving/web/page.html" in there
    assert not [name for name in there if "__pycache__" in name or "training" in name]
    page = (folder / "README.md").read_text()
    assert f"RUNCARD_BUNDLE={table_made.bundle.tag} bentoml build ." in page


def test_what_it_says(command: Command, table_made: Made, away: Path) -> None:
    tag = table_made.bundle.tag
    said = command("deploy", "--target", "bento", tag, "-o", "packed")
    assert f"next     RUNCARD_BUNDLE={tag} bentoml build packed\n" in said.out
    assert command("deploy", "--target", "bento", tag, "-o", "packed").code == 2
    for option in ("--image=x:1", "--name=a", "--workers=2"):
        said = command("deploy", "--target", "bento", option, "-o", "other")
        assert (said.code, said.err) == (
            2,
            f"runcard: {option.partition('=')[0]}: a Bento has none; it is for the targets compose and kubernetes\n",
        )
    assert "there is no bundle nothing:1" in command("deploy", "--target", "bento", "nothing:1").err
    assert [path.name for path in away.iterdir()] == ["packed"]


def test_a_bundle_for_torch_needs_more_and_it_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bento, "find_bundle", lambda _: ("own:1", {"runtime": "torch"}))
    assert (
        "note     the bundle is served with torch: bentofile.yaml says which"
        in command("deploy", "--target", "bento").out
    )


@pytest.mark.slow
def test_a_bento_is_built_of_it_and_answers(command: Command, lone_store: Path, table_made: Made, away: Path) -> None:
    said = command("deploy", "--target", "bento", table_made.bundle.tag)
    (line,) = [line.removeprefix("next     ") for line in said.out.splitlines() if line.startswith("next")]
    environment = {**os.environ, "BENTOML_HOME": str(lone_store), "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", line], env=environment, capture_output=True, timeout=HANG_S, check=True)
    rows = [{"age": 45.0, "city": "Ulm", "member": True, "spent": 100.0}]
    with bentoml_serve(away, target="runcard-service:latest", BENTOML_HOME=str(lone_store)) as service:
        (answer,) = service.post(rows)[1]
    assert answer["model_version"] == table_made.bundle.tag
