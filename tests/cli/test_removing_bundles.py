"""``rm`` of bundles: by their full names, not while they are needed, and BentoML's store is right afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from runcard.packaging import bundle, stored
from tests.conftest import Command, Made

Put = Callable[..., str]


@pytest.fixture
def store(away: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """Puts bundles into a store of the test's own, as far as ``rm`` looks at them."""
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models.model import ModelStore

    home = away / "bentoml"
    monkeypatch.setenv("BENTOML_HOME", str(home))
    BentoMLContainer.model_store_dir.set(str(home / "models"))
    BentoMLContainer.model_store.set(ModelStore(home / "models"))
    BentoMLContainer.bento_store_dir.set(str(home / "bentos"))

    def put(tag: str, run: str = "", *, day: int = 1) -> str:
        folder = stored.folder_of(tag)
        assert folder is not None
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        (folder / "manifest.sha256").write_text("")
        (folder / "bundle.json").write_text(json.dumps({"run": run, "created": f"2026-01-0{day}T00:00:00+00:00"}))
        (folder.parent / "latest").write_text(folder.name)
        return tag

    yield put
    BentoMLContainer.model_store_dir.reset()
    BentoMLContainer.model_store.reset()
    BentoMLContainer.bento_store_dir.reset()


def test_a_bundle_goes(command: Command, store: Put) -> None:
    store("wine:one", day=1)
    store("wine:two", day=2)
    said = command("rm", "wine:two", "--yes")
    assert (said.code, "note: it is the newest bundle" in said.out) == (0, True), said.err
    assert [path.name for path in stored.models_dir().glob("*/*")] == ["one"], "BentoML looks for the newest again"
    assert command("rm", "wine:one", "--yes").code == 0
    assert not any(stored.models_dir().iterdir())
    assert [path.name for path in stored.models_dir().parent.iterdir()] == ["models"]


def test_a_real_bundle_goes(command: Command, table_made: Made, store: Put) -> None:
    tag = table_made.bundle.tag
    folder = stored.folder_of(tag)
    assert folder is not None
    shutil.copytree(table_made.bundle.path, folder)
    run = shutil.copytree(table_made.run.path, Path("runs/table") / "one")
    about = json.loads((folder / bundle.ABOUT).read_text())
    (folder / bundle.ABOUT).write_text(json.dumps(about | {"run": str(run.absolute())}))
    assert command("rm", "runs/table/one", "--yes").out.splitlines()[1] == (
        f"  note: the bundle {tag} was made of it and stays; it cannot be packaged again"
    )
    assert command("rm", tag, "--yes", "--json").json["removed"][0]["name"] == tag
    assert f"there is no bundle {tag}" in command("predict", tag, "rows.csv").err


def test_bundles_are_named_in_full(command: Command, store: Put) -> None:
    folder = stored.folder_of(store("wine:one"))
    assert folder is not None
    (stored.models_dir() / "wine" / "link").symlink_to(folder)
    (stored.models_dir() / "bert" / "theirs").mkdir(parents=True)
    for name, reason in {
        "wine": "there is no folder",
        "wine:two": "there is no bundle wine:two in",
        "wine:": "there is no bundle wine: in",
        "..:models": "there is no bundle ..:models in",
        "wine:link": "nothing is removed through links",
        "bert:theirs": "a model of another maker",
        str(folder): "it is a bundle",
    }.items():
        said = command("rm", name, "--yes")
        assert (said.code, reason in said.err) == (2, True), said.err
    assert folder.is_dir()


def test_a_bundle_that_a_bento_holds_stays(command: Command, store: Put, away: Path) -> None:
    store("wine:one")
    place = away / "bentoml" / "bentos" / "service" / "x"
    place.mkdir(parents=True)
    (place / "bento.yaml").write_text(yaml.safe_dump({"creation_time": "2026", "models": [{"tag": "wine:one"}]}))
    said = command("rm", "wine:one", "--yes")
    assert (said.code, "the Bento service:x" in said.err, "bentoml delete service:x" in said.err) == (2, True, True)


def test_a_bundle_that_is_served_stays(command: Command, store: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    store("wine:one")
    monkeypatch.setenv("RUNCARD_BUNDLE", "wine:one")
    script = "import sys; print(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", script, "bentoml"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        said = command("rm", "wine:one", "--yes")
        process.kill()
    assert (said.code, f"is being served by process {process.pid}" in said.err) == (2, True), said.err
    said = command("rm", "wine:one", "--dry-run")
    assert "note: the variable RUNCARD_BUNDLE names it here" in said.out


def test_the_store_is_bentomls(monkeypatch: pytest.MonkeyPatch) -> None:
    from bentoml._internal.configuration.containers import BentoMLContainer

    assert str(stored.models_dir()) == BentoMLContainer.model_store_dir.get()
    assert stored.ABOUT == bundle.ABOUT
    monkeypatch.setenv("HOME", "/home/me")
    assert stored.models_dir({}) == Path("/home/me/bentoml/models")
