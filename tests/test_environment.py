"""What this machine is, as far as it is not only read off."""

from __future__ import annotations

import pytest

from runcard.environment import CORES, usable_cores


@pytest.mark.parametrize(
    ("told", "share"), [("1", 1), ("2", 2), ("0", 1), ("1000000", None), ("", None), ("many", None), ("-1", None)]
)
def test_cores_are_shared_as_told(told: str, share: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    all_of_them = usable_cores()
    monkeypatch.setenv(CORES, told)
    assert usable_cores() == min(all_of_them, share or all_of_them)
