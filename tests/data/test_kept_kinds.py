"""What the columns of a run's table were taken for stands in its card, and no later guess changes the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runcard
from runcard import settling
from runcard.card import check as judge
from runcard.card.check import load_saved
from runcard.card.kinds import can_be_named
from runcard.card.sections.formats import Spelling
from runcard.card.values import Composed
from runcard.data import arrays
from runcard.data.looking import features
from runcard.data.looking.look import Look
from runcard.data.looking.seen import Habits, Seen
from runcard.errors import DataError
from runcard.files import read_json, read_yaml
from runcard.yamltext import construct, dump_yaml, parse_nodes
from tests.conftest import Command, customers
from tests.earlier.kept import VERSIONS, Kept, copy_kept, same_machine, weights_digest

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = ["data=table", "problem.target=churned", "model=linear", "trainer.max_epochs=2", "report=false"]
KINDS = {"customer": "ignore", "age": "number", "city": "category", "member": "boolean", "spent": "number"}


@pytest.fixture
def other_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess that takes nothing for what it was taken for before: text for numbers, all else left out or kept."""

    def guess(seen: Seen, habits: Habits, spelling: Spelling) -> Look:
        numbers = seen.numbers is None or seen.numbers.null_count() == seen.column.null_count()
        return Look("category") if numbers or seen.column.name == "customer" else Look("ignore", "of a whim")

    monkeypatch.setattr(features, "look_at", guess)


def test_the_card_names_every_column(table: Path) -> None:
    run = runcard.fit(runcard.load_card([*SMALL, f"data.path={table}", "data.kinds={spent: number}"]))
    saved = read_yaml(run.folder.card)
    assert saved["data"]["kinds"] == KINDS
    assert saved["problem"]["task"] == "classification"
    origins = read_json(run.folder.origin)
    assert origins["data.kinds.spent"] == "override data.kinds={spent: number}"
    assert {name: origins[f"data.kinds.{name}"].partition(",")[0] for name in KINDS if name != "spent"} == {
        name: "settled" for name in KINDS if name != "spent"
    }
    features = read_json(run.folder.data)["signature"]["features"]
    assert {one["name"]: one["kind"] for one in features} == {n: k for n, k in KINDS.items() if k != "ignore"}


@pytest.mark.usefixtures("other_guess")
@pytest.mark.parametrize("version", VERSIONS)
def test_another_guess_changes_no_run_of_before(version: str, away: Path, command: Command) -> None:
    kept = copy_kept(version, away / "earlier")
    assert read_yaml(kept.run("table") / "card.yaml")["data"]["kinds"] == {"customer": "ignore"}
    assert load_saved(kept.run("table") / "card.yaml").values()["data"]["kinds"] == KINDS
    _goes_on(kept, command)
    before = read_json(kept.run("table") / "metrics.json")
    said = command("evaluate", str(kept.run("table")), "--json")
    assert said.code == 0, said.err
    assert {name: said.json["metrics"][name] for name in before} == pytest.approx(before)


def _goes_on(kept: Kept, command: Command) -> None:
    run = kept.run("stopped")
    said = command("resume", str(run), "--json")
    assert said.code == 0, said.err
    assert said.json["metrics"] == pytest.approx(kept.expected["resumed"]["metrics"])
    assert not same_machine(run) or weights_digest(run) == kept.expected["resumed"]["weights"]


def test_a_run_without_kinds_is_brought_up_by_its_data(table: Path, other_guess: None) -> None:
    card = runcard.load_card([*SMALL, f"data.path={table}", "data.kinds={age: number, spent: number}"])
    run = runcard.fit(card)
    text = run.folder.card.read_text().splitlines()
    start = text.index("  kinds:")
    kinds = {"customer": "category", "age": "number", "city": "ignore", "member": "ignore", "spent": "number"}
    assert read_yaml(run.folder.card)["data"]["kinds"] == kinds
    # As the cards of older runs are.
    run.folder.card.write_text("\n".join([*text[:start], "  kinds: {}", *text[start + 1 + len(kinds) :]]) + "\n")
    assert load_saved(run.folder.card).values()["data"]["kinds"] == kinds


def test_with_other_rows_what_was_left_out_is_guessed_again(table: Path, command: Command) -> None:
    run = runcard.fit(runcard.load_card([*SMALL, f"data.path={table}"]))
    assert load_saved(run.folder.card).values()["data"]["kinds"] == KINDS
    customers().drop("customer").write_csv("others.csv")
    said = command("fit", str(run.folder.card), "data.path=others.csv", "--json")
    assert said.code == 0, said.err
    kept = read_yaml(Path(said.json["run"]) / "card.yaml")["data"]["kinds"]
    assert kept == {name: kind for name, kind in KINDS.items() if name != "customer"}


def test_what_a_user_left_out_must_be_there(table: Path, command: Command) -> None:
    run = runcard.fit(runcard.load_card([*SMALL, f"data.path={table}", "data.kinds={customer: ignore}"]))
    customers().drop("customer").write_csv("others.csv")
    said = command("fit", str(run.folder.card), "data.path=others.csv")
    assert said.code == 2
    assert "data.kinds.customer" in said.err


def test_a_table_too_wide_for_a_card_is_told_by_its_data(
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
) -> None:
    monkeypatch.setattr(settling, "MAX_KINDS", 3)
    run = runcard.fit(runcard.load_card([*SMALL, f"data.path={table}"]))
    assert read_yaml(run.folder.card)["data"]["kinds"] == {}
    assert load_saved(run.folder.card).values()["data"]["kinds"] == KINDS
    assert command("evaluate", str(run.path)).code == 0


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    ["_target_", "_args_", "???", "a.b", "${m}", "${oc.env:HOME}", "null", "yes", "1", "k: v", "#", "p\nq", "x=1", "<<"]
)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(NAMES, st.sampled_from(["number", "category", "boolean", "ignore"]), min_size=1, max_size=5))
def test_any_name_of_a_column_can_be_kept(kinds: dict[str, str]) -> None:
    card = runcard.load_card(["data=table", "data.path=/rows.csv", "problem.target=y", "seed=3"])
    if can_be_named(kinds):
        card = judge.judged_again(judge.replaced(card, "data", {"kinds": kinds}))
        assert card.values()["data"]["kinds"] == kinds
        assert judge.judge(Composed(construct(parse_nodes(dump_yaml(card.saved()))))).values() == card.values()


@pytest.mark.parametrize(
    "name", ["_target_", *(pytest.param(each, marks=pytest.mark.slow) for each in ("_args_", "${m}", "???", "a.b"))]
)
def test_a_column_with_a_name_that_means_something_elsewhere(name: str, command: Command) -> None:
    customers().rename({"age": name}).write_csv("rows.csv")
    said = command("fit", *SMALL, "data.path=rows.csv", "--json")
    assert said.code == 0, said.err
    assert command("evaluate", said.json["run"]).code == 0
    kept = read_yaml(Path(said.json["run"]) / "card.yaml")["data"]["kinds"]
    assert len(kept) == (0 if name == "_target_" else 5)


def test_rows_read_as_another_kind_are_refused(monkeypatch: pytest.MonkeyPatch, away: Path) -> None:
    kept = copy_kept(VERSIONS[-1], away / "earlier")
    monkeypatch.setattr(arrays, "KINDS", {2: "vector", 3: "image", 4: "sequence"})
    with pytest.raises(DataError, match="learned from 'image' as image, and now it is read as none of the feat"):
        runcard.evaluate(kept.run("images"))
