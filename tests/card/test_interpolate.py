"""Interpolations: what they stand for, all that is wrong at once, no secret in any file, nothing that explodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import runcard
from runcard.card.interpolate import escaped, fill_in, literal
from runcard.errors import CardError
from runcard.yamltext import dump_yaml
from tests.conftest import TINY, Command, Said, customers

TREE = {
    "a": "${b.c}",
    "b": {"c": 3, "d": "x${.c}y${..a}", "e": ["${b.c}", {"f": "${a}"}]},
    "g": "${b.e[1].f}",
    "h": "${oc.select:nowhere,7}",
    "i": "${oc.decode:'[1, 2]'}",
    "j": r"\${a} and ${a}",
    "k": "${b}",
    "l": "cost: $5 {x}",
    "m": "${oc.select:b.c}",
}


def test_as_omegaconf_does() -> None:
    filled = fill_in(TREE, {})
    assert filled.values == OmegaConf.to_container(OmegaConf.create(TREE), resolve=True)
    assert not filled.mistakes
    assert not filled.secrets


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="\\${}a:.,'\"[ ", max_size=14))
def test_a_text_can_be_written_so_that_it_stays_what_it_is(text: str) -> None:
    assert fill_in({"a": literal(text), "b": [escaped(text)]}, {}).values == {"a": text, "b": [text]}


def test_all_that_is_wrong_at_once() -> None:
    tree = {
        "a": "${b}",
        "b": "${a}",
        "c": "${nowhree}",
        "nowhere": 1,
        "d": "${eval:1}",
        "e": "${",
        "f": "${oc.env:RUNCARD_NOT_SET}",
        "g": {"h": "${g}"},
        "i": "${c}",
        "j": "${oc.env:A,B,C}",
        "k": "${...a}",
    }
    found = {mistake.key: str(mistake) for mistake in fill_in(tree, {key: f"x.yaml:{key}" for key in tree}).mistakes}
    assert set(found) == {"a", "b", "c", "d", "e", "f", "g.h", "i", "j", "k"}
    assert "refers to itself: a → b → a" in found["b"]
    assert "'nowhree', which there is not  (x.yaml:c)" in found["c"]
    assert "Did you mean nowhere?" in found["c"]
    assert "calls 'eval', which a card cannot" in found["d"]
    assert "the environment variable RUNCARD_NOT_SET is not set" in found["f"]
    assert "${oc.env:RUNCARD_NOT_SET,DEFAULT}" in found["f"]
    assert "'c', which cannot be filled in" in found["i"]


@pytest.mark.parametrize("link", ["${a%d}${a%d}", ["${a%d}", "${a%d}"], {"x": "${a%d}", "y": "${a%d}"}])
def test_references_that_stand_for_gigabytes(link: object) -> None:
    text = json.dumps(link)
    tree = {f"a{level}": json.loads(text.replace("%d", str(level + 1))) for level in range(40)} | {"a40": "xxxx"}
    try:
        said = [mistake.message for mistake in fill_in(tree, {}).mistakes]
    except CardError as error:
        said = [str(error)]
    assert any("more than" in text for text in said)


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch, command: Command) -> Said:
    """What was said by a fit of a card that reads the environment."""
    customers(60).write_csv("rows.csv")
    monkeypatch.setenv("SECRET", "hunter2hunter2")
    monkeypatch.setenv("FOLDER", ".")
    words = [
        "data=table",
        "data.path=${oc.env:FOLDER}/rows.csv",
        "problem.target=churned",
        "problem.goal=${oc.env:SECRET}",
    ]
    said = command("fit", *words, "problem.risk=pre ${problem.goal}", "problem.impact=\\${x}", *TINY, "--json")
    assert said.code == 0, said.err
    return said


@pytest.mark.slow
def test_what_the_environment_holds_is_in_no_file(secretive: Said, command: Command) -> None:
    folder = Path(secretive.json["run"])
    run = runcard.evaluate(folder)
    assert run.card.problem.goal == "hunter2hunter2"
    assert run.card.problem.risk == "pre hunter2hunter2"
    assert run.card.problem.impact == "${x}"
    package = runcard.package(folder, http=False).path
    files = [path for place in (folder, package) for path in place.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if b"hunter2" in path.read_bytes()]
    assert "hunter2" not in secretive.out + secretive.err
    shown = command("check", str(folder / "card.yaml"), "--json")
    assert "hunter2" not in shown.out + shown.err
    assert "${oc.env:SECRET}" in shown.out


@pytest.mark.slow
def test_what_reads_the_environment_comes_out_the_same(secretive: Said, command: Command) -> None:
    assert command("verify", secretive.json["run"]).code == 0


@pytest.mark.parametrize("folder", [".", "below", "/absolute", "~", "s3://bucket"])
def test_a_path_from_the_environment_is_saved_absolute(
    folder: str, monkeypatch: pytest.MonkeyPatch, away: Path
) -> None:
    place = str(away) + folder if folder == "/absolute" else folder
    monkeypatch.setenv("FOLDER", place)
    card = runcard.load_card(["data=table", "data.path=${oc.env:FOLDER}/x.csv", "problem.target=y"])
    Path("card.yaml").write_text(dump_yaml(card.saved()))
    monkeypatch.chdir("/")
    again = runcard.load_card([str(away / "card.yaml")])
    assert again == card
    assert "${oc.env:FOLDER}/x.csv" in again.to_dict()["data"]["path"]


def test_no_mistake_says_a_secret(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setenv("SECRET", "hunter2hunter2")
    said = command("check", "optimizer.lr=${oc.env:SECRET}", "problem.metric=${oc.env:SECRET}", "seed=${optimizer.lr}")
    assert said.code == 2
    assert "hunter2" not in said.out + said.err
    assert "${oc.env:SECRET}" in said.err


def test_a_trackers_settings_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    from runcard.training.trackers.base import settings as told

    monkeypatch.setenv("SECRET", "hunter2hunter2")
    card = runcard.load_card(["problem.goal=${oc.env:SECRET}", "trainer.callbacks={}"])
    assert "hunter2" not in str(told(card))
    assert told(card)["problem.goal"] == "${oc.env:SECRET}"


@pytest.fixture
def evil() -> Iterator[list[object]]:
    """A function that somebody in this process has registered for references; what it was called with."""
    called: list[object] = []

    def call(*words: object) -> dict[str, object]:
        called.append(words)
        return {}

    OmegaConf.register_new_resolver("evil", call)
    yield called
    OmegaConf.clear_resolver("evil")


@pytest.mark.parametrize(
    "text",
    [
        'trainer: "${evil:1}"',
        'data: {split: "${evil:1}"}',
        'trainer: {early_stopping: "${oc.create:{patience:${evil:2}}}"}',
        'defaults: [{"override /model": "${evil:3}"}]',
        '<<: {defaults: [{"override /model": "${evil:4}"}]}',
    ],
)
@pytest.mark.parametrize("more", [[], ["debug=fast"], ["trainer={early_stopping: {patience: 3}}"]])
def test_no_registered_function_is_called(text: str, more: list[str], evil: list[object], away: Path) -> None:
    (away / "conf" / "experiment").mkdir(parents=True)
    (away / "conf" / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    with pytest.raises(CardError):
        runcard.load_card(["experiment=mine", *more], "conf")
    assert not evil


def test_a_reference_that_a_later_file_lays_values_over_is_not_read(
    monkeypatch: pytest.MonkeyPatch, away: Path
) -> None:
    monkeypatch.setenv("SECRET", "hunter2hunter2")
    (away / "conf" / "experiment").mkdir(parents=True)
    text = '# @package _global_\ntrainer:\n  average: "${oc.create:{method:${oc.env:SECRET}}}"\n'
    (away / "conf" / "experiment" / "mine.yaml").write_text(text)
    with pytest.raises(CardError) as caught:
        runcard.load_card(["experiment=mine", "trainer.average={method: null}"], "conf")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "model.hidden=[${oc.env:SECRET}]",
        "optimizer.lr=${oc.env:${oc.env:SECRET}}",
        "optimizer.lr=${${oc.env:SECRET}}",
        "optimizer.lr=${oc.decode:${oc.env:SECRET}}",
        "logger.project=[${oc.env:SECRET}]",
    ],
)
@pytest.mark.parametrize("secret", ["hunter2hunter2", "{a: hunter2}", 'hun"ter2\\hunter2'])
def test_no_form_of_a_secret_is_said(
    typed: str, secret: str, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setenv("SECRET", secret)
    for words in ([typed], [typed, "--json"]):
        said = command("check", *words)
        assert said.code == 2
        assert "hunter2" not in said.out + said.err


def test_what_is_found_for_auto_of_the_environment_stays(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setenv("RATE", "auto")
    said = command("fit", "data=wine", "optimizer.lr=${oc.env:RATE}", *TINY, "--json")
    assert said.code == 0, said.err
    monkeypatch.delenv("RATE")
    card = runcard.load_run(said.json["run"]).card
    assert isinstance(card.optimizer.lr, float)


def test_a_text_of_the_environment_where_a_number_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNCARD_LR", "0.01")
    with pytest.raises(CardError) as caught:
        runcard.load_card(["data=wine", "optimizer.lr=${oc.env:RUNCARD_LR}"])
    hint = "The environment holds texts; ${oc.decode:${oc.env:RUNCARD_LR}} reads one as a value."
    assert [mistake.hint for mistake in caught.value.mistakes] == [hint]
    card = runcard.load_card(["data=wine", "optimizer.lr=${oc.decode:${oc.env:RUNCARD_LR}}"])
    assert card.optimizer.rate == 0.01


def test_keys_with_dots_are_not_mistaken_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND", "category")
    words = ["data=table", "data.path=x.csv", "problem.target=y"]
    card = runcard.load_card([*words, 'data.kinds={"a.b": number, a: "${oc.env:KIND}"}'])
    assert card.to_dict()["data"]["kinds"] == {"a.b": "number", "a": "${oc.env:KIND}"}


def test_a_log_holds_no_secret(monkeypatch: pytest.MonkeyPatch, command: Command, away: Path) -> None:
    monkeypatch.setenv("SECRET", "hunter2hunter2")
    timer = "{_target_: pytorch_lightning.callbacks.Timer, duration: '${oc.env:SECRET}'}"
    said = command("fit", "data=wine", *TINY, f"trainer.callbacks={{t: {timer}}}")
    assert said.code == 2
    assert "hunter2" not in said.out + said.err
    logs = list((away / "runs").rglob("run.log"))
    assert logs
    assert not [path for path in (away / "runs").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
