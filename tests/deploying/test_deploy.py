"""The verb: names, images and folders that will do and those that will not; the bundle and Bento that it finds."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runcard.deploying import deploy as module
from runcard.deploying.deploy import TOKENS, deploy
from runcard.deploying.names import MAX_NAME, NAME, image_of, made_name, name_from, taken
from runcard.errors import CardError, RunError
from tests.conftest import Command, Made

DIGEST = f"sha256:{'0a' * 32}"
IMAGE = "registry.example.com/team/digits:1"
LINE = ["deploy", "--image", IMAGE, "--target"]


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest", "called"),
    [
        ("digits:1", "digits", "1", None, "digits"),
        ("team/digits:1.2-rc_3", "team/digits", "1.2-rc_3", None, "digits"),
        ("localhost:5000/digits:V", "localhost:5000/digits", "V", None, "digits"),
        ("Registry.Example.com/a/b__c/d-e:1", "Registry.Example.com/a/b__c/d-e", "1", None, "d-e"),
        (f"a.b/c@{DIGEST}", "a.b/c", None, DIGEST, "c"),
        (f"[::1]:5000/c:1@{DIGEST}", "[::1]:5000/c", "1", DIGEST, "c"),
    ],
)
def test_images(text: str, name: str, tag: str | None, digest: str | None, called: str) -> None:
    image = image_of(text)
    assert (image.name, image.tag, image.digest, image.called, str(image)) == (name, tag, digest, called, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "digits",
        "digits:",
        "digits:latest",
        "Digits:1",
        "team//digits:1",
        "/digits:1",
        "digits/:1",
        "https://registry.example.com/digits:1",
        "digits:1 --privileged",
        "digits:1\n",
        'digits:1"\nnewTag: "2',
        "digits:$(id)",
        "digits:-1",
        f"digits:{'1' * 129}",
        "digits@sha256:0a",
        f"digits@md5:{'0a' * 32}",
        "ä/digits:1",
        "a" * 256 + ":1",
        "a" * 100_000,
        "a-" * 100_000,
    ],
)
@pytest.mark.parametrize("target", TOKENS)
def test_what_is_no_image_is_refused_in_one_line(text: str, target: str, command: Command, away: Path) -> None:
    said = command("deploy", "--target", target, "--image", text)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("runcard: --image ")
    assert list(away.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("digits-mlp", "digits-mlp"),
        ("Digits_MLP.v2", "digits-mlp-v2"),
        ("--a..b__c--", "a-b-c"),
        ("2024_sales", "model-2024-sales"),
        ("a" * 62 + "-b", "a" * 62),
        ("x" * 100, "x" * 63),
        ("9" * 100, "model-" + "9" * 57),
    ],
)
def test_names_are_made_right(text: str, name: str) -> None:
    assert name_from(text) == name


@given(st.text(max_size=100))
@pytest.mark.slow  # by default names one by one
def test_no_name_is_made_that_a_cluster_would_refuse(text: str) -> None:
    name = made_name(text)
    assert len(name) <= MAX_NAME
    assert not name or NAME.fullmatch(name)
    if name and not taken(name):
        assert yaml.safe_load(name) == name


@pytest.mark.parametrize("name", ["Digits", "a_b", "a.b", "-a", "a-", "9a", "a" * 64, "ä", "a b", "", "a\nb"])
def test_a_name_that_is_typed_is_not_changed_but_refused(name: str, command: Command, away: Path) -> None:
    said = command(*LINE, "kubernetes", f"--name={name}")
    assert said.code == 2
    form = "small letters, digits and - are allowed, at most 63, a letter first"
    assert re.search(rf"{form}(, such as --name [a-z0-9-]+)?\n$", said.err)
    assert list(away.iterdir()) == []


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "null", "on"])
def test_names_that_mean_something_else_are_refused(name: str, command: Command) -> None:
    said = command(*LINE, "kubernetes", "--name", name)
    assert said.code == 2
    assert f"such as --name {name}-model" in said.err
    with pytest.raises(CardError, match="--name"):
        name_from(name)
    with pytest.raises(CardError, match="no letter"):
        name_from("___")


@pytest.mark.parametrize("workers", ["0", "-1", "257", "two"])
def test_workers_out_of_range(workers: str, command: Command, away: Path) -> None:
    said = command(*LINE, "compose", "--workers", workers)
    assert said.code == 2
    assert "--workers" in said.err
    assert list(away.iterdir()) == []


def test_what_it_says(command: Command, away: Path) -> None:
    said = command(*LINE, "kubernetes", "--name", "digits", "-o", "out", "--json")
    assert said.code == 0, said.err
    assert {key: said.json[key] for key in ("target", "name", "image")} == {
        "target": "kubernetes",
        "name": "digits",
        "image": IMAGE,
    }
    there = {str(path.relative_to(away / "out")) for path in (away / "out").rglob("*") if path.is_file()}
    assert set(said.json["files"]) == there
    token = Path(said.json["token_file"]).read_text().strip()
    assert token not in said.out + said.err
    text = command(*LINE, "compose", "--name", "digits").out
    assert "next     docker compose -f compose/compose.yaml up -d --wait" in text
    assert "names no registry" not in text
    local = command("deploy", "--target", "kubernetes", "--image", "digits:1")
    assert "names no registry" in local.out


def test_a_folder_that_is_not_empty_is_left_alone(command: Command, away: Path) -> None:
    (away / "mine").mkdir()
    (away / "mine" / "own.txt").touch()
    said = command(*LINE, "compose", "-o", "mine")
    assert said.code == 2
    assert "mine is not empty: it holds own.txt" in said.err
    assert [path.name for path in (away / "mine").iterdir()] == ["own.txt"]
    assert "there is no folder" in command(*LINE, "compose", "-o", "no/where").err


@pytest.mark.parametrize("target", TOKENS)
@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_left_halfway(target: str, there: bool, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RunError("No space left on device")

    if there:
        (away / "out").mkdir()
    monkeypatch.setattr(module, "_write_token", full)  # the last file
    with pytest.raises(RunError):
        deploy(target, None, IMAGE, "digits", "out", 1)
    assert [str(path.relative_to(away)) for path in away.rglob("*")] == ["out"] * there


@pytest.mark.parametrize("mask", [0o000, 0o077])
@pytest.mark.parametrize("target", TOKENS)
def test_the_token_has_its_mode_whatever_is_masked(target: str, mask: int, away: Path) -> None:
    before = os.umask(mask)
    try:
        made = deploy(target, None, IMAGE, "digits", "out", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.token.stat().st_mode) == TOKENS[target][1]


def put(store: Path, tag: str, said: Any) -> None:
    folder = store / tag.replace(":", "/")
    folder.mkdir(parents=True)
    (folder / "bento.yaml").write_text(said if isinstance(said, str) else yaml.safe_dump(said))


def bento(bundle: str, made: str) -> dict[str, Any]:
    return {"creation_time": made, "models": [], "services": [{"name": "s", "models": [{"tag": bundle}]}]}


def test_without_an_image_it_is_that_of_the_newest_bento(command: Command, table_made: Made, bentos: Path) -> None:
    tag = table_made.bundle.tag
    said = command("deploy", tag, "--target", "compose", "--json")
    assert said.code == 2
    assert f"No Bento here holds {tag}" in said.err
    put(bentos, "runcard-service:old", bento(tag, "2026-01-01T00:00:00+00:00"))
    put(bentos, "runcard-service:new", bento(tag, "2026-02-01T00:00:00+00:00"))
    put(bentos, "runcard-service:other", bento("wine:1", "2026-03-01T00:00:00+00:00"))
    put(bentos, "runcard-service:torn", "services: [")
    put(bentos, "runcard-service:odd", {"services": [1, {"models": [None]}], "models": None})
    said = command("deploy", tag, "--target", "compose", "--json")
    assert said.code == 0, said.err
    assert (said.json["image"], said.json["bundle"]) == ("runcard-service:new", tag)
    assert said.json["name"] == tag.partition(":")[0]
    page = Path(said.json["folder"], "README.md").read_text()
    assert f"RUNCARD_BUNDLE={tag} bentoml build" not in page
    assert "bentoml containerize runcard-service:new --image-tag runcard-service:new" in page


def test_the_bundle_gives_name_and_version(command: Command, table_made: Made) -> None:
    tag = table_made.bundle.tag
    said = command("deploy", tag, "--target", "kubernetes", "--image", IMAGE)
    assert f"bundle   {tag}\n" in said.out
    assert f"RUNCARD_BUNDLE={tag} bentoml build" in Path("kubernetes/README.md").read_text()
    text = Path("kubernetes/overlays/production/kustomization.yaml").read_text()
    assert f'app.kubernetes.io/version: "{tag.partition(":")[2]}"' in text
    assert "the newest: is it what the image holds?" in command("deploy", "--target", "compose", "--image", IMAGE).out


def test_a_bundle_that_is_not_there(command: Command, away: Path) -> None:
    said = command("deploy", "nothing:here", "--target", "compose", "--image", IMAGE)
    assert said.code == 2
    assert "there is no bundle nothing:here" in said.err
    assert list(away.iterdir()) == []
