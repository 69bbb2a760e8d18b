"""YAML that is taken, YAML that is refused with its line, and YAML that would fill the memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runcard.yamltext import MAX_BYTES, MAX_DEPTH, MAX_VALUES, YamlError, dump_yaml, parse_yaml, read_text

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 11)
)
# Text → the line of the problem, and words of it.
REFUSED = {
    "a: 1\nb: 2\na: 3\n": (3, "the key 'a' stands twice: in line 1 and in line 3"),
    "x:\n  - b: 1\n    b: 2\n": (3, "in line 2 and in line 3"),
    "a: 1\r\nb:\r\n  c: 1\r\n  c: 2\r\n": (4, "in line 3 and in line 4"),
    "a:\n\t- 1\n": (2, "cannot start any token"),
    "a: {b\n": (2, "while parsing a flow mapping"),
    "a: !!python/object/apply:os.system [ls]\n": (1, "the tag '!!python/object/apply:os.system' is not allowed"),
    "a: 1\nb: !mine 2\n": (2, "the tag '!mine' is not allowed"),
    "a: !!binary aGk=\n": (1, "the tag '!!binary' is not allowed"),
    "a: !!timestamp 2020-01-01\n": (1, "the tag '!!timestamp' is not allowed"),
    "a: \x00\n": (1, "control characters"),
    "--- 1\n--- 2\n": (2, "another document"),
    "a: {x: 1}\n<<: {y: 2}\n": (2, "merge keys are not allowed"),
    "a: 1\nb: !!int x\n": (1, "a value that its tag does not fit"),
    "a: !!bool x\n": (1, "a value that its tag does not fit"),
    "? [1]\n: 2\n": (1, "a key is a list or a mapping"),
    "a: &a [1]\nb: *a\n": (2, "aliases are not allowed"),
    "a: " + "9" * 500 + "\n": (1, "is a number of 500 digits"),
    "a: " + "[" * (MAX_DEPTH + 1): (1, f"is nested more than {MAX_DEPTH} deep"),
    "[" * 100_000: (1, f"is nested more than {MAX_DEPTH} deep"),
    "- 1\n" * (2 * MAX_VALUES + 2): (2 * MAX_VALUES, f"holds more than {MAX_VALUES:,} values"),
    "a: " + "x" * MAX_BYTES: (1, "bytes, and 1,000,000 are the most"),
}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_refused_with_its_line(text: str) -> None:
    line, words = REFUSED[text]
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert words in caught.value.problems[0].message
    assert caught.value.problems[0].line in (line - 1, line, line + 1)


def test_all_keys_that_stand_twice_are_named() -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n")
    assert [problem.line for problem in caught.value.problems] == [2, 4, 3]


def test_aliases_are_taken_where_they_are_small() -> None:
    assert parse_yaml("a: &a [1, 2]\nb: *a\n", aliases=True) == {"a": [1, 2], "b": [1, 2]}
    for text, words in ((BOMB, "its aliases stand for 123,456,790,133 values"), ("a: &a [*a]", "refers to itself")):
        with pytest.raises(YamlError, match=words):
            parse_yaml(text, aliases=True)


def test_a_bomb_costs_neither_time_nor_memory(tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text(BOMB)
    script = (
        "import re, sys, time\nfrom pathlib import Path\nfrom runcard.yamltext import *\n"
        "began = time.monotonic()\n"
        "try:\n    parse_yaml(read_text(Path(sys.argv[1])), aliases=True)\nexcept YamlError:\n"
        "    most = re.search('VmHWM:\\\\s+(\\\\d+)', Path('/proc/self/status').read_text())[1]\n"
        "    print(time.monotonic() - began, int(most) / 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "bomb.yaml"], capture_output=True, text=True)
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 10, "a guard: bench/check.py measures it"
    assert megabytes < 200


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=5))
def test_what_is_written_is_read_as_it_was(content: dict[str, object]) -> None:
    assert parse_yaml(dump_yaml(content)) == content


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=5))
def test_a_thousand_that_are_written_are_read_as_they_were(content: dict[str, object]) -> None:
    assert parse_yaml(dump_yaml(content)) == content


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab:-[]{}, \n\t\"'#&*!|>?%@`0123456789.e", max_size=40))
def test_any_text_is_read_as_omegaconf_reads_it_or_refused(text: str) -> None:
    try:
        content = parse_yaml(text, aliases=True)
    except YamlError:
        return
    if isinstance(content, dict):
        try:
            other = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
        except (yaml.YAMLError, ValueError, TypeError, Exception):
            return
        assert content == other


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a: 1\nb: \xff\n", "line 2: byte 0xff is not UTF-8"), (b"a: " + b"x" * 10_000_000, "10,000,003 bytes")],
)
def test_files_that_are_not_read(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(YamlError, match=words):
        read_text(tmp_path / "x.yaml")


def test_windows_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert parse_yaml(read_text(tmp_path / "x.yaml")) == {"a": 1, "b": "x"}
    with pytest.raises(IsADirectoryError, match="is a directory"):
        read_text(tmp_path)
