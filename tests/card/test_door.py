"""One door: what the command tells is what the API tells, and files that nobody chose stop nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runcard
from runcard import api
from runcard.card import check as judge
from runcard.card import contradictions
from runcard.card.compose import compose
from runcard.card.groups import shipped_conf
from runcard.card.plan import Plan
from runcard.card.schema import Card
from runcard.card.values import Composed
from runcard.errors import CardError, Mistake
from tests.conftest import TINY, Command

MLP = "_target_: runcard.models.mlp.Mlp\nhidden: [8]\ndropout: 0.1\ninput_dropout: 0.0\n"
# Files that cannot be composed, each wrong in its own way, and the name that a choice would have.
BROKEN = {
    "an open bracket": ("model/draft.yaml", "_target_: x\nhidden: [8\n"),
    "a key twice": ("model/draft.yaml", "dropout: 0.1\ndropout: 0.2\n"),
    "no mapping": ("model/draft.yaml", "- 8\n"),
    "empty": ("model/draft.yaml", ""),
    "tabs": ("model/draft.yaml", "hidden:\n\t- 8\n"),
    "a wrong defaults list": ("experiment/draft.yaml", "# @package _global_\ndefaults: [override /modle: mlp]\n"),
    "itself in its defaults": ("experiment/draft.yaml", "# @package _global_\ndefaults: [draft]\n"),
    "a sweep without its head": ("sweep/draft.yaml", "sampler: grid\n"),
    "Hydra's own": ("trainer/draft.yaml", "hydra: {job: {name: x}}\n"),
    "a reference that is open": ("model/draft.yaml", "dropout: ${oc.env\n"),
    "another package": ("model/draft.yaml", f"# @package elsewhere\n{MLP}"),
}
UNREAD = {
    "a .yml": ("model/draft.yml", MLP),
    "a name that nobody can choose": ("model/two words,.yaml", MLP),
    "the name of a shipped file": ("model/resnet.yaml", MLP),
}


def write(name: str, text: str) -> Path:
    path = Path("conf", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def mistakes_in(words: list[str]) -> list[Mistake]:
    with pytest.raises(CardError) as caught:
        runcard.load_card(words, "conf")
    return caught.value.mistakes


@pytest.mark.parametrize("what", [*BROKEN, *UNREAD])
def test_a_file_that_nobody_chose_stops_nothing(what: str, command: Command) -> None:
    path = write(*(BROKEN | UNREAD)[what])
    words = ["data=wine", "seed=3", "--config-dir", "conf"]
    said = command("check", *words)
    assert (said.code, said.err) == (0, "")
    assert any(str(path) in line for line in said.out.splitlines() if line.startswith("warning: "))
    assert said.out.endswith("Nobody chose the file, so it stops nothing.\nthe card is right\n")
    (warning,) = command("check", *words, "--json").json["warnings"]
    assert str(path) in f"{warning['key']} {warning['where']}"
    assert runcard.load_card(words[:2], "conf") == runcard.load_card(words[:2])


def test_a_fit_and_a_sweep_pass_it_by_too(command: Command) -> None:
    path = write(*BROKEN["an open bracket"])
    said = command("fit", "--config-dir", "conf", "data=wine", "model=linear", *TINY)
    assert said.code == 0, said.err
    said = command("check", "--config-dir", "conf", "-m", "data=wine", "seed=1,2", "model=linear,mlp", "--json")
    assert said.code == 0, said.err
    assert [warning["key"] for warning in said.json["warnings"]] == [str(path)]


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_somebody_chose_is_refused_with_all_else(what: str, command: Command) -> None:
    path = write(*BROKEN[what])
    group = path.parent.name
    words = ["data=wine", f"{group}=draft", "seed=-1", *([] if group == "sweep" else ["trainer.max_epoch=4"])]
    said = command("check", *words, "--config-dir", "conf", "--json")
    assert said.code == 2
    found = [Mistake(**mistake) for mistake in said.json["error"]["mistakes"]]
    assert any(mistake.key == str(path) or mistake.where.startswith(str(path)) for mistake in found), found
    if group != "sweep":  # its values are tried, not judged as a card's
        assert {"seed", "trainer.max_epoch"} <= {mistake.key for mistake in found}
        assert found == mistakes_in(words)


@pytest.mark.parametrize("words", [["model=resnet"], ["model=two words,"], ["model=draft"]])
def test_what_would_not_be_read_is_refused_where_it_is_meant(words: list[str]) -> None:
    for name, text in UNREAD.values():
        write(name, text)
    meant = {"resnet": "the same name", "two words,": "no choice can have", "draft": "end in .yaml"}
    found = mistakes_in(["data=digits", *words])
    assert any(meant[words[0].partition("=")[2]] in f"{mistake.message} {mistake.hint}" for mistake in found), found


@pytest.mark.parametrize("many", [False, True])
def test_three_mistakes_beside_a_draft(many: bool, command: Command) -> None:
    path = write(*BROKEN["an open bracket"])
    words = ["seed=-1", "trainer.max_epoch=4"]
    keys = ["seed", "trainer.max_epoch", str(path)]
    assert [mistake.key for mistake in mistakes_in(words)] == keys
    swept = ["-m", "model=linear,mlp"] if many else []
    for verb in ("check", "fit"):
        said = command(verb, *words, *swept, "--config-dir", "conf")
        assert said.code == 2
        assert "the card has 3 mistakes" in said.err
        assert all(f"- {key}: " in said.err for key in keys)


def test_a_file_of_a_project_is_passed_by_too(command: Command) -> None:
    Path("pyproject.toml").write_text('[tool.runcard]\nconfig_dir = "conf"\n')
    write(*BROKEN["an open bracket"])
    assert command("check", "data=wine").code == 0


def test_hydras_own_groups_are_never_passed_by(command: Command) -> None:
    write("hydra/callbacks/evil.yaml", "x: {_target_: evil.Callback}\n")
    assert command("check", "data=wine", "--config-dir", "conf").code == 2


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["--cfg", "all"], ["--cfg", "job", "--resolve"]])
@pytest.mark.parametrize("verb", ["fit", "check"])
def test_what_is_printed_as_a_card_is_judged(verb: str, flags: list[str], command: Command) -> None:
    wrong = ["data=wine", "trainer.max_epoch=4", "seed=-1"]
    said, plain = command(verb, *wrong, *flags), command(verb, *wrong)
    assert (said.code, said.err) == (2, plain.err)
    said = command(verb, "data=wine", "seed=4", *flags)
    assert said.code == 0, said.err
    assert "seed: 4\n" in said.out


def test_what_is_printed_of_a_sweep_is_its_card(command: Command) -> None:
    words = ["-m", "data=wine", "optimizer.lr=1e-2,1e-3", "--cfg", "job"]
    said = command("fit", *words, "seed=3")
    assert said.code == 0, said.err
    assert "seed: 3\n" in said.out
    assert command("fit", *words, "seed=-3").code == 2
    assert not Path("studies").exists()


@pytest.mark.parametrize(
    ("words", "many"),
    [(["data=wine"], False), (["sweep=tpe"], True), (["experiment=swept"], True), (["seed=1,2"], True)],
)
def test_whether_it_is_a_sweep_is_told_by_the_composed_card(
    words: list[str], many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = "sweep:\n  sampler: grid\n  space: {seed: '1,2'}\n"
    sweep_file = (shipped_conf() / "sweep" / "grid.yaml").read_text()
    assert "hydra" in sweep_file
    write("experiment/swept.yaml", f"# @package _global_\ndefaults:\n  - override /sweep: grid\n{space}")
    composed: list[object] = []

    def counted(*given: Any) -> Composed:
        composed.append(given)
        return compose(*given)

    monkeypatch.setattr(judge, "compose", counted)
    loaded = api.load_checked(words, "conf", many=words == ["seed=1,2"])
    assert isinstance(loaded, Plan) == many
    assert len(composed) == (0 if words in (["sweep=tpe"], ["seed=1,2"]) else 1)


def test_a_fit_judges_its_card_three_times_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Composed] = []
    original = judge.judge

    def counted(composed: Composed, *given: object) -> Card:
        judged.append(composed)
        return original(composed, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(judge, "judge", counted)
    words = ["data=wine", "optimizer.lr=auto", "data.batch_size=auto", "trainer=auto", *TINY]
    runcard.fit(runcard.load_card(words))
    assert 1 <= len(judged) <= 3


def test_an_error_carries_no_card(table: Path) -> None:
    with pytest.raises(CardError) as caught:
        api.load_checked(["data=table", f"data.path={table}", "problem.target=churnd", "seed=-1"])
    assert list(vars(caught.value)) == ["mistakes"]
    assert [mistake.key for mistake in caught.value.mistakes] == ["seed", "problem.target"]
    json.dumps([vars(mistake) for mistake in caught.value.mistakes])


def test_a_bug_in_a_check_is_no_silence_when_the_card_is_wrong(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(card: Card) -> list[tuple[str, str, str]]:
        return [(card.modle, "", "")]  # type: ignore[attr-defined]

    monkeypatch.setattr(contradictions, "_data_contradictions", broken)
    said = command("check", "seed=-1")
    assert said.code == 1
    assert "a fault in Runcard: AttributeError" in said.err


def test_every_value_of_another_form_is_told_at_once() -> None:
    lines = ["# @package _global_", "seed: {a: 1}", "report: [1]", "model: cnn", "trainer:", "  early_stopping: 4"]
    path = write("experiment/odd.yaml", "\n".join([*lines, "  max_epoch: 3", "optimizer: [1]", ""]))
    found = {mistake.key: mistake for mistake in mistakes_in(["experiment=odd"])}
    assert {key: mistake.where for key, mistake in found.items()} == {
        "seed": f"{path}:2",
        "report": f"{path}:3",
        "model": f"{path}:4",
        "trainer.early_stopping": f"{path}:6",
        "trainer.max_epoch": f"{path}:7",
        "optimizer": f"{path}:8",
    }
    assert found["model"].hint == "A file chooses it in its defaults: '- override /model: cnn'."
