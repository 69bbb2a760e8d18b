"""What the environment holds is in no file and in no output: a canary in each text of a card, looked for everywhere."""

from __future__ import annotations

import base64
import csv
import html
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

import runcard
from runcard.errors import CardError
from tests.conftest import Command
from tests.servers import BIN, HANG_S

# Each is looked for alone; the signs are those that JSON, HTML, addresses and YAML write otherwise.
SIGNS = ' "q" <b>&\'ü%/'
TEXTS = ("goal", "today", "risk", "impact")
SECRETS = {name: f"canary-{name}{SIGNS}" for name in TEXTS}
WORD = "canary-password"


def reference(name: str) -> str:
    return f"${{oc.env:CANARY_{name.upper()}}}"


@pytest.fixture
def rows(away: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, and an environment that holds a canary for each text key."""
    chance = random.Random(1)
    with (away / "canary-file.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["a", "b", "y"])
        for _ in range(120):
            value = chance.gauss(0, 1)
            table.writerow([round(value, 3), chance.choice("pq"), "yes" if value > 0 else "no"])
    for name, secret in SECRETS.items():
        monkeypatch.setenv(f"CANARY_{name.upper()}", secret)
    monkeypatch.setenv("CANARY_FILE", str(away / "canary-file.csv"))
    monkeypatch.setenv("CANARY_TOKEN", "/canary-token")
    monkeypatch.setenv("CANARY_WORD", WORD)
    return away


def card(*words: str) -> list[str]:
    texts = [f"problem.{name}={reference(name)}" for name in TEXTS]
    rows = ["data=table", f"data.path={reference('file')}", "problem.target=y"]
    return [*texts, *rows, f"serve.token_file={reference('token')}", "model=linear", "trainer.max_epochs=1", *words]


def forms() -> Iterator[bytes]:
    """What is looked for: each canary in each form."""
    for value in [*SECRETS.values(), WORD]:
        for text in (
            value,
            repr(value)[1:-1],
            json.dumps(value)[1:-1],
            html.escape(value),
            quote(value),
            quote_plus(value),
        ):
            yield text.encode()
        for shift in range(3):  # base64 of a text within another, whatever stands before it
            yield base64.b64encode(b"x" * shift + value.encode())[4:-4]
    yield from (f"canary-{name}".encode() for name in TEXTS)
    yield from (b"canary-token", b"canary-file")


FORMS = sorted(set(forms()))


def search(folder: Path, *, but: tuple[str, ...] = ("canary-file.csv",)) -> list[str]:
    """Files, and names of files, that hold a canary."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or path.name in but:
            continue
        content = path.read_bytes() if path.is_file() else b""
        found += [f"{path}: {form!r}" for form in FORMS if form in content or form in os.fsencode(path.name)]
    return found


def clean(text: str) -> None:
    assert [form for form in FORMS if form in text.encode()] == [], text


def test_the_search_finds_what_is_there(away: Path) -> None:
    for number, form in enumerate(FORMS):
        (away / f"{number}").write_bytes(b"before " + form + b" after")
    found = " ".join(search(away))
    assert all(f"{away / str(number)}:" in found for number in range(len(FORMS)))


def test_a_run_its_report_and_what_is_said_of_it(rows: Path, command: Command) -> None:
    said = command("fit", *card(), "--json")
    assert said.code == 0, said.err
    clean(said.out + said.err)
    assert reference("goal") in (Path(said.json["run"]) / "report.html").read_text()
    for words in (["check", *card()], ["check", *card(), "--origin"], ["check", *card("report=true"), "--json"]):
        shown = command(*words)
        assert shown.code == 0, shown.err
        clean(shown.out + shown.err)
    assert search(rows) == []
    # Cards of runs that were made when a name could come from there are opened as they are.
    file = Path(said.json["run"]) / "card.yaml"
    file.write_text(file.read_text().replace("name: table-linear", f"name: {reference('word')}"))
    kept = runcard.load_run(said.json["run"]).card
    assert kept.name == WORD
    clean(json.dumps(kept.to_dict(), ensure_ascii=False))


@pytest.mark.parametrize("flag", ["job", "all"])
def test_what_hydra_would_resolve(flag: str, rows: Path, command: Command) -> None:
    said = command("fit", *card(), "--cfg", flag, "--resolve")
    assert (said.code, reference("goal") in said.out) == (0, True), said.err
    clean(said.out + said.err)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    "words",
    [
        ["name={}"],
        ["name=a-{}"],
        ["logger=wandb", "logger.project={}"],
        ["logger=mlflow", "logger.experiment_name={}"],
        ["-m", "seed=1,2", "sweep.name={}"],
        ["-m", "seed=1,2", "name={}"],
    ],
)
def test_a_name_that_all_would_see(words: list[str], command: Command) -> None:
    typed = [word.format(reference("word")) for word in words]
    for verb in ("check", "fit"):
        said = command(verb, *card(), *typed)
        assert (said.code, "let the shell fill it in" in said.err) == (2, True), said.err
        clean(said.out + said.err)


def test_a_target_that_all_would_see(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TARGET", "y")
    with pytest.raises(CardError, match=r"problem\.target: is read from the environment"):
        runcard.load_card([*card(), f"problem.target={reference('target')}"])


def test_a_fault_is_shown_without_it(rows: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(f"a driver says {os.environ['CANARY_WORD']} and {os.environ['CANARY_GOAL']}")

    monkeypatch.setattr("runcard.fitting.train", fails)
    for more in ([], ["--json"], ["--traceback"], ["--json", "--traceback"]):
        said = command("fit", *card(f"problem.risk={reference('word')}"), *more)
        assert said.code == 1
        clean(said.out + said.err)
    assert search(rows) == []


ADDRESS = "logger.tracking_uri=http://user:${oc.env:CANARY_WORD}@127.0.0.1:9"
WHOLE = [
    ["fit", *card("logger={logger}")],
    ["evaluate", "{run}"],
    ["verify", "{run}", "--json"],
    ["package", "{run}"],
    ["ls", "--runs-dir", "runs"],
    ["compare", "--cards", "{run}", "{run}"],
    ["resume", "{run}"],
    ["deploy", "--target", "compose", "--image", "a:1"],
    ["deploy", "--target", "kubernetes", "--image", "r.io/a:1"],
    ["fit", *card("-m", "optimizer.lr=1e-3,1e-2", "sweep.name=swept")],
    ["evaluate", "studies/swept/0"],
    ["package", "studies/swept", "--no-http"],
]


@pytest.mark.slow
@pytest.mark.parametrize("logger", ["csv", "tensorboard", "mlflow", "wandb"])
def test_the_whole_line(logger: str, rows: Path) -> None:
    pytest.importorskip({"csv": "runcard"}.get(logger, logger))
    home = rows / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "BENTOML_HOME": str(home / "bentoml"), "WANDB_MODE": "offline"}
    environment["MPLCONFIGDIR"] = str(rows / "plots")
    # What comes after a fit asks no tracker, but for its folder.
    for words in WHOLE if logger == "csv" else [WHOLE[0], WHOLE[3]]:
        typed = [word.format(logger=logger, run=_run(rows)) if "{" in word[:8] else word for word in words]
        typed = [word.replace("{logger}", logger) for word in typed]
        done = subprocess.run(
            [BIN / "runcard", *typed], cwd=rows, env=environment, capture_output=True, text=True, timeout=5 * HANG_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        clean(done.stdout + done.stderr)
    assert search(rows) == []


def _run(folder: Path) -> str:
    return next((str(path.parent) for path in sorted(folder.glob("runs/*/*/card.yaml"))), "")


@pytest.mark.slow
def test_a_tracker_out_of_reach_keeps_the_password(rows: Path, command: Command) -> None:
    pytest.importorskip("mlflow")
    said = command("fit", *card("logger=mlflow", ADDRESS), "--json")
    assert (said.code, "mlflow could not begin" in said.err) == (0, True), said.err
    clean(said.out + said.err)
    assert search(rows) == []


@pytest.mark.slow
def test_a_trackers_address_of_the_environment_is_not_kept(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("CANARY_STORE", f"sqlite:///{rows}/canary-store.db")
    made = runcard.load_card([*card(), "logger=mlflow", f"logger.tracking_uri={reference('store')}"])
    run = runcard.fit(made)
    record = json.loads((run.path / "tracker.json").read_text())
    assert "place" not in record
    assert b"canary-store" not in b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
