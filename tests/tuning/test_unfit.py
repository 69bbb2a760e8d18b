"""What does not go together in the section ``sweep``, and what is no study: said, and nothing is left."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

import runcard
from runcard.errors import CardError
from runcard.tuning import storage
from tests.conftest import TINY, Command

WORDS = ["data=wine", "model=linear", *TINY[:2], "seed=1,2"]
URL = "postgresql://me:hunter2secret@127.0.0.1:9/studies"


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        ("sampler: tpe", "n_trials", "must be a number for sweep=tpe"),
        ("sampler: grid\nwindow: 9", "window", "is not used by grid"),
        ("sampler: grid\nstartup_trials: 9", "startup_trials", "is not used by grid"),
        ("sampler: grid\nfirst: [{seed: 1}]", "first", "is not for grid"),
        ("sampler: grid\nspread_weight: 1.0", "spread_weight", "weighs the spread over seeds"),
        ("sampler: grid\nmetric: [val/loss, val/loss]", "metric", "names one twice"),
        ("sampler: grid\npruner: median\nmetric: [val/loss, val/accuracy]", "pruner", "takes one metric"),
        ("sampler: grid\ntarget_value: 1\nmetric: [val/loss, val/accuracy]", "target_value", "is for one metric"),
        ("sampler: grid\npruner: wilcoxon", "pruner", "compares trials seed by seed"),
        ("sampler: grid\npruner: threshold", "pruner", "'threshold' has no bound"),
        ("sampler: grid\npruning: {patience: 3}", "pruning.patience", "is not used by sweep.pruner=none"),
        ("sampler: grid\npruner: threshold\npruning: {lower: 2, upper: 1}", "pruning.lower", "is 2, above"),
        ("sampler: grid\nname: x\nstorage: mysql://h/d", "storage", "this mysql:// is not offered"),
        ("sampler: grid\nname: x\nstorage: study.db", "storage", "this is no URL"),
        ("sampler: grid\nname: x\nstorage: postgresql://h:x/d", "storage", "cannot be read"),
        ("sampler: grid\nname: x\nstorage: postgresql://h", "storage", "cannot be read"),
    ],
)
def test_settings_that_do_not_fit(lines: str, key: str, message: str) -> None:
    Path("mine/sweep").mkdir(parents=True)
    body = "".join(f"  {line}\n" for line in [*lines.splitlines(), "space: {optimizer.lr: [0.1, 0.2], seed: [1, 2]}"])
    Path("mine/sweep/own.yaml").write_text(f"# @package _global_\nhydra:\n  mode: MULTIRUN\nsweep:\n{body}")
    with pytest.raises(CardError) as caught:
        runcard.load_sweep(["sweep=own", "data=wine"], "mine")
    (mistake,) = caught.value.mistakes
    assert (mistake.key, message in mistake.message) == (f"sweep.{key}", True), mistake
    assert mistake.where.startswith("mine/sweep/own.yaml:") or key == "n_trials"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("sweep.window=9", "sweep.window: is not used by grid  (override sweep.window=9)"),
        ("sweep.pruner=wilcoxon", "(override sweep.pruner=wilcoxon)"),
        ("sweep.workers=0", "sweep.workers: must be 1 or more, not 0"),
        ("sweep.name=a/b", "sweep.name: must be letters"),
        ("optimizer.lr=auto,0.1", "auto finds a value by a rule"),
        ("sweep.seeds=3", "seed: is varied, and sweep.seeds=3"),
        ("sweep.storage=mysql://me:hunter2secret@h/d", "this mysql:// is not offered"),
        ("sweep.storage=postgresql://me:hunter2secret@h:x/d", "host, port or database cannot be read"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "fit"])
def test_typed_settings_that_do_not_fit(word: str, says: str, verb: str, command: Command) -> None:
    said = command(verb, "-m", *WORDS, word, "--json")
    assert (said.code, says in said.err, "hunter2" in said.err + said.out) == (2, True, False), said.err
    assert not Path("studies").exists()


@pytest.mark.parametrize("address", ["${oc.env:STUDY_URL}", URL])
def test_a_server_that_cannot_be_reached(
    address: str, command: Command, monkeypatch: pytest.MonkeyPatch, away: Path
) -> None:
    pytest.importorskip("psycopg", reason="pip install 'runcard[postgresql]'")
    monkeypatch.setenv("STUDY_URL", URL)
    words = ["-m", *WORDS, f"sweep.storage={address}", "sweep.name=x", "--json"]
    asked: list[str] = []
    server = storage._server

    def counted(url: str) -> Any:
        asked.append(url)
        return server(url)

    monkeypatch.setattr(storage, "_server", counted)
    checked = command("check", *words)
    assert (checked.code, asked) == (0, []), checked.err
    fitted = command("fit", *words)
    assert asked == [URL], "whoever begins does not wait for it"
    assert (fitted.code, fitted.err.count("cannot reach the storage")) == (2, 1), fitted.err
    assert "hunter2" not in checked.out + checked.err + fitted.out + fitted.err
    assert not Path("studies/x").exists()
    assert "hunter2" not in str(runcard.load_sweep([*WORDS, "sweep.name=x", f"sweep.storage={address}"]).to_dict())


def test_a_study_whose_file_is_torn_or_foreign(command: Command) -> None:
    words = ["fit", "-m", *WORDS, "sweep.name=mine"]
    assert command(*words).code == 0
    assert command(*words, "sweep.n_trials=1").code == 0
    file, kept = Path("studies/mine/study.db"), Path("studies/mine/0/metrics.json").read_bytes()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    torn = command(*words)
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE another (one)")
    other.close()
    foreign = command(*words)
    assert (torn.code, "is damaged" in torn.err) == (2, True), torn.err
    assert (foreign.code, "does not hold the study 'mine'" in foreign.err) == (2, True), foreign.err
    assert Path("studies/mine/0/metrics.json").read_bytes() == kept
    assert "Traceback" not in torn.err + foreign.err


def test_a_space_of_one_point(command: Command) -> None:
    said = command("fit", "-m", *WORDS[:-1], "seed=choice(7)", "--json")
    assert (said.code, said.json["states"]["COMPLETE"]) == (0, 1)
