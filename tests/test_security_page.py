"""docs/security.md says what is: the tests that it names hold their promises, the variables are those that are set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runcard.card.sections.serve import MOST
from runcard.packaging.trial import MEMORY_MB, SIZES, TIMEOUT_S
from runcard.serving.supervisor import TRIES
from runcard.silence import QUIET

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT)))


def test_promises_name_their_tests() -> None:
    assert len(NAMED) >= 15


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_tests(name: str) -> None:
    assert "\ndef test_" in (ROOT / name).read_text(encoding="utf-8")


def test_the_variables_are_those_that_are_set() -> None:
    said = dict(re.findall(r"`([A-Z_]+)=(\w+)`", TEXT))
    assert said.keys() == QUIET.keys()
    for name, value in said.items():
        assert value.lower() != QUIET[name].lower(), "what allows it is another value than what forbids it"


def test_the_numbers_are_those_of_the_code() -> None:
    words = ("zero", "one", "two", "three")
    assert f"with {MEMORY_MB} MiB and five times its size, for {TIMEOUT_S:g} seconds" in TEXT
    assert (SIZES, words[TRIES]) == (5, "three")
    most = (
        f"{MOST['workers']:g} workers or threads, an hour, {MOST['max_body_mb'] / 1024:g} GiB a body, 100 million rows"
    )
    assert most in TEXT.replace("\n", " ")
    assert (MOST["threads"], MOST["timeout_s"], MOST["max_rows"]) == (MOST["workers"], 3600, 100_000_000)


def test_the_way_to_report_is_beside_the_readme() -> None:
    assert "docs/security.md" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/security.md" in (ROOT / "README.md").read_text(encoding="utf-8")
