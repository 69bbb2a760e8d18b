"""What a project may be called."""

from __future__ import annotations

from pathlib import Path

import pytest

from runcard.errors import CardError
from runcard.starting.names import package_name


@pytest.mark.parametrize(
    ("name", "package"), [("my_project", "my_project"), ("Churn-2", "churn_2"), ("a", "a"), ("x" * 50, "x" * 50)]
)
def test_names(name: str, package: str) -> None:
    assert package_name(name) == package


@pytest.mark.parametrize("name", ["", "2churn", "_a", "a-", "a b", "größe", "a.b", "a/b", "-a", "x" * 51, "..", "a\n"])
def test_other_letters_are_refused(name: str) -> None:
    with pytest.raises(CardError, match="letters without accents"):
        package_name(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wine", "ships a choice of this name"),
        ("mlp", "ships a choice of this name"),
        ("conf", "a folder within the project has it"),
        ("class", "reads it as something else"),
        ("Null", "reads it as something else"),
        ("json", "there is a Python package 'json' already"),
        ("Runcard", "there is a Python package 'runcard' already"),
        ("torch", "there is a Python package 'torch' already. Choose another, such as my_torch"),
    ],
)
def test_names_that_are_taken(name: str, said: str) -> None:
    with pytest.raises(CardError) as caught:
        package_name(name)
    assert said in str(caught.value)


def test_an_empty_folder_is_no_package(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(away))
    (away / "churn").mkdir()
    assert package_name("churn") == "churn"
