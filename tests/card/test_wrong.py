"""Wrong cards: each mistake is found before data is read, named by key, file and line, with the right name at hand."""

from __future__ import annotations

import copy
import functools
import itertools
import os
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard import api
from runcard.card.check import judge
from runcard.card.compose import divide, group_choices
from runcard.card.groups import GROUPS, shipped_conf
from runcard.card.overrides import Override, parse_overrides
from runcard.card.schema import Card
from runcard.card.spelling import edits, nearest
from runcard.card.values import Composed, lay_over
from runcard.errors import CardError, Mistake
from runcard.leaves import flatten
from tests.conftest import Command


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that is wrong is refused before its rows are read; a header may be looked at, to tell all at once."""

    def read(*_: object, **__: object) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr("runcard.data.dataset.load_dataset", read)


def found_in(words: Sequence[str], config_dir: str | None = None, *, sweep: bool = False) -> list[Mistake]:
    """What is wrong with a card or a sweep."""
    with pytest.raises(CardError) as caught:
        (api.load_sweep if sweep else api.load_card)(words, config_dir)
    return caught.value.mistakes


def told_by(command: Command, case: Wrong) -> list[Mistake]:
    """What the command tells; where files are beside it, by the verb that only checks and by the one that fits."""
    words = [*case.words, *(["--config-dir", "conf"] if Path("conf").is_dir() else []), *(["-m"] if case.sweep else [])]
    told = [command(verb, *words, "--json") for verb in (("check", "fit") if case.files else ("check",))]
    assert {said.code for said in told} == {2}, told
    found = [[Mistake(**mistake) for mistake in said.json["error"]["mistakes"]] for said in told]
    assert found[0] == found[-1]
    assert all(f"- {mistake}" in told[0].err for mistake in found[0])
    return found[0]


@dataclass(frozen=True)
class Wrong:
    """What is typed, the files beside it, and what must be found: key, place, and a part of message and hint.

    Of the place ``{file}`` stands for ``conf/GROUP/mine.yaml``.
    """

    words: list[str]
    expected: list[tuple[str, str, str]]
    files: dict[str, str] = field(default_factory=dict)
    sweep: bool = False


def typed(override: str, key: str, text: str, *others: str, sweep: bool = False) -> Wrong:
    """One wrong word, beside others that are right."""
    return Wrong([*others, override], [(key, f"override {override}", text)], sweep=sweep)


def filed(group: str, text: str, *expected: tuple[str, int | str, str], words: Sequence[str] = ()) -> Wrong:
    """A wrong file in a group; of the place the line alone, 0 for the file as a whole."""
    name = f"conf/{group}/mine.yaml"
    places = [
        (key, (f"{name}:{line}" if line else name) if isinstance(line, int) else line, said)
        for key, line, said in expected
    ]
    return Wrong([f"{group}=mine", *words], places, {name: text})


MLP = "_target_: runcard.models.mlp.Mlp\nhidden: [8]\ndropout: 0.1\ninput_dropout: 0.0\n"
ADAMW = "_target_: torch.optim.AdamW\nlr: 1.0e-3\nweight_decay: 0.0\nfused: true\nbetas: [0.9, 0.999]\n"
GLOBAL = "# @package _global_\n"
# A saved card whose lines are known: one key a line, sections one below the other.
SAVED = yaml.safe_dump(runcard.load_card(["data=wine"]).to_dict(), sort_keys=False)


def line_of(path: str) -> int:
    """The line of ``SAVED`` on which a dotted key stands."""
    node: Any = yaml.compose(SAVED, Loader=yaml.SafeLoader)
    for name in path.split("."):
        key, node = next((key, value) for key, value in node.value if key.value == name)
    return int(key.start_mark.line) + 1


def stored(key: str, line: str, wrong: str, text: str) -> Wrong:
    """A saved card with one line replaced by a wrong one; of the line, what stands before the value."""
    number = line_of(key)
    lines = SAVED.splitlines()
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    lines[number - 1] = f"{' ' * indent}{line}"
    return Wrong(["card.yaml"], [(wrong, f"card.yaml:{number}", text)], {"card.yaml": "\n".join(lines) + "\n"})


TABLE = ["data=table", "data.path=/nowhere/rows.csv", "problem.target=y"]
TYPED = [
    typed("trainer.max_epoch=5", "trainer.max_epoch", "Did you mean trainer.max_epochs?"),
    typed("trainer.maxepochs=5", "trainer.maxepochs", "Did you mean trainer.max_epochs?"),
    typed("trianer.max_epochs=5", "trianer", "Did you mean trainer?"),
    typed("trainer.early_stoping.patience=5", "trainer.early_stoping", "Did you mean trainer.early_stopping?"),
    typed("trainer.early_stopping.patiance=5", "trainer.early_stopping.patiance", "trainer.early_stopping.patience"),
    typed("optimizer.lear_rate=5", "optimizer.lear_rate", "There are: _target_, lr"),
    typed("optimizer.l=5", "optimizer.l", "Did you mean optimizer.lr?"),
    typed("max_epoch=5", "max_epoch", "Did you mean trainer.max_epochs?"),
    typed("epochs=5", "epochs", "Did you mean trainer.max_epochs?"),
    typed("patience=5", "patience", "Did you mean trainer.early_stopping.patience?"),
    typed("batch_size=5", "batch_size", "Did you mean data.batch_size?"),
    typed("trainer.lr=5", "trainer.lr", "Did you mean optimizer.lr?"),
    typed("trainer.seed=5", "trainer.seed", "Did you mean seed"),
    typed("sede=7", "sede", "Did you mean seed"),
    typed("Seed=7", "Seed", "Did you mean seed"),
    typed("+sede=7", "sede", "Did you mean seed"),
    typed("++trainer.max_epoch=7", "trainer.max_epoch", "Did you mean trainer.max_epochs?"),
    typed("~trainer.max_epoch", "trainer.max_epoch", "no such key to delete"),
    typed("experimnt=wine", "experimnt", "Did you mean experiment?"),
    typed("debg=fast", "debg", "Did you mean debug?"),
    typed("swep=tpe", "swep", "Did you mean sweep"),
    typed("modle=cnn", "modle", "Did you mean model?"),
    typed("model=cn", "model", "Did you mean cnn?"),
    typed("model=MLP", "model", "Did you mean mlp?"),
    typed("model=perceptron", "model", "There are: cnn, linear, lstm, mlp"),
    typed("data=digit", "data", "Did you mean digits?"),
    typed("data=breastcancer", "data", "Did you mean breast_cancer?"),
    typed("experiment=digit_cnn", "experiment", "Did you mean digits_cnn"),
    typed("debug=fats", "debug", "Did you mean fast?"),
    typed("logger=wnadb", "logger", "Did you mean wandb?"),
    typed("trainer=dpp", "trainer", "Did you mean ddp"),
    typed("model=7", "model", "there is no model=7"),
    typed("model=true", "model", "there is no model=True"),
    typed("model=[mlp]", "model", "there is no model="),
    typed("model=null", "model", "a card needs this section"),
    typed("model=''", "model", "There are: cnn"),
    typed("optimizer.lr=fast", "optimizer.lr", 'must be a number or auto, not "fast"'),
    typed("optimizer.lr='1e-3'", "optimizer.lr", 'must be a number or auto, not "1e-3"'),
    typed("optimizer.lr=0", "optimizer.lr", "must be above 0"),
    typed("optimizer.lr=-1e-3", "optimizer.lr", "must be above 0"),
    typed("optimizer.lr=inf", "optimizer.lr", "must be a finite number"),
    typed("optimizer.lr=[1]", "optimizer.lr", "must be a number, not [1]"),
    typed("optimizer.lr=atuo", "optimizer.lr", 'must be a number or auto, not "atuo"'),
    typed("optimizer.betas=[0.9]", "optimizer.betas.1", "is missing"),
    typed("optimizer.betas=[0.9,0.9,0.9]", "optimizer.betas", "must be a list of at most 2"),
    typed("optimizer.betas=0.9", "optimizer.betas", "must be a list"),
    typed("optimizer.betas=[0.9,1]", "optimizer.betas.1", "must be below 1"),
    typed("optimizer.momentum=0.9", "optimizer.momentum", "another choice of the group has it"),
    typed("trainer.max_epochs=0", "trainer.max_epochs", "must be 1 or more, not 0"),
    typed("trainer.max_epochs=3.5", "trainer.max_epochs", "must be a whole number"),
    typed("trainer.max_epochs=3.0", "trainer.max_epochs", "must be a whole number"),
    typed("trainer.max_epochs=true", "trainer.max_epochs", "must be a whole number, not true"),
    typed("trainer.max_epochs=null", "trainer.max_epochs", "must be a whole number, not null"),
    typed("trainer.max_epochs={a: 1}", "trainer.max_epochs", "must be a whole number"),
    typed("trainer.max_epochs=99999999999", "trainer.max_epochs", "must be below"),
    typed("trainer.deterministic=1", "trainer.deterministic", "must be true or false, not 1"),
    typed("trainer.deterministic=yes", "trainer.deterministic", 'must be true or false, not "yes"'),
    typed("trainer.accelerator=cuda", "trainer.accelerator", "'cpu', 'gpu' or 'auto'"),
    typed("trainer.precision=bf16_mixed", "trainer.precision", "Did you mean bf16-mixed"),
    typed("trainer.strategy=dpd", "trainer.strategy", "Did you mean ddp"),
    typed("trainer.monitor=val_loss", "trainer.monitor", "Did you mean val/loss"),
    typed("trainer.monitor=train/loss", "trainer.monitor", "nobody logs 'train/loss'"),
    typed("trainer.early_stopping=10", "trainer.early_stopping", "a section with keys of its own"),
    typed("trainer.early_stopping=null", "trainer.early_stopping", "a section with keys of its own"),
    typed("trainer.lightning={benchmrk: true}", "trainer.lightning.benchmrk", "Did you mean benchmark?"),
    typed("trainer.max_epochs.x=1", "trainer.max_epochs.x", "stands below a value"),
    typed("problem.metric=acuracy", "problem.metric", "Did you mean accuracy"),
    typed("problem.metric=rmse", "problem.metric", "does not fit classification", "data=wine"),
    typed("problem.least_value=high", "problem.least_value", "must be a number"),
    typed("problem.target=2", "problem.target", "Quote a text that looks like a number"),
    typed("problem.limits.latency=2", "problem.limits.latency", "Did you mean problem.limits.latency_ms?"),
    typed("seed=-1", "seed", "must be 0 or more"),
    typed("seed=01x", "seed", "must be a whole number"),
    typed("name='my run'", "name", "letters, digits"),
    typed("name=.hidden", "name", "letters, digits"),
    typed("version=0", "version", "must be 3"),
    typed("data.split.test=1", "data.split.test", "must be below 1"),
    typed("data.split.validation=0.85", "data.split.validation", "no rows for training"),
    typed("data.workers=-1", "data.workers", "must be 0 or more"),
    typed("data.kinds={a: numeric}", "data.kinds.a", "must be 'number'", *TABLE),
    typed("data.separator=';;'", "data.separator", "at most 1", *TABLE),
    typed("data.null_values=NA", "data.null_values", "must be a list", *TABLE),
    typed("data.inputs=x.csv", "data.inputs", "no .npy file", "data=arrays", "data.targets=/nowhere/y.npy"),
    typed("model.hidden=[64,0]", "model.hidden.1", "must be 1 or more"),
    typed("model.hidden=[]", "model.hidden", "a list of at least 1"),
    typed("model.channels=[8]", "model.channels", "another choice of the group has it"),
    typed("model.heads=7", "model.heads", "7 heads do not divide", "model=transformer"),
    typed("model._target_=Mlp", "model._target_", "'Mlp' is no name of a class"),
    typed("logger.ofline=true", "logger.ofline", "Did you mean logger.offline?", "logger=wandb"),
    typed(
        "logger.tracking_uri=mlruns", "logger.tracking_uri", "no place that MLflow can keep runs in", "logger=mlflow"
    ),
    typed("checkpoint.every=3", "checkpoint.every", "Did you mean checkpoint.every_s?"),
    typed("augment.alpha=0", "augment.alpha", "must be above 0", "augment=mixup"),
    typed("scheduler.final_fraction=2", "scheduler.final_fraction", "must be 1"),
    typed("report=maybe", "report", "must be true or false"),
    typed("sweep.n_trails=3", "sweep.n_trails", "Did you mean sweep.n_trials?", "seed=1,2", sweep=True),
    typed("sweep.sampler=tpee", "sweep.sampler", "Did you mean tpe?", "seed=1,2", sweep=True),
    typed("sweep.n_trials=0", "sweep.n_trials", "must be 1 or more", "seed=1,2", sweep=True),
]
FILED = [
    filed(
        "model",
        MLP.replace("dropout: 0.1", "dropuot: 0.1"),
        ("model.dropuot", 3, "Did you mean model.dropout"),
    ),
    filed(
        "model",
        MLP.replace("hidden", "hiden"),
        ("model.hiden", 2, "Did you mean model.hidden?"),
    ),
    filed("model", MLP.replace("[8]", "8"), ("model.hidden", 2, "must be a list, not 8")),
    filed("model", MLP.replace("[8]", "[8, x]"), ("model.hidden.1", 2, "must be a whole number")),
    filed("model", MLP.replace("[8]", "\n- 8\n- 0"), ("model.hidden.1", 4, "must be 1 or more")),
    filed("model", MLP.replace("0.1", "1.1"), ("model.dropout", 3, "must be below 1")),
    filed("model", MLP.replace("Mlp", "MLP"), ("model._target_", 1, "Did you mean runcard.models.mlp.Mlp")),
    filed("model", MLP.removeprefix("_target_: runcard.models.mlp.Mlp\n"), ("model._target_", 0, "is missing")),
    filed("model", MLP.replace("_target_", "_traget_"), ("model._target_", 1, "Is _traget_ meant?")),
    filed("model", f"# one\n\n# two\n{MLP}depth: 3\n", ("model.depth", 8, "there is no such key")),
    filed("model", f"{MLP}seed: 3\n", ("model.seed", 5, "Did you mean seed")),
    filed("model", f"{MLP}model: {{hidden: [3]}}\n", ("model.model", 5, "there is no such key")),
    filed(
        "optimizer",
        ADAMW.replace("lr:", "lrr:"),
        ("optimizer.lrr", 2, "Did you mean optimizer.lr?"),
    ),
    filed("optimizer", ADAMW.replace("1.0e-3", "fast"), ("optimizer.lr", 2, 'not "fast"')),
    filed("optimizer", ADAMW.replace("true", "'true'"), ("optimizer.fused", 4, 'must be true or false, not "true"')),
    filed("optimizer", ADAMW.replace("lr: 1.0e-3\n", ""), ("optimizer.lr", 0, "is missing")),
    filed("optimizer", ADAMW.replace("1.0e-3", "-1 # fast\n\n"), ("optimizer.lr", 2, "must be above 0")),
    filed("experiment", f"{GLOBAL}sede: 3\n", ("sede", 2, "Did you mean seed")),
    filed(
        "experiment",
        f"{GLOBAL}trainer:\n  max_epoch: 3\n",
        ("trainer.max_epoch", 3, "Did you mean trainer.max_epochs?"),
    ),
    filed("experiment", f"{GLOBAL}trainr:\n  max_epochs: 3\n", ("trainr", 2, "Did you mean trainer?")),
    filed(
        "experiment",
        f"{GLOBAL}trainer:\n  early_stopping:\n    patiens: 3\n",
        ("trainer.early_stopping.patiens", 4, "trainer.early_stopping.patience"),
    ),
    filed("experiment", f"{GLOBAL}trainer: 3\n", ("trainer", 2, "")),
    filed(
        "experiment",
        f"{GLOBAL}optimizer:\n  lr: high\nseed: -1\n",
        ("optimizer.lr", 3, 'not "high"'),
        ("seed", 4, "must be 0 or more"),
    ),
    filed("experiment", f"{GLOBAL}seed: 3\n", ("seed", "override seed=x", 'not "x"'), words=["seed=x"]),
    filed(
        "debug",
        f"{GLOBAL}trainer: {{limit_batch: 3}}\n",
        ("trainer.limit_batch", 2, "Did you mean trainer.limit_batches?"),
    ),
    filed(
        "experiment", f"{GLOBAL}trainer.max_epochs: 3\n", ("trainer.max_epochs", 2, "write trainer: {max_epochs: ...}")
    ),
    filed(
        "experiment",
        f"{GLOBAL}trainer:\n  early_stopping.patience: 3\n",
        ("trainer.early_stopping.patience", 3, "write early_stopping: {patience: ...}"),
    ),
]
STORED = [
    stored("seed", "sede: 0", "sede", "Did you mean seed"),
    stored("seed", "seed: zero", "seed", 'not "zero"'),
    stored("model.input_dropout", "input_dropout: 1", "model.input_dropout", "must be below 1"),
    stored("model.dropout", "dropuot: 0.1", "model.dropuot", "Did you mean model.dropout"),
    stored("model._target_", "_target_: os.system", "model._target_", "is not allowed"),
    stored("optimizer.lr", "lr: 0", "optimizer.lr", "must be above 0"),
    stored("trainer.max_epochs", "max_epoch: 3", "trainer.max_epoch", "Did you mean trainer.max_epochs?"),
    stored("trainer.monitor", "monitor: val/r2", "trainer.monitor", "nobody logs 'val/r2'"),
    stored("version", "version: 99", "version", "3 is the newest known here"),
]


def name_of(case: Wrong) -> str:
    return f"{' '.join(case.words)}: {', '.join(key for key, *_ in case.expected)}"


CASES = [*TYPED, *FILED, *STORED]
# By default a sixth, of what is typed, of files and of saved cards: the command only writes down what is found.
TOLD = [case if place % 6 == 0 else pytest.param(case, marks=pytest.mark.slow) for place, case in enumerate(CASES)]


def write_files(case: Wrong) -> None:
    for name, text in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_mistake_has_its_key_its_place_and_the_right_name(case: Wrong) -> None:
    write_files(case)
    found = found_in(case.words, "conf" if Path("conf").is_dir() else None, sweep=case.sweep)
    said = {(mistake.key, mistake.where): mistake for mistake in found}
    for key, where, text in case.expected:
        assert (key, where) in said, [*said]
        assert text in f"{said[key, where].message} {said[key, where].hint}"
    if not any(text == "is missing" or key.endswith("_target_") for key, _, text in case.expected):
        others = {key for key, _ in said} - {key for key, *_ in case.expected}
        # What a misspelt key leaves open is missing, and nothing else is said.
        assert all(mistake.message == "is missing" for mistake in found if mistake.key in others), found


@pytest.mark.parametrize("case", TOLD, ids=name_of)
def test_the_command_tells_what_is_found(case: Wrong, command: Command) -> None:
    write_files(case)
    found = found_in(case.words, "conf" if Path("conf").is_dir() else None, sweep=case.sweep)
    assert told_by(command, case) == found


def test_there_are_many() -> None:
    assert len(CASES) >= 80


ALL_AT_ONCE = [
    ("model=cn", "model"),
    ("data=dgits", "data"),
    ("trainer.max_epoch=5", "trainer.max_epoch"),
    ("optimizer.lr=abc", "optimizer.lr"),
    ("seed=-1", "seed"),
    ("nmae=x", "nmae"),
    ("problem.metric=acuracy", "problem.metric"),
    ("~report1", "report1"),
    ("checkpoint.every_s=-1", "checkpoint.every_s"),
    ("experiment=wnie", "experiment"),
]


def test_ten_mistakes_are_told_at_once() -> None:
    found = found_in([override for override, _ in ALL_AT_ONCE])
    assert {(mistake.key, mistake.where) for mistake in found} == {
        (key, f"override {override}") for override, key in ALL_AT_ONCE
    }


def test_mistakes_of_files_and_words_are_told_at_once() -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/optimizer").mkdir()
    Path("conf/model/mine.yaml").write_text(MLP.replace("[8]", "8"))
    Path("conf/optimizer/mine.yaml").write_text(ADAMW.replace("fused", "fusd"))
    found = found_in(["model=mine", "optimizer=mine", "sede=3", "trainer=cpuu"], "conf")
    assert {(mistake.key, mistake.where) for mistake in found} == {
        ("model.hidden", "conf/model/mine.yaml:2"),
        ("optimizer.fusd", "conf/optimizer/mine.yaml:4"),
        ("sede", "override sede=3"),
        ("trainer", "override trainer=cpuu"),
    }


def test_a_contradiction_is_told_beside_another() -> None:
    found = found_in(["data=wine", "trainer.monitor=val/r2", "data.split.test=0.9", "model=cnn"])
    assert [mistake.key for mistake in found] == ["trainer.monitor", "data.split.test", "model"]


def test_a_wrong_card_does_not_wait_for_its_data(command: Command) -> None:
    os.mkfifo("rows.csv")  # whoever reads it waits for ever
    said = command("fit", "data=table", "data.path=rows.csv", "problem.target=y", "sede=3")
    assert said.code == 2
    assert "Did you mean seed" in said.err


# Interpolations.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dropout: ${nowhere}", {"model.dropout": 3}),
        ("dropout: ${model.nowhere}", {"model.dropout": 3}),
        ("dropout: ${model.dropout}", {"model.dropout": 3}),
        ("dropout: ${.input_dropout}\ninput_dropout: ${.dropout}", {"model.dropout": 3, "model.input_dropout": 4}),
        ("dropout: ${nowhere}\ninput_dropout: ${elsewhere}", {"model.dropout": 3, "model.input_dropout": 4}),
        ("dropout: ${oc.env:RUNCARD_NOT_SET}", {"model.dropout": 3}),
        ("dropout: ${", {"model.dropout": 3}),
        ("dropout: ${model}", {"model.dropout": 3}),
        ("dropout: ${trainer.max_epoch}", {"model.dropout": 3}),
    ],
)
@pytest.mark.parametrize("place", ["file", "experiment"])
def test_an_interpolation_that_leads_nowhere(place: str, text: str, expected: dict[str, int]) -> None:
    keys = [line.partition(":")[0] for line in text.splitlines()]
    others = "".join(line for line in MLP.splitlines(keepends=True)[2:] if line.partition(":")[0] not in keys)
    content = "_target_: runcard.models.mlp.Mlp\nhidden: [8]\n" + text + "\n" + others
    if place == "experiment":
        content = GLOBAL + "model:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    group = "model" if place == "file" else place
    Path(f"conf/{group}").mkdir(parents=True)
    Path(f"conf/{group}/mine.yaml").write_text(content)
    found = found_in([f"{group}=mine"], "conf")
    assert {mistake.key: mistake.where for mistake in found} == {
        key: f"conf/{group}/mine.yaml:{line}" for key, line in expected.items()
    }


@pytest.mark.parametrize(
    "override", ["seed=${nowhere}", "seed=${seed}", "seed=${trainer.nowhere}", "seed=${oc.env:RUNCARD_NOT_SET}"]
)
def test_an_interpolation_that_is_typed(override: str) -> None:
    (found,) = found_in([override])
    assert (found.key, found.where) == ("seed", f"override {override}")


def test_interpolations_and_other_mistakes_are_told_at_once() -> None:
    found = found_in(["seed=${nowhere}", "optimizer.lr=${elsewhere}", "sede=3", "trainer.max_epochs=0"])
    assert {mistake.key for mistake in found} == {"seed", "optimizer.lr", "sede", "trainer.max_epochs"}


def test_a_cycle_names_both_ends() -> None:
    found = found_in(["seed=${trainer.max_epochs}", "trainer.max_epochs=${seed}"])
    assert {mistake.key for mistake in found} == {"seed", "trainer.max_epochs"}


# Files that are no files of keys.

BAD: dict[str, tuple[bytes, list[str]]] = {
    "latin-1": (MLP.encode() + "# Größe\nname: Köln\n".encode("latin-1"), ["UTF-8"]),
    "UTF-16": (MLP.encode("utf-16"), ["UTF-8"]),
    "a tab before a key": (MLP.encode() + b"a:\n\tb: 1\n", [r":6\b|line 6\b", "tab|spaces"]),
    "a key twice": (MLP.encode() + b"hidden: [9]\n", [r"hidden", r"\b2\b", r"\b5\b"]),
    "a key twice in a section": (MLP.encode() + b"a:\n  b: 1\n  c: 2\n  b: 3\n", [r"\bb\b", r"\b6\b", r"\b8\b"]),
    "empty": (b"", ["empty"]),
    "only comments": (b"# nothing\n\n", ["empty"]),
    "null": (b"null\n", []),
    "a list": (b"- _target_: runcard.models.mlp.Mlp\n", ["list|mapping"]),
    "a text": (b"mlp\n", ["mapping|text"]),
    "a number": (b"3\n", ["mapping|number"]),
    "two documents": (MLP.encode() + b"---\n" + MLP.encode(), []),
    "an open bracket": (MLP.replace("[8]", "[8").encode(), [r":[23]\b|line [23]\b"]),
    "an open quote": (MLP.replace("[8]", '"8').encode(), []),
    "no space after a colon": (MLP.replace("dropout: 0.1", "dropout:0.1").encode(), [r":[34]\b|line [34]\b"]),
    "a control character": (MLP.encode() + b"a: \x07\n", []),
    "NUL": (MLP.encode() + b"a: \0\n", []),
    "an alias": (MLP.replace("[8]", "&a [8]").encode() + b"b: *a\n", [r":5\b"]),
    "a number for a key": (MLP.encode() + b"3: 4\n", []),
    "null for a key": (MLP.encode() + b"null: 4\n", []),
    "a list for a key": (MLP.encode() + b"[a, b]: 4\n", []),
    "a date": (MLP.replace("0.1", "2024-01-01").encode(), [r"model\.dropout", ":3"]),
    "10 MB": (MLP.encode() + b"# " + b"x" * 10_000_000 + b"\n", ["MB|large|long|big"]),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("place", ["group", "saved card"])
def test_a_file_that_is_no_file_of_keys(place: str, name: str, command: Command) -> None:
    content, said = BAD[name]
    path = Path("conf/model/mine.yaml" if place == "group" else "card.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    words = ["model=mine", "--config-dir", "conf"] if place == "group" else ["card.yaml"]
    answer = command("check", *words)
    assert answer.code == 2, answer.err
    assert "Traceback" not in answer.err
    assert "a fault in Runcard" not in answer.err
    assert len(answer.err) < 5000
    assert path.name in answer.err
    if place == "group":
        for pattern in said:
            assert re.search(pattern, answer.err), answer.err


@pytest.mark.parametrize("key", ["seed", "trainer.max_epochs", "optimizer"])
def test_a_key_twice_in_a_saved_card(key: str, command: Command) -> None:
    head, _, leaf = key.rpartition(".")
    lines = SAVED.splitlines(keepends=True)
    first = line_of(key)
    # Behind the section, where the second of the two would win in silence.
    second = line_of(f"{head}.early_stopping") if head else len(lines) + 1
    lines.insert(second - 1, f"{'  ' if head else ''}{leaf}: {'{}' if key == 'optimizer' else 7}\n")
    Path("card.yaml").write_text("".join(lines))
    answer = command("check", "card.yaml")
    assert answer.code == 2
    for number in (first, second):
        assert re.search(rf"\b{number}\b", answer.err), answer.err


def test_a_key_twice_in_what_is_typed() -> None:
    found_in([*TABLE, "data.kinds={a: number, a: ignore}"])
    found_in([*TABLE, 'data.kinds={"é": number, "é": ignore}'])


@pytest.mark.parametrize("where", ["conf/model/mine.yaml", "conf/model", "card.yaml"])
def test_a_folder_or_a_file_in_place_of_the_other(where: str, command: Command) -> None:
    if where == "conf/model":
        Path("conf").mkdir()
        Path(where).write_text(MLP)
        answer = command("check", "--config-dir", "conf")
    else:
        Path(where).mkdir(parents=True)
        answer = command("check", *(["card.yaml"] if where == "card.yaml" else ["model=mine", "--config-dir", "conf"]))
    assert answer.code == 2, answer.out
    assert where in answer.err
    assert "a fault in Runcard" not in answer.err


def test_windows_line_ends_work_and_count() -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/mine.yaml").write_bytes(MLP.replace("\n", "\r\n").encode())
    card = runcard.load_card(["model=mine"], "conf")
    assert card.model.hidden == (8,)  # type: ignore[union-attr]
    assert card.origins["model.dropout"] == "conf/model/mine.yaml:3"
    Path("conf/experiment").mkdir()
    Path("conf/experiment/mine.yaml").write_bytes(f"{GLOBAL}seed: 3\nname: mine\n".replace("\n", "\r\n").encode())
    card = runcard.load_card(["experiment=mine"], "conf")
    assert (card.seed, card.origins["name"]) == (3, "conf/experiment/mine.yaml:3")
    Path("conf/model/mine.yaml").write_bytes(MLP.replace("[8]", "8").replace("\n", "\r\n").encode())
    (found,) = found_in(["model=mine"], "conf")
    assert (found.key, found.where) == ("model.hidden", "conf/model/mine.yaml:2")
    Path("card.yaml").write_bytes(SAVED.replace("\n", "\r\n").encode())
    assert runcard.load_card(["card.yaml"]).origins["seed"] == f"card.yaml:{line_of('seed')}"


def test_a_byte_order_mark_changes_nothing_in_silence() -> None:
    for group, text in {"model": MLP, "experiment": f"{GLOBAL}seed: 3\n"}.items():
        Path(f"conf/{group}").mkdir(parents=True)
        Path(f"conf/{group}/mine.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    try:
        card = runcard.load_card(["model=mine", "experiment=mine"], "conf")
    except CardError:
        return
    assert (card.model.hidden, card.seed) == ((8,), 3)  # type: ignore[union-attr]


# Spelling. A right name is spoilt by what a hand does: a letter left out, added, changed, or swapped with the next.

LETTERS = "abcdefghijklmnopqrstuvwxyz_0123456789"


def spoilt(name: str, kind: int, place: int, letter: str) -> str:
    """One edit of a name."""
    at = place % len(name)
    if kind == 0:
        return name[:at] + name[at + 1 :]
    if kind == 1:
        at = place % (len(name) + 1)
        return name[:at] + letter + name[at:]
    if kind == 2:
        return name[:at] + letter + name[at + 1 :]
    return name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]


@functools.cache
def every_card() -> list[tuple[list[str], dict[str, Any]]]:
    """A card with each choice of each group, as what is typed and as values."""
    cards = []
    extra = {
        "data=table": ["data.path=x.csv", "problem.target=y"],
        "data=arrays": ["data.inputs=x.npy", "data.targets=y.npy"],
        "model=pretrained": ["model.name=x"],
    }
    for group, choices in group_choices().items():
        for choice in choices:
            if group in ("sweep", "problem"):
                continue
            words = [f"{group}={choice}"]
            words += extra.get(words[0], [])
            cards.append((words, runcard.load_card(words).to_dict()))
    return cards


@functools.cache
def every_key() -> dict[str, dict[str, Any]]:
    """Key → a card that has it; keys of sections are among them."""
    keys: dict[str, dict[str, Any]] = {}
    for _, values in every_card():
        for key in flatten(values):
            parts = key.split(".")
            for number in range(1, len(parts) + 1):
                keys.setdefault(".".join(parts[:number]), values)
    return keys


CHOICES = {f"{group}={choice}" for group, choices in group_choices().items() for choice in choices}


def exists(values: dict[str, Any], key: str) -> bool:
    """Whether a card has a key, of a value or of a section."""
    return any(name == key or name.startswith(f"{key}.") for name in flatten(values))


def offered(values: dict[str, Any], wrong: str) -> list[str]:
    """The names that are offered for a misspelt key, in a card that has the right one; it must be refused."""
    tree, mistakes = copy.deepcopy(values), list[Mistake]()
    lay_over(tree, [Override(wrong, 1, False, f"{wrong}=1")], {}, mistakes)
    with pytest.raises(CardError) as caught:
        judge(Composed(tree, {}, mistakes))
    found = [mistake for mistake in caught.value.mistakes if mistake.key == wrong]
    assert found, (wrong, caught.value.mistakes)
    return re.findall(r"[\w.]+", found[0].hint.partition("?")[0])


def chosen(group: str, wrong: str) -> list[str]:
    """The choices that are offered for a misspelt one, which must be refused."""
    mistakes: list[Mistake] = []
    divide(parse_overrides([f"{group}={wrong}"], mistakes), group_choices(), mistakes)
    assert mistakes, f"{group}={wrong}"
    return re.findall(r"\w+", mistakes[0].hint)


def edited(name: str, count: int, chance: random.Random) -> str:
    for _ in range(count):
        name = spoilt(name, chance.randrange(4), chance.randrange(60), chance.choice(LETTERS)) if name else name
    return name


@pytest.mark.parametrize("every", [240, pytest.param(6, marks=pytest.mark.slow)])
def test_one_slip_in_a_key_is_refused_and_the_key_is_offered(every: int) -> None:
    missed = []
    for number, (key, values) in enumerate(every_key().items()):
        head, dot, leaf = key.rpartition(".")
        for place, kind in [*itertools.product(range(len(leaf) + 1), range(4))][number % every :: every]:
            chance = random.Random(f"{key} {place} {kind}")
            wrong = f"{head}{dot}{spoilt(leaf, kind, place, chance.choice(LETTERS))}"
            if not wrong.endswith(".") and not exists(values, wrong) and key not in offered(values, wrong):
                missed.append((key, wrong))
    assert not missed


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.slow)])
def test_one_slip_in_a_choice_is_refused_and_the_choice_is_offered(every: int) -> None:
    missed = []
    for number, name in enumerate(sorted(CHOICES)):
        group, _, choice = name.partition("=")
        for place, kind in [*itertools.product(range(len(choice) + 1), range(4))][number % every :: every]:
            chance = random.Random(f"{name} {place} {kind}")
            wrong = spoilt(choice, kind, place, chance.choice(LETTERS))
            if f"{group}={wrong}" not in CHOICES and choice not in chosen(group, wrong):
                missed.append((name, wrong))
    assert not missed


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_one_slip_in_a_group_is_refused_and_the_group_is_offered(every: int) -> None:
    values, missed = runcard.load_card().to_dict(), []
    for number, group in enumerate(GROUPS):
        for place, kind in [*itertools.product(range(len(group) + 1), range(4))][number % every :: every]:
            chance = random.Random(f"{group} {place} {kind}")
            wrong = spoilt(group, kind, place, chance.choice(LETTERS))
            if not exists(values, wrong) and wrong not in GROUPS and group not in offered(values, wrong):
                missed.append((group, wrong))
    assert not missed


@pytest.mark.parametrize("most", [40, pytest.param(600, marks=pytest.mark.slow)])
def test_two_slips_in_a_key_still_find_it(most: int) -> None:
    chance = random.Random(0)
    tried, found = 0, 0
    keys = every_key()
    names = sorted(keys)
    while tried < most:
        key = chance.choice(names)
        head, dot, leaf = key.rpartition(".")
        spoilt_leaf = edited(leaf, 2, chance)
        wrong = f"{head}{dot}{spoilt_leaf}"
        if edits(leaf, spoilt_leaf) != 2 or not spoilt_leaf or exists(keys[key], wrong):
            continue
        tried += 1
        found += key in offered(keys[key], wrong)
    assert found / tried >= 0.95, found / tried


@pytest.mark.parametrize("most", [100, pytest.param(1500, marks=pytest.mark.slow)])
def test_two_slips_in_a_choice_still_find_it(most: int) -> None:
    chance = random.Random(1)
    tried, found = 0, 0
    names = sorted(CHOICES)
    while tried < most:
        group, _, choice = chance.choice(names).partition("=")
        wrong = edited(choice, 2, chance)
        if edits(choice, wrong) != 2 or not wrong or f"{group}={wrong}" in CHOICES or wrong.isdigit():
            continue
        tried += 1
        found += choice in chosen(group, wrong)
    assert found / tried >= 0.95, found / tried


@settings(max_examples=10, deadline=None)
@given(st.deferred(lambda: st.sampled_from(every_card())), st.data())
def test_one_slip_in_what_is_typed(card: tuple[list[str], dict[str, Any]], data: st.DataObject) -> None:
    words, values = card
    key = data.draw(st.sampled_from(sorted(flatten(values))))
    parts = key.split(".")
    number = data.draw(st.integers(0, len(parts) - 1))
    slip = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 40), st.sampled_from(LETTERS)))
    parts[number] = spoilt(parts[number], *slip)
    wrong = ".".join(parts[: number + 1])
    if not parts[number] or exists(values, wrong) or wrong in GROUPS:
        return
    override = ".".join(parts) + "=1"
    with pytest.raises(CardError) as caught:
        runcard.load_card([*words, override])
    (found,) = [mistake for mistake in caught.value.mistakes if mistake.key == wrong]
    assert found.where == f"override {override}"
    assert ".".join(key.split(".")[: number + 1]) in re.findall(r"[\w.]+", found.hint.partition("?")[0])


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edits_are_a_distance(one: str, other: str) -> None:
    assert edits(one, other) == edits(other, one) <= max(len(one), len(other))
    assert (edits(one, other) == 0) == (one == other)
    assert edits(one, other) >= abs(len(one) - len(other))
    assert all(edits(one, other, most) == min(edits(one, other), most + 1) for most in range(4))


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [("", "abc", 3), ("ab", "ba", 1), ("abc", "acb", 1), ("ca", "abc", 3), ("kitten", "sitting", 3), ("a", "a", 0)],
)
def test_edits(one: str, other: str, number: int) -> None:
    assert edits(one, other) == number


def test_suggestions_are_few_and_the_nearest_first() -> None:
    assert nearest("dropuot", ["dropout", "input_dropout", "hidden"]) == ["dropout"]
    assert nearest("aaaa", ["aaab", "aaac", "aaad", "aaae"]) == ["aaab", "aaac", "aaad"]
    assert nearest("LR", ["lr"]) == ["lr"]
    assert nearest("zzz", ["lr", "seed"]) == []
    assert nearest("x" * 100_000, ["lr", "seed"]) == []


def test_suggestions_among_many_long_names_are_quick() -> None:
    names = [f"feature_number_{number:05d}" for number in range(10_000)]
    names += ["".join(random.Random(number).choices(LETTERS, k=200)) for number in range(1_000)]
    typed, before = "feature_nubmer_00042", time.process_time()
    assert nearest(typed, names)[0] == "feature_number_00042"
    ours, before = time.process_time() - before, time.process_time()
    for name in names[::20]:
        edits(typed, name)
    to_the_end = 20 * (time.process_time() - before)
    assert ours < to_the_end / 2  # a service is asked for names by anyone


# Shipped files, copied by a user who slips once.

FILES = sorted(path for path in shipped_conf().glob("*/*.yaml") if path.parent.name != "sweep")
BESIDE = {
    "data/table": ["data.path=/nowhere/x.csv", "problem.target=y"],
    "data/arrays": ["data.inputs=/nowhere/x.npy", "data.targets=/nowhere/y.npy"],
    "model/pretrained": ["model.name=x"],
    "problem/table": ["data=table", "data.path=/nowhere/x.csv", "problem.target=y"],
    "problem/arrays": ["data=arrays", "data.inputs=/nowhere/x.npy", "data.targets=/nowhere/y.npy"],
}


def copied(path: Path, text: str) -> Card:
    """The card that a user gets who chooses this text in place of a shipped file.

    Raises:
        CardError: If it is refused.
    """
    group, name = path.parent.name, path.stem
    own = Path("conf") / group / "copied.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(text, encoding="utf-8")
    words = [f"{group}=copied", *BESIDE.get(f"{group}/{name}", [])]
    if group == "data":
        words.append(f"problem={name}")
    if group == "problem" and len(words) == 1:
        words.append(f"data={name}")
    try:
        return runcard.load_card(words, "conf")
    finally:
        own.unlink()


def keys_in(text: str) -> list[tuple[int, int]]:
    """Where each key begins and ends."""
    found: list[tuple[int, int]] = []

    def look(node: yaml.Node | None) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                found.append((key.start_mark.index, key.end_mark.index))
                look(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                look(item)

    look(yaml.compose(text, Loader=yaml.SafeLoader))
    return found


# By default a sixth: they differ in little.
COPIES = [path if place % 6 == 0 else pytest.param(path, marks=pytest.mark.slow) for place, path in enumerate(FILES)]


@pytest.mark.parametrize("path", COPIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_copy_is_the_same_card(path: Path) -> None:
    assert copied(path, path.read_text()).name


SLIPS = LETTERS[:26] + "_0 /@:.#-~'\"[{&*!"


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_one_slip_in_a_copied_file_is_refused_or_changes_nothing(path: Path, data: st.DataObject) -> None:
    slip_in_a_file(path, data)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_many_slips_in_copied_files(path: Path, data: st.DataObject) -> None:
    slip_in_a_file(path, data)


def with_a_slip(text: str, data: st.DataObject) -> str:
    """A file of YAML with one slip in one of its keys."""
    start, end = data.draw(st.sampled_from(keys_in(text)))
    slip = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 40), st.sampled_from(SLIPS)))
    return text[:start] + spoilt(text[start:end], *slip) + text[end:]


def slip_in_a_file(path: Path, data: st.DataObject) -> None:
    text = path.read_text()
    wrong = with_a_slip(text, data)
    try:
        card = copied(path, wrong)
    except CardError:
        return
    assert card == copied(path, text), wrong


SWEEPS = sorted((shipped_conf() / "sweep").glob("*.yaml"))


@settings(max_examples=3, deadline=None)
@given(st.sampled_from(SWEEPS), st.data())
def test_one_slip_in_a_copied_sweep_is_refused_or_changes_nothing(path: Path, data: st.DataObject) -> None:
    slip_in_a_sweep(path, data)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SWEEPS), st.data())
def test_many_slips_in_copied_sweeps(path: Path, data: st.DataObject) -> None:
    slip_in_a_sweep(path, data)


def slip_in_a_sweep(path: Path, data: st.DataObject) -> None:
    text = path.read_text()
    wrong = with_a_slip(text, data)
    Path("conf/sweep").mkdir(parents=True, exist_ok=True)
    own = Path("conf/sweep/copied.yaml")

    def plan(content: str) -> tuple[Any, ...]:
        own.write_text(content)
        plan = api.load_sweep(["sweep=copied"], "conf")
        return plan.settings, plan.written_space, plan.trials

    try:
        found = plan(wrong)
    except CardError:
        return
    assert found == plan(text)
