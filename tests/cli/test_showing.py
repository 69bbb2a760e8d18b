"""How a card is shown: as a tree, value by value, beside others; on a terminal and in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import runcard
from runcard.cli.terminal import inline, table_text
from runcard.leaves import differing_keys, flatten
from tests.conftest import TINY, Command
from tests.terminals import each_in_terminal, in_terminal, without_codes

WORDS = ["experiment=wine", "optimizer.lr=1e-2", "data.split={test: 0.3}"]


def write(name: str, *words: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(runcard.load_card(words).to_dict(), sort_keys=False))
    return name


def marked(text: str) -> list[str]:
    return [line[2:].split(":")[0].strip() for line in text.splitlines() if line.startswith("* ") and ": " in line]


def test_a_tree_in_a_pipe_has_a_value_a_line_and_marks_what_was_changed(command: Command) -> None:
    lines = command("check", *WORDS).out.splitlines()
    card = runcard.load_card(WORDS)
    end = lines.index("")
    values = [line for line in lines[:end] if not line.split("  conf/")[0].rstrip().endswith(":")]
    assert len(values) == len(flatten(card.to_dict()))
    assert marked("\n".join(lines[:end])) == [
        *("name", "test", "hidden", "dropout", "input_dropout", "lr", "weight_decay", "max_epochs")
    ]
    assert "*   lr: 0.01            override optimizer.lr=1e-2" in lines
    assert "  model:                conf/model/mlp.yaml" in lines
    assert lines[end + 1 :] == [
        "* 8 values were changed: 6 by conf/experiment/wine.yaml, 2 by overrides",
        "the card is right",
    ]


def test_nothing_changed_is_nothing_marked(command: Command) -> None:
    out = command("check").out
    assert "*" not in out
    assert out.endswith("\n\nthe card is right\n")


@pytest.mark.parametrize(("words", "said"), [(["seed=3"], "an override"), (["seed=3", "report=false"], "overrides")])
def test_what_changed_values_is_counted(words: list[str], said: str, command: Command) -> None:
    count = "1 value was" if len(words) == 1 else "2 values were"
    assert f"\n* {count} changed by {said}\n" in command("check", *words).out


def test_the_tree_is_the_card(command: Command) -> None:
    """Marks and places aside, what is shown is YAML of the same values."""
    text = 'problem.goal="a, b: \\u00e9 [#] \x1b[31m\\n 2"'
    lines = command("check", *WORDS, text).out.partition("\n\n")[0].splitlines()
    places = ("  conf/", "  override ")
    bare = "\n".join(min((line.split(place)[0] for place in places), key=len)[2:] for line in lines)
    card = runcard.load_card([*WORDS, text])
    assert yaml.safe_load(bare) == card.to_dict()
    assert "\x1b" not in bare


def test_origin_lists_every_value_with_its_place(command: Command) -> None:
    said = command("check", *WORDS, "--origin")
    card = runcard.load_card(WORDS)
    lines = said.out.partition("\n\n")[0].splitlines()
    assert [line[2:].split()[0] for line in lines] == list(flatten(card.to_dict()))
    (rate,) = [line for line in lines if "optimizer.lr" in line]
    assert rate.split(maxsplit=3) == ["*", "optimizer.lr", "0.01", "override optimizer.lr=1e-2"]
    seed = next(line for line in lines if line.startswith("  seed"))
    assert seed.index("conf/config.yaml:22") == rate.index("override")
    assert said.out.endswith("/conf\nthe card is right\n")


def test_origin_as_json_is_complete(command: Command) -> None:
    origins = command("check", *WORDS, "--origin", "--json").json
    assert set(origins) == {"ok", "card", "origins", "warnings"}
    assert set(flatten(origins["card"])) <= set(origins["origins"])
    assert origins == command("check", *WORDS, "--json").json


def test_origin_of_a_saved_card(command: Command) -> None:
    run = command("fit", "data=wine", "seed=4", *TINY, "--json").json["run"]
    out = command("check", f"{run}/card.yaml", "optimizer.lr=0.5", "--origin").out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("* seed")] == ["seed=4"]
    assert "settled, conf/trainer/cpu.yaml:" in out
    assert "override optimizer.lr=0.5" in out
    Path("alone.yaml").write_text(Path(run, "card.yaml").read_text())
    alone = command("check", "alone.yaml", "seed=5")
    assert marked(alone.out.partition("\n\n")[0]) == ["seed"]
    assert "alone.yaml:2" in command("check", "alone.yaml", "--origin").out


def test_origin_is_of_one_card(command: Command) -> None:
    said = command("check", "-m", "seed=1,2", "--origin")
    assert (said.code, said.out) == (2, "")
    assert "a sweep makes many" in said.err


@pytest.mark.parametrize("columns", [80, pytest.param(120, marks=pytest.mark.slow)])
def test_on_a_terminal_in_colour_and_within_its_width(columns: int) -> None:
    words = ["experiment=wine", "optimizer.lr=1e-2", "seed=1"]
    check = ["check", *words]
    shown, origins = each_in_terminal(check, [*check, "--origin"], columns=columns)
    assert "\x1b[1;33m*   lr\x1b[0m: \x1b[35m0.01\x1b[0m" in shown
    kinds = ["\x1b[1;33m* seed\x1b[0m: \x1b[35m1", "\x1b[32mcultivar\x1b[0m", "\x1b[2;3mnull\x1b[0m"]
    assert all(kind in shown for kind in kinds)
    plain = without_codes(shown)
    assert max(map(len, plain.splitlines())) <= columns
    assert plain.endswith("the card is right\n")
    table = without_codes(origins).partition("\n\n")[0].splitlines()
    assert len(table) == len(flatten(runcard.load_card(WORDS).to_dict()))
    assert max(map(len, table)) <= columns


@pytest.mark.slow
def test_a_place_for_which_a_terminal_has_no_room_stands_below() -> None:
    Path("a" * 45 + ".csv").write_text("x,y\n1,2\n")
    words = ["check", "data=table", f"data.path={'a' * 45}.csv", "problem.target=y"]
    lines = without_codes(in_terminal(*words)).splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.strip().startswith("override data.path")]
    assert lines[place - 1].strip().endswith(".csv")
    assert "  target: y" in "\n".join(lines)


@pytest.mark.slow
def test_no_color_is_obeyed() -> None:
    shown = in_terminal("check", "seed=3", NO_COLOR="1")
    assert "\x1b[3" not in shown
    assert "\x1b" not in in_terminal("check", "seed=3", TERM="dumb")
    assert "* seed" in without_codes(shown)


def test_compare_shows_what_differs_section_by_section(command: Command) -> None:
    first = write("runs/a/1/card.yaml", "data=wine", "name=a")
    other = write("runs/b/2/card.yaml", "data=wine", "model=linear", "optimizer.lr=0.5", "seed=3", "runs_dir=x")
    said = command("compare", "--cards", "runs/a/1", other)
    assert said.code == 0
    assert [line.split() for line in said.out.splitlines()] == [
        ["A", "runs/a/1"],
        ["B", "runs/b/2"],
        [],
        ["A", "B"],
        ["seed", "0", "3"],
        ["model,", "another", "class"],
        ["_target_", "runcard.models.mlp.Mlp", "runcard.models.linear.Linear"],
        ["hidden", "[128,", "128]", "-"],
        ["dropout", "0.1", "-"],
        ["input_dropout", "0.0", "-"],
        ["optimizer"],
        ["lr", "0.003", "0.5"],
        ["runs_dir", "runs", "x"],
        ["name", "a", "wine-linear"],
        [],
        *[line.split() for line in ["the cards differ in 8 keys; of another class: model"]],
    ]
    data = command("compare", "--json", "--cards", first, other).json
    assert data["cards"] == [str(Path(path).absolute()) for path in (first, other)]
    assert data["differs"]["model.hidden"] == [[128, 128], None]
    assert list(data["differs"])[-2:] == ["runs_dir", "name"]


@pytest.mark.slow
def test_compare_runs_and_trials(command: Command) -> None:
    run = command("fit", "data=wine", "seed=1", *TINY, "--json").json["run"]
    study = command("fit", "-m", "data=wine", "seed=1,2", *TINY, "--json").json["study"]
    data = command("compare", "--cards", run, f"{study}/0", f"{study}/1", "--json").json
    assert data["differs"] == {"seed": [1, 1, 2]}
    assert command("compare", "--cards", run, f"{study}/0").out == "the cards are the same\n"
    said = command("compare", "--cards", run, study)
    assert (said.code, said.out) == (2, "")
    assert f"is a study, which has many cards: name its trials, such as {study}/0" in said.err


def test_compare_tells_null_from_nothing_and_not_30_from_thirty(command: Command) -> None:
    Path("a.yaml").write_text("version: 1\nx: null\ny: 30\nz: true\nwhen: 2020-01-01\n")
    Path("b.yaml").write_text("version: 1\ny: 30.0\nz: 1\nodd: .nan\n1: {}\n")
    data = command("compare", "--cards", "a.yaml", "b.yaml", "--json").json
    assert data["differs"] == {
        "x": [None, None],
        "z": [True, 1],
        "when": ["2020-01-01", None],
        "odd": [None, "nan"],
        "1": [None, {}],
    }
    rows = [line.split() for line in command("compare", "--cards", "a.yaml", "b.yaml").out.splitlines()]
    assert ["x", "null", "-"] in rows
    assert differing_keys([{"x": None}, {}]) == []


def test_compare_on_a_terminal_folds_values() -> None:
    goal = "one word after another " * 8
    cards = [write("a.yaml", "data=wine"), write("b.yaml", "data=wine", f"problem.goal={goal.strip()}", "seed=2")]
    shown = in_terminal("compare", "--cards", *cards)
    assert "\x1b[35m2\x1b[0m" in shown
    plain = without_codes(shown)
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.count("another") == 8


def test_what_a_card_holds_cannot_command_a_terminal(command: Command) -> None:
    Path("a.yaml").write_text('version: 1\n"k\\e[31m": "v\\e[31m\\n"\n')
    Path("b.yaml").write_text("version: 1\n")
    said = command("compare", "--cards", "a.yaml", "b.yaml")
    assert said.out.splitlines()[4].split() == ["k\\x1b[31m", '"v\\u001b[31m\\n"', "-"]


NO_CARDS = {
    "broken": ("version: [1", "cannot read {path}: line 2: while parsing a flow"),
    "a list": ("- version", "a mapping was expected"),
    "empty": ("", "a mapping was expected"),
    "no version": ("name: x", "{path} is not a card: it holds no key version"),
    "an alias": ("version: &a 1\nx: *a", "aliases are not allowed"),
    "too deep": ("version: " + "[" * 3000, "cannot read {path}"),
    "too large": ("version: " + "1" * 5_000_000, "{path} is not a card: it has more than 4 MB"),
    "no text": ("version: \ud800", "cannot read {path}"),
}


@pytest.mark.parametrize("case", NO_CARDS)
def test_a_file_that_is_no_card_is_refused_in_a_line(case: str, command: Command) -> None:
    text, message = NO_CARDS[case]
    path = Path("bad.yaml").absolute()
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = command("compare", "--cards", write("good.yaml"), "bad.yaml")
    assert (said.code, said.out) == (2, "")
    assert message.format(path=path) in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Say --cards RUN RUN, with run folders, trials of a study, or card.yaml files"),
        (["--cards"], "expected at least one argument"),
        (["--cards", "good.yaml"], "two or more are compared"),
        (["--cards", "good.yaml", "nowhere"], "there is no folder"),
        (["--cards", "good.yaml", "."], "is not a run folder"),
        (["--cards", "good.yaml", "x" * 300], "cannot read"),
        (["--cards", "good.yaml", "/dev/zero"], "there is no folder"),
    ],
)
def test_what_cannot_be_compared(words: list[str], message: str, command: Command) -> None:
    write("good.yaml")
    said = command("compare", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert json.loads(command("compare", *words, "--json").out)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1.0e-05"),
        ("1e-5", "'1e-5'"),
        ("yes", "'yes'"),
        ("", "''"),
        ("a, b", "a, b"),
        (["a, b", "", None, True, 0.5], "[\"a, b\", '', null, true, 0.5]"),
        ({"a": {"b": []}}, "{a: {b: []}}"),
        ("x" * 200, "x" * 200),
        ("a\nb", '"a\\nb"'),
        ("\x9b", '"\\x9b"'),
        ("Köln", "Köln"),
    ],
)
def test_a_value_on_one_line(value: object, text: str) -> None:
    assert inline(value) == text
    assert yaml.safe_load(text) == (value if value != 1e-5 else pytest.approx(1e-5))


def test_a_terminal_too_narrow_for_a_table_still_gets_it_whole() -> None:
    rows = [[("key" * 5, ""), ("value" * 9, ""), ("place" * 3, "")]]
    assert "value" in table_text(rows, 10, [1])
