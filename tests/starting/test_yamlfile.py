"""Any text as YAML, and shipped files with other values."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runcard.starting.yamlfile import Value, adapted, scalar, shown, value

ODD = [
    "null",
    "yes",
    "No",
    "y",
    "on",
    "~",
    "1",
    "1e3",
    "0x1F",
    "1_000",
    "2024-01-01",
    ".inf",
    "NaN",
    "",
    " ",
    "a b",
    "a: b",
]
ODD += [
    "#",
    "a #b",
    "'",
    '"',
    "\\",
    "a\\nb",
    "a\nb",
    "\t",
    "[a",
    "{a}",
    "${x}",
    "\\${x}",
    "${",
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
]
ODD += [
    "`",
    "- a",
    "? a",
    "| a",
    "> a",
    "größe",
    "年齢",
    "😀",
    "\u2028",
    "\x85",
    "\ufeff",
    "\x7f",
    "a.b",
    "a,b",
    "=",
    "<<",
]


@given(st.one_of(st.sampled_from(ODD), st.text(max_size=40)))
def test_a_text_stays_itself(text: str) -> None:
    line = f"{scalar(text)}: {scalar(text)}  # {shown(text)}\n"
    assert line.count("\n") == 1
    assert yaml.safe_load(line) == {text: text}
    card = OmegaConf.create(f"{scalar(text)}: {value(text)}  # {shown(text)}\n")
    assert OmegaConf.to_container(card, resolve=True) == {text: text}


@given(st.text(alphabet="ab\\${}:?", max_size=12).filter(lambda text: text != "???"))
def test_nothing_is_filled_in(text: str) -> None:
    card = OmegaConf.create(f"key: {value(text)}\n")
    assert OmegaConf.to_container(card, resolve=True) == {"key": text}


def test_plain_words_stay_plain() -> None:
    assert [scalar(text) for text in ("age", "Age_2", "null", "y")] == ["age", "Age_2", '"null"', '"y"']


def test_comments_are_kept() -> None:
    text = adapted(
        "data/table", ["mine"], {"path": Value("x.csv"), "kinds": Value("", "said", (("a: number", "why"),))}
    )
    lines = text.splitlines()
    assert lines.pop(0) == "# yaml-language-server: $schema=../.schemas/data.json"
    assert lines[:2] == ["# mine", "_target_: runcard.data.table.Table"]
    assert lines[2].startswith("path: x.csv")
    assert "# the file; .csv" in lines[2]
    assert lines[2].index("#") == lines[5].index("#")
    assert [line.split() for line in lines[3:5]] == [["kinds:", "#", "said"], ["a:", "number", "#", "why"]]
    assert yaml.safe_load(text)["split"] == {"seed": 0, "validation": 0.15, "test": 0.2}


@pytest.mark.parametrize("name", ["data/table", "problem/table", "problem/digits", "model/mlp"])
def test_every_key_can_be_changed(name: str) -> None:
    before = yaml.safe_load(adapted(name, [], {}))
    keys = [key for key, old in before.items() if not isinstance(old, dict) or key == "kinds"]
    after = yaml.safe_load(adapted(name, [], {key: Value("7") for key in keys if key != "_target_"}))
    assert {key for key in before if after[key] == 7} == set(keys) - {"_target_"}
